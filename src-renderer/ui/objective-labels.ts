// How the objectives are called where a person reads them.

import type { RunRow } from '../../src-main/domain/run-view.ts'

export const objectiveLabels: Readonly<Record<RunRow['objective'], string>> = {
  sft: 'SFT',
  dpo: 'DPO',
  mpo: 'MPO',
  simpo: 'SimPO',
  cpo: 'CPO',
  orpo: 'ORPO',
  kto: 'KTO',
  grpo: 'GRPO',
  'caption-words': 'Caption words',
  text: 'Text alone',
}
