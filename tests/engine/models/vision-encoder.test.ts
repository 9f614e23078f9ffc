// Laws of every family of vision encoders; their numbers are held to the reference libraries by parity-job.test.ts.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { multimodalLmSpecSchema, numImageTokens } from '../../../src-main/domain/model-spec.ts'
import { parse } from '../../../src-main/domain/parse.ts'
import { createRandom } from '../../../src-main/domain/random.ts'
import { numPatches, numPrefixTokens, visionEncoderSpecSchema, type VisionEncoderSpec } from '../../../src-main/domain/vision-encoder-spec.ts'
import { answerLogits, imageFeatures, imageTokens } from '../../../src-main/engine/models/multimodal-lm.ts'
import { familyOf, withPoolingThatIsThere } from '../../../src-main/engine/models/vision/families.ts'
import { resizeMatrix } from '../../../src-main/engine/models/vision/positions.ts'
import { patchify, patchStates, variableInput, visionHiddenStates, visionLastHiddenState, visionPooled } from '../../../src-main/engine/models/vision-encoder.ts'
import { gradients } from '../../../src-main/engine/nn/gradients.ts'
import type { Weights } from '../../../src-main/engine/shapes.ts'
import { visionEncoderConfig, visionEncoderSpec } from '../../../src-main/engine/weights/hugging-face-config.ts'
import { visionEncoderLayout } from '../../../src-main/engine/weights/initial.ts'
import { localName, visionEncoderName, visionEncoderTensors } from '../../../src-main/engine/weights/names.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { heldModel } from '../../../src-main/jobs/held-model.ts'
import { expectClose } from '../../support/all-close.ts'
import { faultOf } from '../../support/fault-of.ts'
import { aTensor } from '../../support/finite-differences.ts'
import { aBatch, aRow, livelyWeights } from '../../support/tiny-model.ts'

beforeAll(() => openBackend())

const sizes = { imageSize: 12, patchSize: 4, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 }
const SPECS: readonly VisionEncoderSpec[] = [
  { family: 'siglip', intermediateSize: 12, visionUseHead: true },
  { family: 'siglip2', intermediateSize: 12, visionUseHead: true },
  { family: 'clip', intermediateSize: 12 },
  { family: 'dinov2', mlpRatio: 1.5, layerscaleValue: 0.5 },
  { family: 'dinov2_with_registers', mlpRatio: 2, numRegisterTokens: 3, useSwigluFfn: true, qkvBias: false },
  { family: 'vit', intermediateSize: 12, poolerOutputSize: 6 },
  { family: 'vit_mae', intermediateSize: 12 },
].map((fields) => parse(visionEncoderSpecSchema, { ...sizes, ...fields }))

/** Normal deviates of 0.3 around what a layout begins with; ones where it fills. */
function weightsOf(spec: VisionEncoderSpec): Weights {
  return Object.fromEntries(
    Object.entries(visionEncoderLayout(spec)).map(([name, initial]) => {
      const random = createRandom(0, 'weights', name)
      const values = Float32Array.from({ length: initial.shape.reduce((a, b) => a * b, 1) }, () => ('fill' in initial ? initial.fill : 0) + 0.3 * random.normal())
      return [name, tf.tensor(values, [...initial.shape])]
    }),
  )
}

describe.each(SPECS.map((spec) => [spec.family, spec] as const))('%s', (_family, spec) => {
  it('its config.json reads back as the same spec, and its names as the same names', () => {
    const config = JSON.parse(JSON.stringify(visionEncoderConfig(spec))) as Record<string, unknown>
    expect(visionEncoderSpec(config)).toEqual(spec)
    const names = Object.keys(visionEncoderLayout(spec))
    for (const name of names) expect(localName(visionEncoderName(spec, name))).toEqual({ module: 'visionEncoder', name })
    const tensors = Object.fromEntries(names.map((name) => [name, { shape: [], values: new Float32Array(0) }]))
    expect(Object.keys(visionEncoderTensors(spec, tensors))).toEqual(names)
  })

  it('keeps its pooling where the weights have any of it, and is without where they have none', () => {
    const bare = familyOf(spec).truncated(spec, spec.numHiddenLayers)
    expect(withPoolingThatIsThere(spec, (name) => Object.hasOwn(visionEncoderLayout(spec), name))).toEqual(spec)
    expect(withPoolingThatIsThere(spec, (name) => Object.hasOwn(visionEncoderLayout(bare), name))).toEqual(bare)
  })

  it('has a state for every block, every token, and patches after its prefix; and leaves no tensor behind', () => {
    const weights = weightsOf(spec)
    const patches = aTensor([2, numPatches(spec), 48], 'patches')
    const before = tf.memory().numTensors
    tf.tidy(() => {
      const states = visionHiddenStates(spec, weights, patches, 2)
      const N = numPrefixTokens(spec) + numPatches(spec)
      expect(states.map(({ shape }) => shape)).toEqual([0, 1, 2].map(() => [2, N, 8]))
      const last = visionLastHiddenState(spec, weights, states[2]!)
      expect(patchStates(spec, last).shape).toEqual([2, numPatches(spec), 8])
      const pooled = visionPooled(spec, weights, last)
      expect(pooled?.shape ?? null).toEqual(spec.family === 'vit_mae' ? null : [2, spec.family === 'vit' ? 6 : 8])
      // Images do not see each other.
      expectClose(visionHiddenStates(spec, weights, tf.reverse(patches, 0), 2)[2]!, tf.reverse(states[2]!, 0), 1e-6)
    })
    expect(tf.memory().numTensors).toBe(before)
  })

  it('checkpointing recomputes the same gradients, bit for bit', () => {
    const weights = weightsOf(spec)
    const patches = aTensor([1, numPatches(spec), 48], 'patches')
    const found = [false, true].map((gradientCheckpointing) =>
      gradients(() => tf.sum(tf.square(visionHiddenStates(spec, weights, patches, 2, { gradientCheckpointing })[2]!)), Object.values(weights)),
    )
    found[1]!.gradients.forEach((gradient, i) => expect(gradient.dataSync()).toEqual(found[0]!.gradients[i]!.dataSync()))
  })

  it('cut after its first block is that block, whole and without what pools', () => {
    const weights = weightsOf(spec)
    const cut = familyOf(spec).truncated(spec, 1)
    const kept = Object.keys(visionEncoderLayout(cut))
    for (const name of kept) expect(weights).toHaveProperty([name])
    expect(kept.some((name) => /head|pooler/.test(name))).toBe(false)
    const patches = aTensor([1, numPatches(spec), 48], 'patches')
    const held = Object.fromEntries(kept.map((name) => [name, weights[name]!]))
    expect(visionHiddenStates(cut, held, patches, 1)[1]!.dataSync()).toEqual(visionHiddenStates(spec, weights, patches, 2)[1]!.dataSync())
  })

  it('feeds a language model under either strategy, and every weight below the chosen block learns', () => {
    for (const visionFeatureSelectStrategy of ['default', 'full'] as const) {
      const widths = { hiddenSize: 16, intermediateSize: 32, numHiddenLayers: 1, numAttentionHeads: 2 }
      const whole = multimodalLmSpecSchema.parse({
        visionEncoder: { ...spec, imageSize: 16, patchSize: 8 },
        languageModel: { vocabSize: 24, numKeyValueHeads: 1, ...widths },
        visionFeatureLayer: -1,
        visionFeatureSelectStrategy,
      })
      const { model, dispose } = heldModel({ spec: whole, weights: livelyWeights(0, whole) })
      const features = imageFeatures(model, aTensor([1, 4, 192], 'patches'))
      expect(features.shape).toEqual([1, numImageTokens(whole), 8])
      expect(numImageTokens(whole)).toBe(numPrefixTokens(spec) + 4 - (visionFeatureSelectStrategy === 'default' ? 1 : 0))
      if (numImageTokens(whole) === 4) {
        const batch = aBatch({ rows: [aRow(0)], images: 1, rowWeights: [1] })
        const names = Object.keys(model.weights.visionEncoder)
        const { gradients: found } = gradients(
          () => tf.sum(tf.square(answerLogits(model, batch, imageTokens(model, imageFeatures(model, batch.patches))))),
          Object.values(model.weights.visionEncoder),
        )
        const still = names.filter((_, i) => tf.max(tf.abs(found[i]!)).dataSync()[0] === 0)
        // What lies above the chosen state, what pre-training alone used, and positions that are fixed.
        const free = /^(head|pooler|post_layernorm|layernorm)\.|mask_token|^embeddings\.position_embeddings$/
        expect(still.filter((name) => !free.test(name))).toEqual([])
      }
      dispose()
    }
  })
})

describe('positions', () => {
  it('of the same size are the table itself; of another size each is a mean of it, with weights that sum to one', () => {
    for (const how of [
      { filter: 'bicubic', antialias: false },
      { filter: 'bicubic', antialias: true },
      { filter: 'bilinear', antialias: true },
    ] as const) {
      expectClose(resizeMatrix(3, { rows: 3, columns: 3 }, how), tf.eye(9), 1e-7)
      for (const grid of [{ rows: 2, columns: 7 }, { rows: 1, columns: 1 }, { rows: 9, columns: 4 }]) {
        const matrix = tf.tensor2d(resizeMatrix(5, grid, how), [grid.rows * grid.columns, 25])
        expectClose(tf.sum(matrix, 1), tf.ones([grid.rows * grid.columns]), 1e-6)
      }
    }
  })
})

describe('padding', () => {
  it('changes nothing of an image: NaFlex gives the same patches alone and beside a larger one', () => {
    const spec = SPECS.find(({ family }) => family === 'siglip2')!
    const weights = weightsOf(spec)
    const small = aTensor([1, 6, 48], 'small')
    const alone = visionHiddenStates(spec, weights, small, 2, { variable: variableInput(spec, [{ rows: 2, columns: 3 }], 6) })[2]!
    const padded = tf.concat([tf.pad(small, [[0, 0], [0, 4], [0, 0]]), aTensor([1, 10, 48], 'large')], 0)
    const variable = variableInput(spec, [{ rows: 2, columns: 3 }, { rows: 5, columns: 2 }], 10)
    const state = visionHiddenStates(spec, weights, padded, 2, { variable })[2]!
    expectClose(tf.slice(state, [0, 0, 0], [1, 6, 8]), alone, 1e-6)
  })
})

it('a rest at the right and at the bottom that fills no patch is not seen, as in a convolution without padding', () => {
  expect(numPatches({ imageSize: 384, patchSize: 14 })).toBe(27 ** 2)
  const pixels = aTensor([2, 3, 13, 18], 'rest') as tf.Tensor4D
  expectClose(patchify(pixels, 4), patchify(tf.slice(pixels, [0, 0, 0, 0], [2, 3, 12, 16]), 4), 0)
})

describe('what does not fit is refused, saying what was expected and found', () => {
  const spec = SPECS[0]!
  it.each([
    ['an image smaller than a patch', () => patchify(tf.zeros([1, 3, 12, 3]), 4), ['3 × 12', '4 × 4']],
    ['a pooler of another activation', () => visionEncoderSpec({ model_type: 'vit', pooler_act: 'relu' }), ['pooler_act', '"tanh"', '"relu"']],
    ['patches of another image size', () => visionHiddenStates(spec, weightsOf(spec), tf.zeros([1, 4, 48]), 1), ['3 × 3 = 9', 'found 4']],
    ['more patches than a padded batch holds', () => variableInput(SPECS[1]!, [{ rows: 4, columns: 3 }], 10), ['10', '12']],
    ['a padded batch for a family that takes none', () => visionHiddenStates(spec, weightsOf(spec), tf.zeros([1, 9, 48]), 1, { variable: variableInput(SPECS[1]!, [{ rows: 3, columns: 3 }], 9) }), ['siglip2']],
    ['an architecture that is not known', () => visionEncoderSpec({ model_type: 'swin' }), ['"swin"', 'dinov2_with_registers', 'src-main/engine/models/vision/']],
    ['a table of positions that is no square', () => visionEncoderSpec({ model_type: 'siglip2_vision_model', num_patches: 10 }), ['10', 'square']],
  ] as const)('%s', (_what, act, words) => {
    const { code, message } = faultOf(act)
    expect(code).toBe('invalid-input')
    for (const word of words) expect(message).toContain(word)
  })
})
