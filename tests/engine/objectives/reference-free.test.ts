// CPO, SimPO and ORPO by their laws: on given log-probabilities, and on a tiny model without any reference.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { objectiveSchema, type ObjectiveOf } from '../../../src-main/domain/objective-config.ts'
import { createObjective } from '../../../src-main/engine/objectives/objective.ts'
import type { PairValues } from '../../../src-main/engine/objectives/pair-losses.ts'
import { logOdds, referenceFreeLosses } from '../../../src-main/engine/objectives/reference-free.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { heldModel } from '../../../src-main/jobs/held-model.ts'
import { expectClose, expectFinite } from '../../support/all-close.ts'
import { aTensor, expectSlopes } from '../../support/finite-differences.ts'
import { aBatch, aRow, livelyWeights, TINY, type BatchParts } from '../../support/tiny-model.ts'

beforeAll(() => openBackend('native'))

type Settings = Readonly<Record<string, unknown>>
const settings = (given: Settings) => objectiveSchema.parse(given) as ObjectiveOf<'cpo' | 'simpo'>
const values = (chosen: readonly number[], rejected: readonly number[]): PairValues => ({
  chosen: tf.tensor1d([...chosen]),
  rejected: tf.tensor1d([...rejected]),
})
const VARIANTS: readonly Settings[] = [
  { kind: 'cpo' },
  { kind: 'cpo', labelSmoothing: 0.2 },
  { kind: 'cpo', lossType: 'hinge' },
  { kind: 'cpo', lossType: 'ipo' },
  { kind: 'simpo' },
  { kind: 'simpo', labelSmoothing: 0.2 },
]

describe('the loss of a pair', () => {
  it('by hand', () => {
    // a − b = 3. CPO, β = ½: ℓ(1.5) = 0.2014133. Hinge, β = 0.1: 1 − 0.3. IPO, β = ½: (3 − 1)². SimPO, β = 2, γ = 5: ℓ(1).
    const of = (given: Settings) => referenceFreeLosses(values([-1], [-4]), settings(given))
    expectClose(of({ kind: 'cpo', beta: 0.5 }), [0.2014133], 1e-6)
    expectClose(of({ kind: 'cpo', beta: 0.1, lossType: 'hinge' }), [0.7], 1e-6)
    expectClose(of({ kind: 'cpo', beta: 0.5, lossType: 'ipo' }), [4], 1e-6)
    expectClose(of({ kind: 'simpo', beta: 2, simpoGamma: 5 }), [0.3132617], 1e-6)
  })

  it('of equal answers is ln 2 for CPO, and ℓ(−γ) = softplus(γ) for SimPO', () => {
    const same = values([-3, -40], [-3, -40])
    expectClose(referenceFreeLosses(same, settings({ kind: 'cpo' })), [Math.LN2, Math.LN2], 1e-6)
    expectClose(referenceFreeLosses(same, settings({ kind: 'simpo', simpoGamma: 1 })), [1.3132617, 1.3132617], 1e-6)
  })

  for (const given of VARIANTS)
    it(`${JSON.stringify(given)}: the gradient agrees with finite differences, and is finite at ±1000`, () => {
      const loss = (a: tf.Tensor, b: tf.Tensor) =>
        referenceFreeLosses({ chosen: a as tf.Tensor1D, rejected: b as tf.Tensor1D }, settings({ beta: 0.5, ...given }))
      expectSlopes((a, b) => loss(a!, b!), [aTensor([5], 'a'), aTensor([5], 'b')])
      const { chosen, rejected } = values([0, -1000, -1e-6, -100], [-1000, 0, -1e-6, -100])
      expectFinite(loss(chosen, rejected))
      for (const slope of tf.grads((a: tf.Tensor, b: tf.Tensor) => tf.sum(loss(a, b)))([chosen, rejected])) expectFinite(slope)
    })
})

describe('log odds', () => {
  it('by hand: of p = ½ they are 0, of p = 0.9 ln 9, of p = 0.1 −ln 9', () => {
    expectClose(logOdds(tf.tensor1d([Math.log(0.5), Math.log(0.9), Math.log(0.1)])), [0, Math.log(9), -Math.log(9)], 1e-6)
  })

  it('keep their digits near p = 1 and p = 0', () => {
    // l = −1e-4: 1 − e^l = 1e-4·(1 − 5e-5), so the log odds are −1e-4 − ln 1e-4 + 5e-5 = 9.2102904; far below 0 they are l.
    expectClose(logOdds(tf.tensor1d([-1e-4, -50, -1000])), [9.2102904, -50, -1000], 1e-7)
  })

  it('have the slope 1/(1 − p), and are finite with their slope at p = 1', () => {
    const l = tf.tensor1d([-0.05, -0.7, -3, -30])
    expectClose(tf.grad((x: tf.Tensor) => tf.sum(logOdds(x as tf.Tensor1D)))(l), tf.div(1, tf.sub(1, tf.exp(l))), 1e-4)
    expectFinite(logOdds(tf.tensor1d([0, -0])))
    expectFinite(tf.grad((x: tf.Tensor) => tf.sum(logOdds(x as tf.Tensor1D)))(tf.tensor1d([0, -1e-8])))
  })
})

describe('the objective', () => {
  const rows = [aRow(1), aRow(2, { answer: 1 }), aRow(3, { answer: 4 }), aRow(4)]
  const parts: BatchParts = { rows, images: 2, rowWeights: [0.5, 0.5, 0.5, 0.5] }
  const { model } = heldModelOnce()
  const numbersOf = (given: Settings, of: BatchParts = parts): Record<string, number> => {
    const { loss, metrics } = createObjective(objectiveSchema.parse(given)).loss(model(), aBatch(of))
    return Object.fromEntries(Object.entries({ loss, ...metrics }).map(([name, value]) => [name, value.dataSync()[0]!]))
  }

  for (const given of [...VARIANTS, { kind: 'orpo' }])
    describe(JSON.stringify(given), () => {
      it('asks for no reference and looks at none', () => {
        const objective = createObjective(objectiveSchema.parse(given))
        expect([objective.reference, objective.needsPairs]).toEqual([null, true])
        expect(numbersOf(given, { ...parts, referenceLogProbs: [1, 2, 3, 4] })).toEqual(numbersOf(given))
      })

      it('logs exactly the metrics that it declares', () => {
        const objective = createObjective(objectiveSchema.parse(given))
        expect(Object.keys(objective.loss(model(), aBatch(parts)).metrics).sort()).toEqual([...objective.metricNames].sort())
      })

      it('swapping the answers of every pair mirrors the margin of the rewards', () => {
        const back = numbersOf(given, { ...parts, rows: [...rows.slice(2), ...rows.slice(0, 2)] })
        expect(back['rewards/margins']).toBeCloseTo(-numbersOf(given)['rewards/margins']!, 5)
      })
    })

  it('adds the chosen answers’ mean negative log-likelihood, weighted', () => {
    const [without, withIt] = [numbersOf({ kind: 'cpo', cpoAlpha: 0 }), numbersOf({ kind: 'cpo', cpoAlpha: 0.7 })]
    expect(withIt['loss']).toBeCloseTo(without['loss']! + 0.7 * without['nll_loss']!, 4)
    const [odds, moreOdds] = [numbersOf({ kind: 'orpo', beta: 0.1 }), numbersOf({ kind: 'orpo', beta: 0.3 })]
    expect(odds['loss']).toBeCloseTo(odds['nll_loss']! - 0.1 * odds['log_odds_ratio']!, 5)
    expect(moreOdds['loss']).toBeCloseTo(odds['nll_loss']! - 0.3 * odds['log_odds_ratio']!, 5)
  })

  it('of simpo, orpo and ipo rewards are per token: an answer that is twice as long is not half as good', () => {
    const perToken = numbersOf({ kind: 'simpo', beta: 1 })
    const summed = numbersOf({ kind: 'cpo', beta: 1 })
    // The chosen answers have 3 tokens and 1, so the sums weigh as their lengths do.
    expect(summed['logps/chosen']! / perToken['logps/chosen']!).toBeGreaterThan(1.2)
    expect(perToken['rewards/chosen']).toBeCloseTo(perToken['logps/chosen']!, 6)
  })
})

function heldModelOnce() {
  let held: ReturnType<typeof heldModel> | undefined
  return { model: () => (held ??= heldModel({ spec: TINY, weights: livelyWeights(1) })).model }
}
