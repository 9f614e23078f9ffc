// What maps are made of: a multimodal model, or a vision encoder alone, which has no language model and so no answer to be mapped.

import * as tf from '@tensorflow/tfjs'
import { multimodalLmSpecSchema, numImageFeatures } from '../../domain/model-spec.ts'
import { parse } from '../../domain/parse.ts'
import { numPatches, patchGrid, patchWidth, seenSide } from '../../domain/vision-encoder-spec.ts'
import { imageFeatures } from '../../engine/models/multimodal-lm.ts'
import { openMeasuredModel, type EncoderView, type MeasuredModel } from '../evaluate/measured-model.ts'
import { heldModel } from '../held-model.ts'
import { isMultimodalFolder, readVisionEncoderFolder } from '../model-folder.ts'
import { createImageSource } from '../samples.ts'

/** What a look at a picture without an answer reads of a model. */
export type MappedEncoder = EncoderView & Pick<MeasuredModel, 'model' | 'images' | 'patchWidth' | 'dispose'>

export type OpenedEncoder = { readonly kind: 'model'; readonly measured: MeasuredModel } | { readonly kind: 'encoder'; readonly measured: MappedEncoder }

/** An encoder that stays loaded from look to look must not gather the pictures of all of them. */
const NOTHING_KEPT = { features: 0, pictures: 0 }

/** @throws LabError 'not-found', 'corrupt-artifact', 'invalid-input' for a folder that holds no encoder */
export async function openEncoder(project: string, folder: string): Promise<OpenedEncoder> {
  if (await isMultimodalFolder(folder)) return { kind: 'model', measured: await openMeasuredModel(project, folder, NOTHING_KEPT) }
  const { spec: visionEncoder, weights, preprocess } = await readVisionEncoderFolder(folder)
  // Of an encoder alone the last block's patches are what is looked at.
  const spec = parse(multimodalLmSpecSchema, { visionEncoder, visionFeatureLayer: -1, visionFeatureSelectStrategy: 'full' })
  const held = heldModel({ spec, weights: { visionEncoder: weights, projector: {}, languageModel: {} } })
  const images = createImageSource(project, preprocess, visionEncoder.patchSize, NOTHING_KEPT.pictures)
  const [P, width] = [numPatches(visionEncoder), patchWidth(visionEncoder)]
  return {
    kind: 'encoder',
    measured: {
      model: held.model,
      images,
      preprocess,
      numImageFeatures: numImageFeatures(spec),
      numPatches: P,
      patchWidth: width,
      seenSide: seenSide(visionEncoder),
      async features(refs) {
        const patches = new Float32Array(refs.length * P * width)
        for (const [i, ref] of refs.entries()) if (ref !== null) patches.set(await images.patches(ref), i * P * width)
        return tf.tidy(() => imageFeatures(held.model, tf.tensor3d(patches, [refs.length, P, width]))) as tf.Tensor3D
      },
      featureWidth: visionEncoder.hiddenSize,
      grid: patchGrid(visionEncoder),
      dispose: () => held.dispose(),
    },
  }
}
