// Fresh weights: the shapes that the model needs, reproducible from a seed, each tensor from its own stream.

import { expect, it } from 'vitest'
import { MODULES, multimodalLmSpecSchema, type MultimodalLmSpec } from '../../../src-main/domain/model-spec.ts'
import { subset } from '../../../src-main/engine/shapes.ts'
import { initialWeights, type NamedArrays } from '../../../src-main/engine/weights/initial.ts'
import { expectClose } from '../../support/all-close.ts'

const parse = (fields: Record<string, unknown> = {}, language: Record<string, unknown> = {}): MultimodalLmSpec =>
  multimodalLmSpecSchema.parse({
    visionEncoder: {
      imageSize: 32,
      patchSize: 8,
      hiddenSize: 64,
      intermediateSize: 96,
      numHiddenLayers: 2,
      numAttentionHeads: 4,
      ...fields,
    },
    languageModel: {
      vocabSize: 300,
      hiddenSize: 48,
      intermediateSize: 80,
      numHiddenLayers: 2,
      numAttentionHeads: 4,
      numKeyValueHeads: 2,
      ...language,
    },
  })
const spread = ({ values }: { readonly values: Float32Array }) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)

it('is a function of the seed', () => {
  const [a, b, c] = [initialWeights(parse(), 1), initialWeights(parse(), 1), initialWeights(parse(), 2)]
  expect(a).toEqual(b)
  expect(a.projector['linear_1.weight']!.values).not.toEqual(c.projector['linear_1.weight']!.values)
})

it('another language model does not change the encoder, nor another depth the blocks below but for their residual scale', () => {
  const plain = initialWeights(parse(), 1)
  expect(initialWeights(parse({}, { hiddenSize: 32 }), 1).visionEncoder).toEqual(plain.visionEncoder)
  const deeper = initialWeights(parse({}, { numHiddenLayers: 3 }), 1).languageModel
  for (const [name, { values }] of Object.entries(plain.languageModel)) {
    // What is added to the residual stream shrinks by the root of the number of blocks.
    const scale = /o_proj|down_proj/.test(name) ? Math.sqrt(2 / 3) : 1
    expectClose(
      deeper[name]!.values,
      values.map((value) => value * scale),
      1e-6,
      name,
    )
  }
})

it('every tensor has the values that its shape says, and no two of them are the same numbers', () => {
  const weights = initialWeights(parse({ visionUseHead: true }, { tieWordEmbeddings: false }), 1)
  const first = new Set<number>()
  let drawn = 0
  for (const module of MODULES)
    for (const [name, { shape, values }] of Object.entries(weights[module] as NamedArrays)) {
      expect(values.length, name).toBe(shape.reduce((product, size) => product * size, 1))
      if (new Set(values).size > 1) {
        first.add(values[0]!)
        drawn++
      }
    }
  expect(first.size).toBe(drawn)
})

it('norms begin at one, biases at zero, matrices at the spread of their kind', () => {
  const { visionEncoder, projector, languageModel } = initialWeights(parse(), 1)
  const only = (array: { readonly values: Float32Array }) => [...new Set(array.values)]
  expect(only(visionEncoder['encoder.layers.0.layer_norm1.weight']!)).toEqual([1])
  expect(only(visionEncoder['encoder.layers.0.self_attn.q_proj.bias']!)).toEqual([0])
  expect(only(languageModel['model.norm.weight']!)).toEqual([1])
  expect(only(projector['linear_1.bias']!)).toEqual([0])
  // Within five standard errors of a spread, σ/√(2n), of at least 2304 numbers: 8 per cent.
  const expectSpread = (array: { readonly values: Float32Array }, expected: number) =>
    expect(Math.abs(spread(array) / expected - 1)).toBeLessThan(0.08)
  // 0.6/√D_in; two blocks halve what is added to the residual stream.
  expectSpread(languageModel['model.embed_tokens.weight']!, 0.6 / Math.sqrt(48))
  expectSpread(languageModel['model.layers.0.mlp.down_proj.weight']!, 0.3 / Math.sqrt(80))
  expectSpread(languageModel['model.layers.1.self_attn.o_proj.weight']!, 0.3 / Math.sqrt(48))
  expectSpread(projector['linear_1.weight']!, 0.6 / Math.sqrt(64))
  expectSpread(visionEncoder['encoder.layers.0.self_attn.q_proj.weight']!, Math.sqrt(1 / 64))
  expectSpread(visionEncoder['encoder.layers.0.mlp.fc2.weight']!, Math.sqrt(1 / 96) / 2)
})

it('a head of its own exists only where embeddings are not tied, and a pooling head only where it is asked for', () => {
  expect(initialWeights(parse(), 1).languageModel).not.toHaveProperty(['lm_head.weight'])
  expect(initialWeights(parse({}, { tieWordEmbeddings: false }), 1).languageModel).toHaveProperty(['lm_head.weight'])
  expect(initialWeights(parse(), 1).visionEncoder).not.toHaveProperty(['head.probe'])
  expect(initialWeights(parse({ visionUseHead: true }), 1).visionEncoder).toHaveProperty(['head.probe'])
})

it('a subset is what begins with the prefix, without it', () => {
  const one = {} as never
  expect(subset({ 'layers.1.a': one, 'layers.10.a': one, b: one }, 'layers.1.')).toEqual({ a: one })
})
