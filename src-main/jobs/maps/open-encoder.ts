// What maps are made of: a multimodal model, or a vision encoder alone, which has no language model and so no answer to be mapped.

import { multimodalLmSpecSchema, numImageTokens } from '../../domain/model-spec.ts'
import { parse } from '../../domain/parse.ts'
import { numPatches, patchGrid, patchWidth } from '../../domain/vision-encoder-spec.ts'
import { openMeasuredModel, type MeasuredModel } from '../evaluate/measured-model.ts'
import { heldModel } from '../held-model.ts'
import { isMultimodalFolder, readVisionEncoderFolder } from '../model-folder.ts'
import { createImageSource } from '../samples.ts'

/** What a look at a picture without an answer reads of a model. */
export type MappedEncoder = Pick<MeasuredModel, 'model' | 'images' | 'preprocess' | 'numImageTokens' | 'numPatches' | 'patchWidth' | 'featureWidth' | 'grid' | 'dispose'>

export type OpenedEncoder = { readonly kind: 'model'; readonly measured: MeasuredModel } | { readonly kind: 'encoder'; readonly measured: MappedEncoder }

/** @throws LabError 'not-found', 'corrupt-artifact', 'invalid-input' for a folder that holds no encoder */
export async function openEncoder(project: string, folder: string): Promise<OpenedEncoder> {
  if (await isMultimodalFolder(folder)) return { kind: 'model', measured: await openMeasuredModel(project, folder) }
  const { spec: visionEncoder, weights, preprocess } = await readVisionEncoderFolder(folder)
  // Of an encoder alone the last block's patches are what is looked at.
  const spec = parse(multimodalLmSpecSchema, { visionEncoder, visionFeatureLayer: -1, visionFeatureSelectStrategy: 'full' })
  const held = heldModel({ spec, weights: { visionEncoder: weights, projector: {}, languageModel: {} } })
  return {
    kind: 'encoder',
    measured: {
      model: held.model,
      images: createImageSource(project, preprocess, visionEncoder.patchSize),
      preprocess,
      numImageTokens: numImageTokens(spec),
      numPatches: numPatches(visionEncoder),
      patchWidth: patchWidth(visionEncoder),
      featureWidth: visionEncoder.hiddenSize,
      grid: patchGrid(visionEncoder),
      dispose: () => held.dispose(),
    },
  }
}
