// Generation: where answers end, what is drawn, and that a batch answers as its rows alone do.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { languageModelSpecSchema } from '../../src-main/domain/model-spec.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import {
  collectAnswers,
  eagerDecoder,
  generateTokens,
  type GenerationLimits,
} from '../../src-main/engine/generate.ts'
import { drawToken, GREEDY, type Sampling } from '../../src-main/engine/token-choice.ts'
import { decoderHiddenStates, embedTokens, languageHead } from '../../src-main/engine/models/language-model.ts'
import type { Weights } from '../../src-main/engine/shapes.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { expectNoLeak } from '../support/no-leak.ts'
import { heldWeights, livelyWeights, TINY } from '../support/tiny-model.ts'

beforeAll(() => openBackend())

/** Attention and MLP add nothing: the next token is a table of the current one. */
function tableModel(next: readonly number[]) {
  const V = next.length
  const spec = languageModelSpecSchema.parse({
    vocabSize: V,
    hiddenSize: V + (V % 2),
    intermediateSize: 4,
    numHiddenLayers: 1,
    numAttentionHeads: 1,
    numKeyValueHeads: 1,
    tieWordEmbeddings: false,
  })
  const D = spec.hiddenSize
  const shapes = { q_proj: [D, D], k_proj: [D, D], v_proj: [D, D], o_proj: [D, D], gate_proj: [4, D], up_proj: [4, D], down_proj: [D, 4] }
  const block = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      `model.layers.0.${/gate|up|down/.test(name) ? 'mlp' : 'self_attn'}.${name}.weight`,
      tf.zeros(shape),
    ]),
  )
  const weights: Weights = {
    ...block,
    'model.layers.0.input_layernorm.weight': tf.ones([D]),
    'model.layers.0.post_attention_layernorm.weight': tf.ones([D]),
    'model.norm.weight': tf.ones([D]),
    'model.embed_tokens.weight': tf.eye(V, D),
    // Row `next[i]` answers to token i.
    'lm_head.weight': tf.tensor2d(Array.from({ length: V }, (_, to) => Array.from({ length: D }, (__, from) => (next[from] === to ? 1 : 0)))),
  }
  return { spec, weights }
}

function answersTo(
  { spec, weights }: ReturnType<typeof tableModel>,
  prompts: readonly (readonly number[])[],
  limits: GenerationLimits,
  sampling: Sampling = GREEDY,
): number[][] {
  const T = Math.max(...prompts.map((prompt) => prompt.length))
  const ids = prompts.map((prompt) => [...new Array<number>(T - prompt.length).fill(0), ...prompt])
  return tf.tidy(() => {
    const embeddings = embedTokens(weights, tf.tensor2d(ids, [prompts.length, T], 'int32'))
    const lengths = prompts.map((prompt) => prompt.length)
    return collectAnswers(generateTokens(eagerDecoder(spec, weights), embeddings, lengths, limits, sampling), prompts.length) as never
  })
}

const languageModel = { spec: TINY.languageModel, weights: {} as Weights }
beforeAll(() => {
  languageModel.weights = heldWeights(livelyWeights(3).languageModel)
})
const somePrompts = (count: number) =>
  Array.from({ length: count }, (_, r) => {
    const random = createRandom(7, 'prompt', r)
    return Array.from({ length: 2 + r }, () => 2 + random.integer(TINY.languageModel.vocabSize - 2))
  })

describe('an answer', () => {
  it('stops at the end token, each row at its own, and says nothing after it', () => {
    const chain = tableModel([0, 2, 3, 4, 0])
    const prompts = [[1], [3, 3], [1, 2]]
    expect(answersTo(chain, prompts, { endIds: [4], maxNewTokens: 8 })).toEqual([[2, 3], [], [3]])
    expect(answersTo(chain, prompts, { endIds: [4], maxNewTokens: 1 })).toEqual([[2], [], [3]])
  })

  it('stops at any of several end tokens', () => {
    expect(answersTo(tableModel([0, 2, 3, 4, 0]), [[1], [2]], { endIds: [3, 4], maxNewTokens: 8 })).toEqual([[2], []])
  })

  it('is what reading the whole text anew each time would say', () => {
    for (const prompt of somePrompts(3)) {
      const [given] = answersTo(languageModel, [prompt], { endIds: [], maxNewTokens: 6 })
      const text = [...prompt]
      for (let i = 0; i < 6; i++)
        text.push(
          tf.tidy(() => {
            const states = decoderHiddenStates(
              languageModel.spec,
              languageModel.weights,
              embedTokens(languageModel.weights, tf.tensor2d(text, [1, text.length], 'int32')),
            )
            const last = states.at(-1)!.slice([0, text.length - 1, 0], [1, 1, -1])
            return languageHead(languageModel.spec, languageModel.weights, last).argMax(-1).dataSync()[0] as never
          }),
        )
      expect(given).toEqual(text.slice(prompt.length))
    }
  })

  it('is the same alone and in a batch of prompts of other lengths', () => {
    const prompts = somePrompts(4)
    const together = answersTo(languageModel, prompts, { endIds: [], maxNewTokens: 5 })
    prompts.forEach((prompt, r) => expect(answersTo(languageModel, [prompt], { endIds: [], maxNewTokens: 5 })[0]).toEqual(together[r]))
  })

  it('leaves nothing behind, also when the listener goes away in the middle', () => {
    const embeddings = embedTokens(languageModel.weights, tf.tensor2d([[3, 4, 5]], [1, 3], 'int32'))
    const decoder = eagerDecoder(languageModel.spec, languageModel.weights)
    const begin = () => generateTokens(decoder, embeddings, [3], { endIds: [], maxNewTokens: 5 })
    expectNoLeak(() => collectAnswers(begin(), 1))
    expectNoLeak(() => {
      for (const _ of begin()) break
    })
    embeddings.dispose()
  })
})

describe('sampling', () => {
  it('repeats itself with the seed, and differs with another', () => {
    const draw = (seed: number) =>
      answersTo(languageModel, somePrompts(2), { endIds: [], maxNewTokens: 12 }, { temperature: 2, topP: 1, seed })
    expect(draw(1)).toEqual(draw(1))
    expect(draw(1)).not.toEqual(draw(2))
  })

  it('draws each token as often as the distribution says', () => {
    // Probabilities 1/2, 1/4, 1/8, 1/8 at temperature 1.
    const logits = Float32Array.from([0, -1, -2, -2], (each) => each * Math.LN2)
    const random = createRandom(5, 'draws')
    const counts = [0, 0, 0, 0]
    const draws = 8000
    for (let i = 0; i < draws; i++) counts[drawToken(logits, 1, 1, random.uniform())]!++
    // Within five standard errors, √(p(1 − p)/n) ≤ 0.0056.
    ;[0.5, 0.25, 0.125, 0.125].forEach((p, id) => expect(Math.abs(counts[id]! / draws - p)).toBeLessThan(0.028))
  })

  it('draws the rows of a batch apart from each other: equal prompts answer as one prompt asked as often', () => {
    const [R, V] = [400, 10]
    const silent = { readPrompts: () => ({ logits: tf.zeros([R, V]) as tf.Tensor2D, cache: [] as never }), readToken: () => { throw new Error('one token is enough') } }
    for (const seed of [1, 2, 3]) {
      const prompts = tf.zeros([R, 1, 2])
      const [first] = [...generateTokens(silent, prompts, new Array<number>(R).fill(1), { endIds: [], maxNewTokens: 1 }, { temperature: 1, topP: 1, seed })]
      const counts = Array.from({ length: V }, (_, id) => first!.filter((drawn) => drawn === id).length)
      // Within five standard errors of R/V = 40, √(R·p(1 − p)) = 6.
      for (const count of counts) expect(Math.abs(count - R / V)).toBeLessThan(30)
      prompts.dispose()
    }
  })

  it('top-p keeps the smallest set that holds the share, never less than one token', () => {
    const logits = Float32Array.from([-2, 0, -1, -2], (each) => each * Math.LN2)
    const drawn = (topP: number) => new Set(Array.from({ length: 100 }, (_, i) => drawToken(logits, 1, topP, i / 100)))
    expect(drawn(0.5)).toEqual(new Set([1]))
    expect(drawn(0.51)).toEqual(new Set([1, 2]))
    expect(drawn(0.76)).toEqual(new Set([1, 2, 0]))
    expect(drawn(1)).toEqual(new Set([0, 1, 2, 3]))
    expect(drawn(0.01)).toEqual(new Set([1]))
  })

  it('draws what the sorted distribution has at that place, with ties and at every share', () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = createRandom(seed, 'logits')
      const V = 1 + random.integer(60)
      // Rounded, so that some are equal; some of no weight at all.
      const logits = Float32Array.from({ length: V }, () => (random.uniform() < 0.1 ? -2000 : Math.round(8 * random.normal()) / 2))
      const temperature = random.pick([0.3, 1, 2.5])
      const topP = random.pick([1, 1, 0.95, 0.5, 0.05])
      const largest = Math.max(...logits)
      const weights = Array.from(logits, (logit) => Math.exp((logit - largest) / temperature))
      const ordered = weights.map((_, id) => id).sort((a, b) => weights[b]! - weights[a]! || a - b)
      const total = weights.reduce((a, b) => a + b, 0)
      const kept: number[] = []
      let mass = 0
      for (const id of ordered) {
        if (kept.length > 0 && (mass >= topP * total || weights[id] === 0)) break
        kept.push(id)
        mass += weights[id]!
      }
      for (let i = 0; i < 20; i++) {
        const uniform = random.uniform()
        let left = uniform * mass
        expect(drawToken(logits, temperature, topP, uniform), `seed ${seed}`).toBe(kept.find((id) => (left -= weights[id]!) < 0) ?? kept.at(-1))
      }
    }
  })

  it('a low temperature is greedy, and logits of ±1000 stay numbers', () => {
    const logits = Float32Array.of(-1000, 999, 1000, 0)
    for (const uniform of [0, 0.5, 1 - 2 ** -32]) expect(drawToken(logits, 0.01, 1, uniform)).toBe(2)
    expect(drawToken(Float32Array.of(-1000, -1000), 1, 1, 0.75)).toBe(1)
  })
})
