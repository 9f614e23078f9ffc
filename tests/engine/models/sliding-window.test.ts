// Sliding windows of the decoder: what stands further back than the window has no part, and the cache says what the whole does.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, expect, it } from 'vitest'
import { languageModelSpecSchema, type LanguageModelSpec } from '../../../src-main/domain/model-spec.ts'
import { collectAnswers, eagerDecoder, generateTokens } from '../../../src-main/engine/generate.ts'
import { languageModelConfig, languageModelSpec } from '../../../src-main/engine/models/language/families.ts'
import { decoderHiddenStates, embedTokens, languageHead } from '../../../src-main/engine/models/language-model.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { expectClose } from '../../support/all-close.ts'
import { heldWeights, livelyWeights, TINY } from '../../support/tiny-model.ts'

beforeAll(() => openBackend())

const IDS = [3, 5, 7, 9, 11, 13, 2, 4, 6, 8]
const at = (spec: LanguageModelSpec, ids: readonly number[]) => {
  const weights = heldWeights(livelyWeights(1).languageModel)
  return { weights, states: decoderHiddenStates(spec, weights, embedTokens(weights, tf.tensor2d([[...ids]], [1, ids.length], 'int32'))) }
}
const windowed = (slidingWindow: number | null, maxWindowLayers = 0) => languageModelSpecSchema.parse({ ...TINY.languageModel, slidingWindow, maxWindowLayers })

it('a token outside every window changes nothing that the window does not reach', () =>
  tf.tidy(() => {
    // Two blocks of a window of 3 reach 2 · 2 positions back: position 9 sees 5 … 9.
    const last = (ids: readonly number[]) => tf.slice(at(windowed(3), ids).states.at(-1)!, [0, 9, 0], [1, 1, -1])
    const [before, unseen, seen] = [IDS, [...IDS.slice(0, 4), 20, ...IDS.slice(5)], [...IDS.slice(0, 5), 20, ...IDS.slice(6)]].map(last) as [tf.Tensor, tf.Tensor, tf.Tensor]
    expectClose(unseen, before, 0)
    expect(tf.max(tf.abs(tf.sub(seen, before))).dataSync()[0]).toBeGreaterThan(1e-4)
  }))

it('a window as long as the sequence, and blocks below maxWindowLayers, attend to everything', () =>
  tf.tidy(() => {
    const whole = at(windowed(null), IDS).states
    expectClose(at(windowed(10), IDS).states.at(-1)!, whole.at(-1)!, 0)
    expectClose(at(windowed(2, 2), IDS).states.at(-1)!, whole.at(-1)!, 0)
    expectClose(at(windowed(2, 1), IDS).states[1]!, whole[1]!, 0)
  }))

it('an answer from the cache is the answer from whole sequences, beyond the window and beside a longer prompt', () =>
  tf.tidy(() => {
    const spec = windowed(3, 1)
    const { weights } = at(spec, IDS)
    const expected: number[] = []
    for (let i = 0; i < 8; i++) {
      const state = at(spec, [...IDS.slice(0, 4), ...expected]).states.at(-1)!
      expected.push(tf.argMax(tf.reshape(languageHead(spec, weights, tf.slice(state, [0, 3 + i, 0], [1, 1, -1])), [-1])).dataSync()[0]!)
    }
    const padded = embedTokens(weights, tf.tensor2d([[0, 0, ...IDS.slice(0, 4)], IDS.slice(0, 6)], [2, 6], 'int32'))
    const answers = collectAnswers(generateTokens(eagerDecoder(spec, weights), padded, [4, 6], { endIds: [], maxNewTokens: 8 }), 2)
    expect(answers[0]).toEqual(expected)
  }))

it('is read from either spelling of a config, written so that it is read again, and ignored where it is switched off', () => {
  const fields = { ...languageModelConfig(windowed(null)), num_hidden_layers: 3 }
  const read = languageModelSpec({ ...fields, use_sliding_window: true, sliding_window: 5, max_window_layers: 1 })
  expect(read).toMatchObject({ slidingWindow: 5, maxWindowLayers: 1 })
  expect(languageModelSpec({ ...fields, sliding_window: 5, layer_types: ['full_attention', 'sliding_attention', 'sliding_attention'] })).toEqual(read)
  expect(languageModelSpec(languageModelConfig(read))).toEqual(read)
  expect(languageModelSpec({ ...fields, use_sliding_window: false, sliding_window: 5, max_window_layers: 1 }).slidingWindow).toBeNull()
})
