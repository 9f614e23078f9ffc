// SigLIP 2 NaFlex's image tower (arXiv 2502.14786, section 2.4.2): SigLIP's blocks over images of any aspect ratio. Unusual:
// the table of positions is resized to each image (bilinear, antialiased), images are padded to one number of patches, and
// attention, pooling included, sees no padding. Its patch embedding is a linear layer over pixels in the order (y, x, channel).

import * as tf from '@tensorflow/tfjs'
import { numPatches, type SpecOf } from '../../../domain/vision-encoder-spec.ts'
import { linear } from '../../nn/linear.ts'
import { weightOf } from '../../shapes.ts'
import type { VisionFamily } from './family.ts'
import { resizedPositions, sideOf } from './positions.ts'
import { attentionPooled, SIGLIP, siglipConfig, siglipLayout, siglipSizes } from './siglip.ts'

type Spec = SpecOf<'siglip2'>

export const SIGLIP2: VisionFamily<Spec> = {
  family: 'siglip2',
  modelTypes: ['siglip2_vision_model'],
  spec(config) {
    const sizes = siglipSizes(config)
    // The config counts patches; the square that they make is the size of the table.
    return { imageSize: sideOf(Number(config['num_patches'] ?? 256)) * Number(sizes['patchSize']), ...sizes }
  },
  config: (spec) => ({ architectures: ['Siglip2VisionModel'], model_type: 'siglip2_vision_model', num_patches: numPatches(spec), ...siglipConfig(spec) }),
  truncated: (spec, layers) => ({ ...spec, numHiddenLayers: layers, visionUseHead: false }),
  layout(spec) {
    const fanIn = spec.numChannels * spec.patchSize ** 2
    return { 'embeddings.patch_embedding.weight': { shape: [spec.hiddenSize, fanIn], std: Math.sqrt(1 / fanIn) }, ...siglipLayout(spec) }
  },
  filePrefix: 'vision_model.',
  renames: [],
  joins: [],
  interpolation: { filter: 'bilinear', antialias: true },
  embeddings(spec, weights, { patches, grid, variable }) {
    const { hiddenSize: D, patchSize, numChannels } = spec
    const inPixelOrder = tf.reshape(weightOf(weights, 'embeddings.patch_embedding.weight'), [D, patchSize, patchSize, numChannels])
    const kernel = tf.reshape(tf.transpose(inPixelOrder, [0, 3, 1, 2]), [D, -1]) // (D, C·patch²): channels first, as the patches are
    const embedded = linear({ 'p.weight': kernel, 'p.bias': weightOf(weights, 'embeddings.patch_embedding.bias') }, 'p', patches) // (B, P, D)
    const table = weightOf(weights, 'embeddings.position_embedding.weight') as tf.Tensor2D // (positions, D)
    if (variable === null) return tf.add(embedded, resizedPositions(table, grid, this.interpolation))
    const [B, P, positions] = variable.resize.shape as [number, number, number]
    const resized = tf.matMul(tf.reshape(variable.resize, [B * P, positions]) as tf.Tensor2D, table) // (B·P, D)
    return tf.add(embedded, tf.reshape(resized, [B, P, D]))
  },
  blockPrefix: (i) => SIGLIP.blockPrefix(i),
  block: (spec, weights, x, mask) => SIGLIP.block({ ...spec, family: 'siglip' }, weights, x, mask),
  attention: (spec, weights, x, mask) => SIGLIP.attention({ ...spec, family: 'siglip' }, weights, x, mask),
  lastHiddenState: (spec, weights, state) => SIGLIP.lastHiddenState({ ...spec, family: 'siglip' }, weights, state),
  pooled: (spec, weights, lastHiddenState, mask) => (spec.visionUseHead ? attentionPooled(spec, weights, lastHiddenState, mask) : null),
}
