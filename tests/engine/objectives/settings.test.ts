// Every setting of every objective: one that is changed changes the loss. The settings are walked off the schema, so that a
// new one without a case fails here.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { objectiveSchema } from '../../../src-main/domain/objective-config.ts'
import { createObjective, type Batch } from '../../../src-main/engine/objectives/objective.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { heldModel } from '../../../src-main/jobs/held-model.ts'
import { aBatch, aRow, livelyWeights, TINY } from '../../support/tiny-model.ts'

beforeAll(() => openBackend('native'))

type Settings = Readonly<Record<string, unknown>>
/** By kind: what a change starts from where not from the defaults, and the change. */
const pairChanges: Readonly<Record<string, readonly [from: Settings, to: Settings]>> = {
  beta: [{}, { beta: 0.4 }],
  labelSmoothing: [{}, { labelSmoothing: 0.2 }],
  fDivergenceType: [{}, { fDivergenceType: 'js_divergence' }],
  fAlphaDivergenceCoef: [{ fDivergenceType: 'alpha_divergence' }, { fDivergenceType: 'alpha_divergence', fAlphaDivergenceCoef: 0.1 }],
  ldAlpha: [{}, { ldAlpha: 0.5 }],
}
const CHANGES: Readonly<Record<string, Readonly<Record<string, readonly [from: Settings, to: Settings]>>>> = {
  'caption-words': {},
  text: {},
  sft: {},
  dpo: {
    ...pairChanges,
    lossType: [{}, { lossType: 'ipo' }],
    discopopTau: [{ lossType: 'discopop' }, { lossType: 'discopop', discopopTau: 0.5 }],
    rpoAlpha: [{}, { rpoAlpha: 0.5 }],
  },
  mpo: {
    ...Object.fromEntries(
      Object.entries(pairChanges).map(([name, [from, to]]) => {
        const mix = { lossType: ['sigmoid', 'sft'], lossWeights: [1, 0.1] }
        return [name, [{ ...mix, ...from }, { ...mix, ...to }] as const]
      }),
    ),
    lossType: [{}, { lossType: ['hinge', 'bco_pair', 'sft'] }],
    lossWeights: [{}, { lossWeights: [0.8, 0.4, 1] }],
    discopopTau: [
      { lossType: ['discopop'], lossWeights: [1] },
      { lossType: ['discopop'], lossWeights: [1], discopopTau: 0.5 },
    ],
  },
  simpo: {
    beta: [{}, { beta: 1 }],
    simpoGamma: [{}, { simpoGamma: 1 }],
    labelSmoothing: [{}, { labelSmoothing: 0.2 }],
    cpoAlpha: [{}, { cpoAlpha: 0.5 }],
  },
  cpo: {
    lossType: [{}, { lossType: 'hinge' }],
    beta: [{}, { beta: 1 }],
    labelSmoothing: [{}, { labelSmoothing: 0.2 }],
    cpoAlpha: [{}, { cpoAlpha: 0.5 }],
  },
  orpo: { beta: [{}, { beta: 1 }] },
  kto: {
    lossType: [{}, { lossType: 'apo_zero_unpaired' }],
    beta: [{}, { beta: 1 }],
    desirableWeight: [{}, { desirableWeight: 2 }],
    undesirableWeight: [{}, { undesirableWeight: 2 }],
  },
  grpo: {
    temperature: [{}, { temperature: 0.5 }],
    beta: [{}, { beta: 0.5 }],
    epsilon: [{}, { epsilon: 0.05 }],
    epsilonHigh: [{}, { epsilonHigh: 1.5 }],
    useBiasCorrectionKl: [{}, { useBiasCorrectionKl: false }],
    lossType: [{}, { lossType: 'dapo' }],
  },
}
/** GRPO's settings that decide which answers are drawn and what they are worth: the job's, and tried there. */
const OF_THE_DRAW = ['reward', 'numberTolerance', 'numGenerations', 'maxCompletionLength', 'topP', 'numIterations', 'scaleRewards']

for (const { shape } of objectiveSchema.options) {
  const kind = shape.kind.value
  describe(kind, () => {
    it('the cases are the settings that there are', () => {
      expect(Object.keys(CHANGES[kind] ?? {}).sort()).toEqual(Object.keys(shape).filter((name) => name !== 'kind' && !(kind === 'grpo' && OF_THE_DRAW.includes(name))).sort())
    })

    for (const [setting, [from, to]] of Object.entries(CHANGES[kind] ?? {}))
      it(setting, () => {
        const [before, after] = [lossOf({ kind, ...from }), lossOf({ kind, ...to })]
        expect(Number.isFinite(before) && Number.isFinite(after)).toBe(true)
        expect(Math.abs(after - before)).toBeGreaterThan(1e-4)
      })
  })
}

/** Of two pairs whose answers differ in length, against a reference that finds other answers likely. */
function lossOf(settings: Settings): number {
  const rows = [aRow(1), aRow(2, { answer: 1 }), aRow(3, { answer: 4 }), aRow(4)]
  const mismatched = [5, 6, 7, 8].map((seed) => aRow(seed))
  const rowWeights = [0.5, 0.5, 0.5, 0.5]
  return tf.tidy(() => {
    const { model } = heldModel({ spec: TINY, weights: livelyWeights(1) })
    const batch: Batch = {
      ...aBatch({ rows, images: 2, rowWeights, referenceLogProbs: [-10, -3, -14, -9] }),
      mismatched: aBatch({ rows: mismatched, images: 2, rowWeights, referenceLogProbs: [-20, -20, -20, -20] }),
      // Far from the policy's own on both sides, so that tokens are clipped.
      sampled: { advantages: tf.tensor1d([1, -1, 0.5, -2]), share: tf.scalar(1), oldLogProbs: tf.fill([4, 4], -5), referenceLogProbs: tf.fill([4, 4], -2) },
    }
    return createObjective(objectiveSchema.parse(settings)).loss(model, batch).loss.dataSync()[0]!
  })
}
