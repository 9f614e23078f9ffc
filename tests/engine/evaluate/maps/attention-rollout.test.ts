// Laws of attention maps: shares stay shares through any number of blocks, attention to oneself changes nothing, and what a family
// says it attends with is what its block mixes with.

import * as tf from '@tensorflow/tfjs'
import { describe, expect, it } from 'vitest'
import { visionEncoderSpecSchema } from '../../../../src-main/domain/vision-encoder-spec.ts'
import { attentionRollout, lastAttention, lookedAt } from '../../../../src-main/engine/evaluate/maps/attention-rollout.ts'
import { visionAttention, visionHiddenStates } from '../../../../src-main/engine/models/vision-encoder.ts'
import { layerNorm } from '../../../../src-main/engine/nn/norm.ts'
import { linear } from '../../../../src-main/engine/nn/linear.ts'
import { mergeHeads, splitHeads } from '../../../../src-main/engine/nn/attention.ts'
import { subset } from '../../../../src-main/engine/shapes.ts'
import { visionEncoderLayout } from '../../../../src-main/engine/weights/initial.ts'
import { expectClose } from '../../../support/all-close.ts'
import { aTensor } from '../../../support/finite-differences.ts'
import { expectNoLeak } from '../../../support/no-leak.ts'

const blocks = ['a', 'b', 'c'].map((seed) => tf.softmax(aTensor([1, 2, 5, 5], seed, 3)))

describe('rollout', () => {
  it('every row of every depth sums to one', () => {
    for (const depth of [1, 2, 3]) expectClose(tf.sum(attentionRollout(blocks.slice(0, depth)), -1), new Float32Array(5).fill(1), 1e-6)
  })

  it('where every token looks at itself, each holds itself alone', () => {
    const itself = tf.tile(tf.reshape(tf.eye(5), [1, 1, 5, 5]), [1, 2, 1, 1])
    expectClose(attentionRollout([itself, itself]), tf.reshape(tf.eye(5), [1, 5, 5]), 1e-6)
  })

  it('of one block is half its attention and half itself, of two their product, the later on the left', () => {
    const half = (block: tf.Tensor) => tf.mul(0.5, tf.add(tf.mean(block, 1), tf.reshape(tf.eye(5), [1, 5, 5])))
    expectClose(expectNoLeak(() => attentionRollout(blocks.slice(0, 1)), 1), half(blocks[0]!), 1e-6)
    expectClose(attentionRollout(blocks.slice(0, 2)), tf.matMul(half(blocks[1]!), half(blocks[0]!)), 1e-6)
  })

  it('what is looked at is the mean over the patches that look, and leaves out tokens without a place', () => {
    const matrix = tf.tensor3d([[[1, 0, 0], [0.5, 0.25, 0.25], [0, 0.5, 0.5]]])
    expectClose(lookedAt(matrix, 1), [0.375, 0.375], 1e-7)
    expectClose(lookedAt(matrix, 0), [0.5, 0.25, 0.25], 1e-7)
    expectClose(lastAttention(blocks), tf.mean(blocks[2]!, 1), 1e-7)
  })
})

const common = { imageSize: 8, patchSize: 4, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2, intermediateSize: 16 }
const FAMILIES = ['siglip', 'siglip2', 'clip', 'dinov2', 'dinov2_with_registers', 'vit', 'vit_mae'] as const

function anEncoder(family: (typeof FAMILIES)[number]) {
  const { intermediateSize, ...rest } = common
  const spec = visionEncoderSpecSchema.parse({ family, ...rest, ...(family.startsWith('dinov2') ? {} : { intermediateSize }) })
  const weights = Object.fromEntries(
    Object.entries(visionEncoderLayout(spec)).map(([name, { shape }]) => [name, aTensor(shape, name, 0.4)]),
  )
  return { spec, weights, states: visionHiddenStates(spec, weights, aTensor([2, 4, 48], 'patches'), 2) }
}

describe('the attention of an encoder', () => {
  it.each(FAMILIES)('%s: one matrix a block and head, every row of which sums to one', (family) => {
    const { spec, weights, states } = anEncoder(family)
    const attention = visionAttention(spec, weights, states)
    const N = states[0]!.shape[1]!
    expect(attention.map(({ shape }) => shape)).toEqual([[2, 2, N, N], [2, 2, N, N]])
    for (const block of attention) expectClose(tf.sum(block, -1), new Float32Array(4 * N).fill(1), 1e-5)
  })

  it('is what the block mixes values with: without its MLP a block adds just that', () => {
    const { spec, weights: all } = anEncoder('siglip')
    const weights = { ...all, 'encoder.layers.0.mlp.fc2.weight': tf.zeros([8, 16]), 'encoder.layers.0.mlp.fc2.bias': tf.zeros([8]) }
    const states = visionHiddenStates(spec, weights, aTensor([2, 4, 48], 'patches'), 1)
    const block = subset(weights, 'encoder.layers.0.')
    const [probabilities] = visionAttention(spec, weights, states)
    const values = splitHeads(linear(block, 'self_attn.v_proj', layerNorm(block, 'layer_norm1', states[0]!, 1e-6)), 2)
    const added = linear(block, 'self_attn.out_proj', mergeHeads(tf.matMul(probabilities!, values)))
    expectClose(tf.sub(states[1]!, states[0]!), added, 1e-5)
  })
})
