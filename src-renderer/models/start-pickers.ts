// The controls that choose what a run or a study starts from: the same folders in both forms.

import type { Picker } from '../ui/schema-fields.ts'
import FolderPicker from './FolderPicker.vue'

export const START_PICKERS: Readonly<Record<string, Picker>> = {
  'start.folder': { component: FolderPicker, props: { wanted: 'model' } },
  'start.adapter': { component: FolderPicker, props: { wanted: 'adapter', isOptional: true } },
  'start.visionEncoderFolder': { component: FolderPicker, props: { wanted: 'visionEncoder' } },
  'start.languageModelFolder': { component: FolderPicker, props: { wanted: 'languageModel' } },
}
