// A dual encoder against its reference: both embeddings, and the logits of every picture with every text.

import * as tf from '@tensorflow/tfjs'
import { dualEncoderLayout, dualEncoderSpec, imageEmbeddings, imageTextLogits, textEmbeddings } from '../../engine/models/dual-encoder.ts'
import type { Weights } from '../../engine/shapes.ts'
import { matchWeights } from '../../engine/weights/match.ts'
import { readWeights } from '../weight-files.ts'
import { toTensor, tolerancesOf } from './case-files.ts'
import type { ParityKind } from './parity-kind.ts'
import { imagesOf } from './recorded-images.ts'

export const dualEncoderParity: ParityKind = {
  name: 'dual encoder',
  recognises: ({ json }) => json['kind'] === 'dual encoder',
  async compare(files, comparison) {
    const spec = dualEncoderSpec(await files.object('config.json'), `${files.folder}: config.json`)
    const { weights: arrays } = matchWeights(dualEncoderLayout(spec), await readWeights(files.folder), files.folder)
    const recorded = await files.tensors('case.safetensors')
    const { forward } = tolerancesOf(files)
    tf.tidy(() => {
      const weights: Weights = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, toTensor(array)]))
      const { patches, options } = imagesOf(spec.visionEncoder, recorded, '')
      const images = imageEmbeddings(spec, weights, patches(toTensor(recorded.get('pixel_values'))), options)
      const { shape, values } = recorded.get('input_ids')
      const [N, T] = shape as [number, number]
      const texts = textEmbeddings(spec, weights, Array.from({ length: N }, (_, i) => [...values.subarray(i * T, (i + 1) * T)]))
      comparison.check('image embeddings', 'image_embeds', images, recorded.get('image_embeds'), forward)
      comparison.check('text embeddings', 'text_embeds', texts, recorded.get('text_embeds'), forward)
      comparison.check('zero-shot logits', 'logits_per_image', imageTextLogits(weights, images, texts), recorded.get('logits_per_image'), forward)
    })
  },
}
