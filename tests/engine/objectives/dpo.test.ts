// DPO and its mixes by their laws, on a tiny model; the losses alone have their own file.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { objectiveSchema } from '../../../src-main/domain/objective-config.ts'
import { createObjective, type Batch } from '../../../src-main/engine/objectives/objective.ts'
import { answerLogits, imageFeatures, imageTokens, type MultimodalLm } from '../../../src-main/engine/models/multimodal-lm.ts'
import { answerLogProbs, tokenLogProbs } from '../../../src-main/engine/objectives/log-probs.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { heldModel } from '../../../src-main/jobs/held-model.ts'
import { expectFinite } from '../../support/all-close.ts'
import { aBatch, aRow, livelyWeights, TINY } from '../../support/tiny-model.ts'

beforeAll(() => openBackend('native'))

describe('the objective', () => {
  const objectiveWith = (settings: Readonly<Record<string, unknown>>) => createObjective(objectiveSchema.parse(settings))
  const objective = objectiveWith({ kind: 'dpo' })
  const aModel = (): MultimodalLm => heldModel({ spec: TINY, weights: livelyWeights(1) }).model
  const [chosen, rejected] = [
    [aRow(1), aRow(2, { answer: 2 })],
    [aRow(3, { answer: 4 }), aRow(4)],
  ]
  const logProbsOf = (model: MultimodalLm, batch: Batch): number[] =>
    Array.from(
      answerLogProbs(
        tokenLogProbs(
          answerLogits(model, batch, imageTokens(model, imageFeatures(model, batch.patches))),
          tf.reshape(batch.answerIds, [-1]) as tf.Tensor1D,
        ),
        batch.answerMask,
      ).dataSync(),
    )
  const numbersOf = (model: MultimodalLm, batch: Batch, of = objective): Record<string, number> => {
    const { loss, metrics } = of.loss(model, batch)
    return Object.fromEntries(Object.entries({ loss, ...metrics }).map(([name, value]) => [name, value.dataSync()[0]!]))
  }
  const half = [0.5, 0.5, 0.5, 0.5]

  it('logs exactly the metrics that it declares', () => {
    const batch = aBatch({ rows: [...chosen, ...rejected], images: 2, rowWeights: half })
    expect(Object.keys(objective.loss(aModel(), batch).metrics)).toEqual(objective.metricNames)
  })

  it('is ln 2 with zero rewards and no pair won, where the reference is the model itself', () => {
    const model = aModel()
    const parts = { rows: [...chosen, ...rejected], images: 2, rowWeights: half }
    const referenceLogProbs = logProbsOf(model, aBatch(parts))
    const found = numbersOf(model, aBatch({ ...parts, referenceLogProbs }))
    expect(found).toMatchObject({ 'rewards/chosen': 0, 'rewards/rejected': 0, 'rewards/margins': 0, 'rewards/accuracies': 0 })
    expect(found['loss']).toBeCloseTo(Math.LN2, 6)
    expect(found['logps/chosen']).toBeCloseTo((referenceLogProbs[0]! + referenceLogProbs[1]!) / 2, 4)
    expect(found['logps/rejected']).toBeCloseTo((referenceLogProbs[2]! + referenceLogProbs[3]!) / 2, 4)
  })

  describe('a mix', () => {
    const parts = { rows: [...chosen, ...rejected], images: 2, rowWeights: half, referenceLogProbs: [-5, -6, -7, -8] }
    const lossOf = (settings: Readonly<Record<string, unknown>>) =>
      numbersOf(aModel(), aBatch(parts), objectiveWith({ beta: 0.3, ...settings }))['loss']!
    const sftAlone = () => lossOf({ kind: 'mpo', lossType: ['sft'], lossWeights: [1] })

    it('is the weighted sum of its parts, of which sft is the mean over the chosen answers’ tokens', () => {
      const losses = ['sigmoid', 'bco_pair', 'ipo', 'apo_zero'] as const
      const weights = [0.8, 0.2, 0.05, 1.5]
      const apart = losses.map((lossType) => lossOf({ kind: 'dpo', lossType }))
      const expected = apart.reduce((sum, loss, i) => sum + weights[i]! * loss, 0.7 * sftAlone())
      expect(lossOf({ kind: 'mpo', lossType: [...losses, 'sft'], lossWeights: [...weights, 0.7] })).toBeCloseTo(expected, 4)
      const [, ...tokens] = [0, 3, 2]
      const logs = logProbsOf(aModel(), aBatch(parts)).slice(0, 2)
      expect(sftAlone()).toBeCloseTo(-(logs[0]! + logs[1]!) / (tokens[0]! + tokens[1]!), 4)
    })

    it('of the paper is 0.8 of DPO, 0.2 of BCO and 1 of SFT', () => {
      const expected = 0.8 * lossOf({ kind: 'dpo' }) + 0.2 * lossOf({ kind: 'dpo', lossType: 'bco_pair' }) + sftAlone()
      expect(lossOf({ kind: 'mpo' })).toBeCloseTo(expected, 4)
    })

    it('DPO with an SFT term is a mix of the two', () => {
      expect(lossOf({ kind: 'dpo', rpoAlpha: 0.5 })).toBeCloseTo(lossOf({ kind: 'dpo' }) + 0.5 * sftAlone(), 4)
    })
  })

  it('length desensitising leaves the shorter answer whole and weighs the rest of the longer by α', () => {
    // The second pair's answers have 2 and 3 tokens: at α = 0 the third is as if it were not there.
    const model = aModel()
    const batch = aBatch({ rows: [chosen[1]!, rejected[1]!], images: 1, rowWeights: [1, 1] })
    const logpsAt = (ldAlpha: number) => numbersOf(model, batch, objectiveWith({ kind: 'dpo', ldAlpha }))
    const [none, half, all] = [logpsAt(0), logpsAt(0.5), logpsAt(1)]
    const shortened = { ...batch, answerMask: tf.tensor2d([1, 1, 0, 0, 1, 1, 0, 0], [2, 4]) }
    expect(none['logps/rejected']).toBeCloseTo(numbersOf(model, shortened)['logps/rejected']!, 5)
    expect(half['logps/rejected']).toBeCloseTo((none['logps/rejected']! + all['logps/rejected']!) / 2, 4)
    expect(half['logps/chosen']).toBeCloseTo(all['logps/chosen']!, 5)
  })

  it('a batch that is filled up gives the numbers of its real pairs', () => {
    const model = aModel()
    const shape = { T: 16, A: 4 }
    const reference = [-5, -6]
    const real = aBatch({ rows: [chosen[0]!, rejected[0]!], images: 1, rowWeights: [1, 1], referenceLogProbs: reference, shape })
    const patches = tf.concat([real.patches, tf.zerosLike(real.patches)], 0) as tf.Tensor3D
    const filled = aBatch({
      rows: [chosen[0]!, null, rejected[0]!, null],
      images: 2,
      rowWeights: [1, 0, 1, 0],
      referenceLogProbs: [reference[0]!, 0, reference[1]!, 0],
      shape,
    })
    const [a, b] = [numbersOf(model, real), numbersOf(model, { ...filled, patches })]
    for (const [name, value] of Object.entries(a)) expect(b[name]!, name).toBeCloseTo(value, 5)
  })

  it('swapping the answers of every pair mirrors the margin', () => {
    const model = aModel()
    const at = (rows: typeof chosen) => numbersOf(model, aBatch({ rows, images: 2, rowWeights: half }))
    const [there, back] = [at([...chosen, ...rejected]), at([...rejected, ...chosen])]
    expect(back['rewards/margins']).toBeCloseTo(-there['rewards/margins']!, 5)
    expect(back['logps/chosen']).toBeCloseTo(there['logps/rejected']!, 4)
    expect(back['rewards/accuracies']).toBeCloseTo(1 - there['rewards/accuracies']!, 6)
  })

  it('tokens of the prompt have no loss of their own, and what stands after the answer has no part', () => {
    const model = aModel()
    const batch = aBatch({ rows: [...chosen, ...rejected], images: 2, rowWeights: half })
    const before = numbersOf(model, batch)['loss']
    const spoiled = tf.where(tf.equal(batch.answerMask, 1), batch.answerIds, tf.fill([4, 4], 9, 'int32')) as tf.Tensor2D
    expect(numbersOf(model, { ...batch, answerIds: tf.cast(spoiled, 'int32') })['loss']).toBe(before)
    const afterwards = tf.where(tf.equal(batch.ids, 0), tf.fill([4, 16], 9, 'int32'), batch.ids)
    expect(numbersOf(model, { ...batch, ids: tf.cast(afterwards, 'int32') as tf.Tensor2D })['loss']).toBe(before)
  })

  it('is finite where the model is sure of itself a thousandfold', () => {
    const weights = livelyWeights(1)
    const norm = weights.languageModel['model.norm.weight']!
    const loud = {
      ...weights,
      languageModel: {
        ...weights.languageModel,
        'model.norm.weight': { ...norm, values: norm.values.map((value) => 1000 * value) },
      },
    }
    const { model } = heldModel({ spec: TINY, weights: loud })
    const found = numbersOf(model, aBatch({ rows: [...chosen, ...rejected], images: 2, rowWeights: half }))
    expect(Math.abs(found['logps/chosen']!)).toBeGreaterThan(500)
    expectFinite(Object.values(found))
  })
})
