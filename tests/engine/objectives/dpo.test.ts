// DPO by its laws: the loss alone on given log-probabilities, then the whole objective on a tiny model.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { dpo, dpoLosses, type PairLogProbs } from '../../../src-main/engine/objectives/dpo.ts'
import type { Batch } from '../../../src-main/engine/objectives/objective.ts'
import { answerLogits, imageFeatures, imageTokens, type MultimodalLm } from '../../../src-main/engine/models/multimodal-lm.ts'
import { answerLogProbs, tokenLogProbs } from '../../../src-main/engine/objectives/log-probs.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { heldModel } from '../../../src-main/jobs/held-model.ts'
import { expectClose, expectFinite } from '../../support/all-close.ts'
import { aTensor, expectSlopes } from '../../support/finite-differences.ts'
import { aBatch, aRow, livelyWeights, TINY } from '../../support/tiny-model.ts'

beforeAll(() => openBackend('native'))

const pair = (chosen: readonly number[], rejected: readonly number[]): PairLogProbs => ({
  chosen: tf.tensor1d([...chosen]),
  rejected: tf.tensor1d([...rejected]),
})
/** Pairs whose margin, before β, is as given. */
const withMargins = (...margins: number[]) =>
  pair(
    margins,
    margins.map(() => 0),
  )
const zeros = (count: number) => pair(new Array<number>(count).fill(0), new Array<number>(count).fill(0))

describe('the loss of a pair', () => {
  it('is ln 2 with zero rewards where the policy is the reference', () => {
    const both = pair([-3, -40], [-7, -1])
    for (const labelSmoothing of [0, 0.2]) {
      const { losses, chosenRewards, rejectedRewards, margins } = dpoLosses(both, both, 0.1, labelSmoothing)
      expectClose(losses, [Math.LN2, Math.LN2], 1e-7)
      for (const zero of [chosenRewards, rejectedRewards, margins]) expect(Array.from(zero.dataSync())).toEqual([0, 0])
    }
  })

  it('of margins 0, 1, 2 is softplus(−m), by hand', () => {
    // softplus(0) = ln 2 = 0.6931472; softplus(−1) = ln(1 + e⁻¹) = ln 1.3678794 = 0.3132617;
    // softplus(−2) = ln(1 + e⁻²) = ln 1.1353353 = 0.1269280. Their mean is 1.1333369 / 3 = 0.3777790.
    const { losses } = dpoLosses(withMargins(0, 1, 2), zeros(3), 1)
    expectClose(losses, [0.6931472, 0.3132617, 0.126928], 1e-6)
    expectClose(tf.mean(losses), [0.377779], 1e-6)
  })

  it('takes rewards against the reference, times β', () => {
    // chosen 0.1·(−3 − (−5)) = 0.2; rejected 0.1·(−4 − (−1)) = −0.3; margin 0.5
    const { chosenRewards, rejectedRewards, margins } = dpoLosses(pair([-3], [-4]), pair([-5], [-1]), 0.1)
    expectClose(chosenRewards, [0.2], 1e-7)
    expectClose(rejectedRewards, [-0.3], 1e-7)
    expectClose(margins, [0.5], 1e-7)
  })

  it('is finite at margins of ±1000, and so is its gradient', () => {
    const margins = withMargins(1000, -1000)
    expectClose(dpoLosses(margins, zeros(2), 1).losses, [0, 1000], 1e-7)
    expectClose(dpoLosses(margins, zeros(2), 1, 0.25).losses, [250, 750], 1e-7)
    const slope = tf.grad((chosen: tf.Tensor) =>
      tf.sum(dpoLosses({ ...margins, chosen: chosen as tf.Tensor1D }, zeros(2), 1).losses),
    )
    expectClose(slope(margins.chosen), [0, -1], 1e-6)
  })

  it('has the gradient −β·σ(−m) by the chosen and +β·σ(−m) by the rejected log-probability', () => {
    const beta = 0.3
    const [chosen, rejected] = [aTensor([5], 'chosen', 5), aTensor([5], 'rejected', 5)]
    const loss = (a: tf.Tensor, b: tf.Tensor) =>
      dpoLosses({ chosen: a as tf.Tensor1D, rejected: b as tf.Tensor1D }, zeros(5), beta).losses
    const [byChosen, byRejected] = tf.grads((a: tf.Tensor, b: tf.Tensor) => tf.sum(loss(a, b)))([chosen, rejected])
    const expected = tf.mul(tf.sigmoid(tf.mul(tf.sub(chosen, rejected), -beta)), beta)
    expectClose(byChosen!, tf.neg(expected), 1e-6)
    expectClose(byRejected!, expected, 1e-6)
    expectSlopes((a, b) => loss(a!, b!), [chosen, rejected])
  })

  it('with label smoothing ε is that of swapped answers with 1 − ε', () => {
    const [policy, reference] = [pair([-2, -9], [-6, -3]), pair([-4, -4], [-4, -5])]
    const swapped = (of: PairLogProbs): PairLogProbs => ({ chosen: of.rejected, rejected: of.chosen })
    for (const epsilon of [0, 0.1, 0.4])
      expectClose(
        dpoLosses(policy, reference, 0.5, epsilon).losses,
        dpoLosses(swapped(policy), swapped(reference), 0.5, 1 - epsilon).losses,
        1e-6,
      )
    // (1 − 0.1)·softplus(−1) + 0.1·softplus(1) = 0.9·0.3132617 + 0.1·1.3132617
    expectClose(dpoLosses(withMargins(1), zeros(1), 1, 0.1).losses, [0.4132617], 1e-6)
  })

  it('says so where a log-probability is not a number', () => {
    expect(Array.from(dpoLosses(withMargins(Number.NaN, 1), zeros(2), 1).losses.dataSync(), Number.isNaN)).toEqual([true, false])
  })
})

describe('the objective', () => {
  const objective = dpo({ beta: 0.1, labelSmoothing: 0 })
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
  const numbersOf = (model: MultimodalLm, batch: Batch): Record<string, number> => {
    const { loss, metrics } = objective.loss(model, batch)
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
