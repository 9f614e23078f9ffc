// Models of several sizes: every encoder with every language model, heads as wide as before, and no model that cannot be.

import { expect, it } from 'vitest'
import { freshModels } from '../../src-main/domain/fresh-models.ts'
import { headWidth, multimodalLmSpecSchema } from '../../src-main/domain/model-spec.ts'
import { faultOf } from '../support/fault-of.ts'

const model = multimodalLmSpecSchema.parse({
  visionEncoder: { hiddenSize: 96, numAttentionHeads: 3, intermediateSize: 384, numHiddenLayers: 4 },
  languageModel: { hiddenSize: 192, numAttentionHeads: 6, numKeyValueHeads: 2, intermediateSize: 512, numHiddenLayers: 4 },
})
const size = (hiddenSize: number, numHiddenLayers: number) => ({ hiddenSize, numHiddenLayers })

it('every size of encoder meets every size of language model, and what is not varied stays', () => {
  const made = freshModels({ model, visionEncoders: [size(64, 2), size(192, 6)], languageModels: [size(96, 2), size(192, 4)] })
  expect(made.map(({ label }) => label)).toEqual(['encoder 64×2, language model 96×2', 'encoder 64×2, language model 192×4', 'encoder 192×6, language model 96×2', 'encoder 192×6, language model 192×4'])
  expect(made[1]!.spec.languageModel).toEqual(model.languageModel)
  expect(freshModels({ model, visionEncoders: null, languageModels: null }).map(({ spec }) => spec)).toEqual([model])
})

it('heads keep their width and MLPs their proportion; key/value heads divide the others', () => {
  for (const { spec } of freshModels({ model, visionEncoders: [size(32, 2), size(320, 2)], languageModels: [size(32, 1), size(160, 3), size(384, 3)] })) {
    const { visionEncoder, languageModel } = spec
    expect([visionEncoder.hiddenSize / visionEncoder.numAttentionHeads, headWidth(languageModel)]).toEqual([32, 32])
    expect('intermediateSize' in visionEncoder && visionEncoder.intermediateSize / visionEncoder.hiddenSize).toBe(4)
    expect(languageModel.numAttentionHeads % languageModel.numKeyValueHeads).toBe(0)
  }
})

it('a width that the heads do not divide, and an encoder without the layer that feeds the projector, are refused by name', () => {
  expect(faultOf(() => freshModels({ model, visionEncoders: [size(100, 4)], languageModels: null }))).toMatchObject({ code: 'invalid-input', message: expect.stringMatching(/visionEncoders.*heads of 32.*found 100.*multiple of 32/) })
  expect(faultOf(() => freshModels({ model, visionEncoders: null, languageModels: [size(50, 4)] }))).toMatchObject({ message: expect.stringContaining('languageModels') })
  expect(faultOf(() => freshModels({ model, visionEncoders: [size(96, 1)], languageModels: null }))).toMatchObject({ message: expect.stringContaining('encoder 96×1') })
})
