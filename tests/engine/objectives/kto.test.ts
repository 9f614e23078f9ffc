// KTO by its laws: the losses on given rewards, the drift from mismatched answers, and that the drift carries no gradient.

import * as tf from '@tensorflow/tfjs'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { objectiveSchema, type ObjectiveOf } from '../../../src-main/domain/objective-config.ts'
import { imageFeatures, imageTokens, type MultimodalLm } from '../../../src-main/engine/models/multimodal-lm.ts'
import { ktoLosses } from '../../../src-main/engine/objectives/kto.ts'
import { rowLogProbs } from '../../../src-main/engine/objectives/log-probs.ts'
import { createObjective, type Batch } from '../../../src-main/engine/objectives/objective.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { heldModel } from '../../../src-main/jobs/held-model.ts'
import { expectClose, expectFinite } from '../../support/all-close.ts'
import { aTensor, expectSlopes } from '../../support/finite-differences.ts'
import { aBatch, aRow, aTraining, livelyWeights, TINY } from '../../support/tiny-model.ts'
import { runner } from '../../support/step-runner.ts'
import { trainableModel } from '../../../src-main/engine/train-step.ts'

beforeAll(() => openBackend('native'))
afterEach(() => tf.disposeVariables())

const settings = (given: Readonly<Record<string, unknown>> = {}) => objectiveSchema.parse({ kind: 'kto', ...given }) as ObjectiveOf<'kto'>
const rewards = (chosen: readonly number[], rejected: readonly number[]) => ({ chosen: tf.tensor1d([...chosen]), rejected: tf.tensor1d([...rejected]) })

describe('the losses', () => {
  it('by hand', () => {
    // chosen 1.5·(1 − σ(2 − 1)) = 1.5·0.2689414; rejected 0.5·(1 − σ(1 − (−0.5))) = 0.5·(1 − σ(1.5)) = 0.5·0.1824255
    const { chosen, rejected } = ktoLosses(rewards([2], [-0.5]), tf.scalar(1), settings({ desirableWeight: 1.5, undesirableWeight: 0.5 }))
    expectClose(chosen, [0.4034121], 1e-6)
    expectClose(rejected, [0.0912128], 1e-6)
  })

  it('are finite at rewards of ±1000, and their gradients agree with finite differences', () => {
    const extremes = [0, 1000, -1000, 100, -100]
    const { chosen, rejected } = ktoLosses(rewards(extremes, extremes), tf.scalar(1000), settings())
    expectFinite(chosen)
    expectFinite(rejected)
    expectSlopes(
      (a, b) => {
        const losses = ktoLosses({ chosen: a as tf.Tensor1D, rejected: b as tf.Tensor1D }, tf.scalar(0.3), settings({ desirableWeight: 2 }))
        return tf.add(losses.chosen, losses.rejected)
      },
      [aTensor([5], 'chosen'), aTensor([5], 'rejected')],
    )
  })
})

describe('the objective', () => {
  const [chosen, rejected] = [
    [aRow(1), aRow(2, { answer: 2 })],
    [aRow(3, { answer: 4 }), aRow(4)],
  ]
  const half = [0.5, 0.5, 0.5, 0.5]
  const rows = [...chosen, ...rejected]
  const others = [5, 6, 7, 8].map((seed) => aRow(seed))
  const logProbsOf = (model: MultimodalLm, batch: Batch) =>
    Array.from(tf.tidy(() => rowLogProbs(model, batch, imageTokens(model, imageFeatures(model, batch.patches)))).dataSync())
  /** `drift`: by how much the policy gives the mismatched answers more than the reference did; of the own ones it gives the same. */
  function batchWith(model: MultimodalLm, drift: number): Batch {
    const batch = aBatch({ rows, images: 2, rowWeights: half })
    const mismatched = aBatch({ rows: others, images: 2, rowWeights: half })
    return {
      ...batch,
      referenceLogProbs: tf.tensor1d(logProbsOf(model, batch)),
      mismatched: { ...mismatched, referenceLogProbs: tf.tensor1d(logProbsOf(model, { ...mismatched, patches: batch.patches }).map((value) => value - drift)) },
    }
  }
  const numbersOf = (drift: number, given = {}): Record<string, number> => {
    const { model } = heldModel({ spec: TINY, weights: livelyWeights(1) })
    const { loss, metrics } = createObjective(settings(given)).loss(model, batchWith(model, drift))
    return Object.fromEntries(Object.entries({ loss, ...metrics }).map(([name, value]) => [name, value.dataSync()[0]!]))
  }

  it('is ½ where the policy is the reference, for any β, as all rewards and the drift are 0', () => {
    for (const beta of [0.1, 5]) {
      const found = numbersOf(0, { beta })
      expect(found['loss']).toBeCloseTo(0.5, 5)
      expect(found['kl']).toBeCloseTo(0, 4)
    }
  })

  it('z₀ is the mean drift of mismatched answers, never below 0', () => {
    expect(numbersOf(3)['kl']).toBeCloseTo(3, 4)
    expect(numbersOf(-3)['kl']).toBe(0)
    // All rewards 0, βz₀ = 0.3: ½·(1 − σ(−0.3)) + ½·(1 − σ(0.3)) = ½; with λ_D = 2: (2·0.5744425 + 0.4255575)/2.
    expect(numbersOf(3)['loss']).toBeCloseTo(0.5, 5)
    expect(numbersOf(3, { desirableWeight: 2 })['loss']).toBeCloseTo(0.7872213, 5)
    expect(numbersOf(3, { lossType: 'apo_zero_unpaired', desirableWeight: 2 })['loss']).toBeCloseTo(0.75, 5)
  })

  it('logs exactly the metrics that it declares', () => {
    for (const lossType of ['kto', 'apo_zero_unpaired'])
      expect(Object.keys(numbersOf(0, { lossType }))).toEqual(['loss', ...createObjective(settings({ lossType })).metricNames])
  })

  it('the mismatched answers move the weights through z₀ alone: at equal z₀ the step is the same, bit for bit', () => {
    const training = aTraining({ objective: { kind: 'kto' } })
    const after = (change: (batch: Batch) => Batch) => {
      const trainable = trainableModel(TINY, livelyWeights(1), training)
      const found = runner(trainable, training)(1, change(batchWith(trainable.model, -3)))
      return [found, Object.values(trainable.variables).map((variable) => Array.from(variable.dataSync()))]
    }
    // With a negative drift z₀ is 0 whichever answers they are.
    const unchanged = after((batch) => batch)
    const exchanged = after((batch) => ({ ...batch, mismatched: { ...batch.mismatched!, answerIds: tf.mul(batch.mismatched!.answerMask, 9).toInt() as tf.Tensor2D, referenceLogProbs: tf.fill([4], 0) } }))
    expect(exchanged).toEqual(unchanged)
  })
})
