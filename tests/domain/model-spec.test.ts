// Shapes of models: what fits together is taken, what does not is refused at its field.

import { describe, expect, it } from 'vitest'
import {
  languageModelSpecSchema,
  multimodalLmSpecSchema,
  numImageTokens,
} from '../../src-main/domain/model-spec.ts'
import { parse } from '../../src-main/domain/parse.ts'
import { faultOf } from '../support/fault-of.ts'

describe('a model spec', () => {
  it('needs nothing: every size has a default, and the defaults fit together', () => {
    const spec = parse(multimodalLmSpecSchema, {})
    expect(parse(multimodalLmSpecSchema, spec)).toEqual(spec)
    expect(numImageTokens(spec)).toBe(64)
  })

  it('has as many image tokens as patches fit into the square', () => {
    for (const [imageSize, patchSize, expected] of [
      [224, 16, 196],
      [64, 64, 1],
      [30, 10, 9],
    ] as const)
      expect(numImageTokens(parse(multimodalLmSpecSchema, { visionEncoder: { imageSize, patchSize } }))).toBe(expected)
  })

  it('is refused at the field that does not fit', () => {
    for (const [fields, field] of [
      [{ visionEncoder: { imageSize: 64, patchSize: 65 } }, 'visionEncoder.patchSize'],
      [{ visionEncoder: { hiddenSize: 128, numAttentionHeads: 3 } }, 'visionEncoder.numAttentionHeads'],
      [{ visionEncoder: { hiddenAct: 'softplus' } }, 'visionEncoder.hiddenAct'],
      [{ visionEncoder: { hiddenSize: 0 } }, 'visionEncoder.hiddenSize'],
      [{ languageModel: { hiddenSize: 192, numAttentionHeads: 5, numKeyValueHeads: 5 } }, 'languageModel.numAttentionHeads'],
      // Heads of width 3: rotary positions turn pairs.
      [{ languageModel: { hiddenSize: 6, numAttentionHeads: 2, numKeyValueHeads: 1 } }, 'languageModel.numAttentionHeads'],
      [{ languageModel: { family: 'gpt2' } }, 'languageModel.family'],
      [{ languageModel: { headDim: 5 } }, 'languageModel.numAttentionHeads'],
      [{ languageModel: { ropeScaling: { kind: 'linear', factor: 0.5 } } }, 'languageModel.ropeScaling.factor'],
      [{ languageModel: { numAttentionHeads: 6, numKeyValueHeads: 4 } }, 'languageModel.numKeyValueHeads'],
      [{ languageModel: { ropeTheta: 0 } }, 'languageModel.ropeTheta'],
      [{ visionFeatureLayer: 0 }, 'visionFeatureLayer'],
      [{ visionEncoder: { numHiddenLayers: 2 }, visionFeatureLayer: -3 }, 'visionFeatureLayer'],
      [{ visionEncoder: { layers: 2 } }, 'visionEncoder'],
    ] as const) {
      const fault = faultOf(() => parse(multimodalLmSpecSchema, fields))
      expect(fault.code).toBe('invalid-input')
      expect(fault.details['path'], JSON.stringify(fields)).toEqual(field.split('.'))
    }
  })

  it('written before there were families, reads as the qwen2 that it was', () => {
    const written = {
      family: 'qwen2',
      vocabSize: 20,
      hiddenSize: 8,
      intermediateSize: 16,
      numHiddenLayers: 1,
      numAttentionHeads: 2,
      numKeyValueHeads: 1,
      rmsNormEps: 1e-6,
      ropeTheta: 10000,
      tieWordEmbeddings: true,
      maxPositionEmbeddings: 64,
    }
    expect(parse(languageModelSpecSchema, written)).toEqual({
      ...written,
      headDim: null,
      attentionBias: false,
      mlpBias: false,
      hiddenAct: 'silu',
      slidingWindow: null,
      maxWindowLayers: 0,
      ropeScaling: { kind: 'default' },
    })
  })

  it('takes the first and the last block that there is', () => {
    for (const visionFeatureLayer of [-1, -2])
      expect(
        parse(multimodalLmSpecSchema, { visionEncoder: { numHiddenLayers: 2 }, visionFeatureLayer }).visionFeatureLayer,
      ).toBe(visionFeatureLayer)
    expect(parse(languageModelSpecSchema, { hiddenSize: 8, numAttentionHeads: 4, numKeyValueHeads: 1 }).numKeyValueHeads).toBe(1)
  })
})
