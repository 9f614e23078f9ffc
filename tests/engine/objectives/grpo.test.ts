// GRPO by its laws: the loss of tokens by hand, at extremes and against finite differences; and the weights of the variants.

import * as tf from '@tensorflow/tfjs'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { objectiveSchema, type ObjectiveOf } from '../../../src-main/domain/objective-config.ts'
import { imageFeatures, imageTokens, type MultimodalLm } from '../../../src-main/engine/models/multimodal-lm.ts'
import { grpoRowWeight, grpoTokenLosses, sampledLogProbs } from '../../../src-main/engine/objectives/grpo.ts'
import { createObjective, type Batch } from '../../../src-main/engine/objectives/objective.ts'
import { trainableModel } from '../../../src-main/engine/train-step.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { heldModel } from '../../../src-main/jobs/held-model.ts'
import { expectClose, expectFinite } from '../../support/all-close.ts'
import { aTensor, expectSlopes } from '../../support/finite-differences.ts'
import { runner } from '../../support/step-runner.ts'
import { aBatch, aRow, aTraining, livelyWeights, TINY } from '../../support/tiny-model.ts'

beforeAll(() => openBackend('native'))
afterEach(() => tf.disposeVariables())

const settings = (given: Readonly<Record<string, unknown>> = {}) => objectiveSchema.parse({ kind: 'grpo', ...given }) as ObjectiveOf<'grpo'>
const row = (...values: number[]) => tf.tensor2d([values])

describe('the loss of a token', () => {
  const of = (logRatio: number, advantage: number, given = {}) => {
    const { losses, isClippedLow, isClippedHigh } = grpoTokenLosses(row(logRatio), row(0), null, tf.tensor1d([advantage]), settings(given))
    return [losses.dataSync()[0]!, isClippedLow.dataSync()[0], isClippedHigh.dataSync()[0]] as const
  }
  const ln = Math.log

  it('by hand: −min(ρ·A, clip(ρ)·A) with ε = 0.2', () => {
    expect(of(0, 2)).toEqual([-2, 0, 0])
    // A better answer that became 1.5 times as likely counts as 1.2 times; one that became half as likely counts in full.
    expect(of(ln(1.5), 2)[0]).toBeCloseTo(-2.4, 5)
    expect(of(ln(0.5), 2)[0]).toBeCloseTo(-1, 5)
    // A worse answer that became half as likely counts as 0.8 times; one that became likelier counts in full.
    expect(of(ln(0.5), -1)[0]).toBeCloseTo(0.8, 5)
    expect(of(ln(1.5), -1)[0]).toBeCloseTo(1.5, 5)
    expect([of(ln(1.5), 2)[2], of(ln(0.5), -1)[1], of(ln(0.5), 2)[1], of(ln(1.5), -1)[2]]).toEqual([1, 1, 0, 0])
  })

  it('has a limit of its own upwards', () => {
    expect(of(ln(1.5), 2, { epsilonHigh: 0.4 })[0]).toBeCloseTo(-2.8, 5)
    expect(of(ln(0.5), -1, { epsilonHigh: 0.4 })[0]).toBeCloseTo(0.8, 5)
  })

  it('k₃ is 0 where the policy is the reference and e^d − d − 1 elsewhere, never negative', () => {
    const k3 = (d: number) => grpoTokenLosses(row(0), row(0), row(d), tf.tensor1d([0]), settings({ beta: 1 })).kl!.dataSync()[0]!
    expect(k3(0)).toBe(0)
    expect(k3(1)).toBeCloseTo(Math.E - 2, 5)
    expect(k3(-1)).toBeCloseTo(1 / Math.E, 5)
  })

  it('the KL estimate of equal policy and old weights is k₃ with the gradient of the KL divergence', () => {
    // d/dlog πθ of k₃ = e^d − d − 1 is 1 − e^d; of ρ·k₃ it is k₃ + 1 − e^d = −d: log πθ − log πref, the KL's own.
    const slope = (useBiasCorrectionKl: boolean) => {
      const kl = (x: tf.Tensor) => grpoTokenLosses(x as tf.Tensor2D, row(0), row(0.5), tf.tensor1d([0]), settings({ useBiasCorrectionKl })).kl!
      return tf.grad((x: tf.Tensor) => tf.sum(kl(x)))(row(0)).dataSync()[0]!
    }
    expect(slope(true)).toBeCloseTo(-0.5, 5)
    expect(slope(false)).toBeCloseTo(1 - Math.exp(0.5), 5)
  })

  it('is finite, with its gradient, where the policy is ±1000 from either', () => {
    const policy = row(0, 1000, -1000, 100, -100)
    const zero = tf.zerosLike(policy) as tf.Tensor2D
    for (const advantage of [1, -1]) {
      const loss = (x: tf.Tensor) => grpoTokenLosses(x as tf.Tensor2D, zero, zero, tf.tensor1d([advantage]), settings()).losses
      expectFinite(loss(policy))
      expectFinite(tf.grad((x: tf.Tensor) => tf.sum(loss(x)))(policy))
    }
  })

  it('has the gradient −A at equal weights, and agrees with finite differences', () => {
    const [policy, advantages] = [aTensor([3, 4], 'policy', 0.3), tf.tensor1d([1, -2, 0.5])]
    const same = tf.grad((x: tf.Tensor) => tf.sum(grpoTokenLosses(x as tf.Tensor2D, tf.clone(policy) as tf.Tensor2D, null, advantages, settings()).losses))(tf.clone(policy))
    expectClose(same, tf.mul(tf.onesLike(policy), tf.reshape(tf.neg(advantages), [3, 1])), 1e-6)
    const [old, reference] = [aTensor([3, 4], 'old', 0.05) as tf.Tensor2D, aTensor([3, 4], 'reference', 0.3) as tf.Tensor2D]
    // Far from the corners of the clipping, where there is no slope.
    const inside = tf.mul(policy, 0.2)
    expectSlopes((x) => grpoTokenLosses(x as tf.Tensor2D, old, reference, advantages, settings({ beta: 0.5, epsilon: 0.9 })).losses, [inside])
  })
})

describe('the weight of a row', () => {
  it('makes the mean over answers, over tokens, or by a constant', () => {
    const lengths = [2, 6]
    expect(grpoRowWeight(settings(), lengths)).toBe(1 / 2)
    expect(grpoRowWeight(settings({ lossType: 'dapo' }), lengths)).toBe(1 / 8)
    expect(grpoRowWeight(settings({ lossType: 'dr_grpo', maxCompletionLength: 10 }), lengths)).toBe(1 / 20)
  })
})

describe('the objective', () => {
  const rows = [aRow(1), aRow(2, { answer: 2 }), aRow(3, { answer: 4 }), aRow(4)]
  const lengths = [3, 2, 4, 3]
  const logProbsOf = (model: MultimodalLm, batch: Batch, temperature = 1) =>
    tf.tidy(() => sampledLogProbs(model, batch, imageTokens(model, imageFeatures(model, batch.patches)), temperature).logProbs)
  const batchFor = (config: ObjectiveOf<'grpo'>, extra: Partial<NonNullable<Batch['sampled']>> = {}): Batch => ({
    ...aBatch({ rows, images: 2, rowWeights: rows.map(() => grpoRowWeight(config, lengths)) }),
    sampled: { advantages: tf.tensor1d([1, -1, 0.5, -0.5]), share: tf.scalar(1), ...extra },
  })
  const numbersOf = (config: ObjectiveOf<'grpo'>, batch: Batch, { model } = heldModel({ spec: TINY, weights: livelyWeights(1) })) => {
    const { loss, metrics } = createObjective(config).loss(model, batch)
    return Object.fromEntries(Object.entries({ loss, ...metrics }).map(([name, value]) => [name, value.dataSync()[0]!]))
  }

  it('at the weights that drew the answers is minus the weighted mean advantage: its value says nothing, its gradient all', () => {
    const [grpo, dapo] = [settings({ beta: 0 }), settings({ beta: 0, lossType: 'dapo' })]
    expect(numbersOf(grpo, batchFor(grpo))['loss']).toBeCloseTo(0, 6)
    // (3·1 − 2·1 + 4·½ − 3·½)/12 tokens
    expect(numbersOf(dapo, batchFor(dapo))['loss']).toBeCloseTo(-1.5 / 12, 6)
  })

  it('logs exactly the metrics that it declares', () => {
    for (const beta of [0, 0.1]) {
      const config = settings({ beta })
      const { model } = heldModel({ spec: TINY, weights: livelyWeights(1) })
      const batch = batchFor(config, beta === 0 ? {} : { referenceLogProbs: tf.zeros([4, 4]) })
      expect(Object.keys(createObjective(config).loss(model, batch).metrics)).toEqual(createObjective(config).metricNames)
    }
  })

  it('without advantages moves nothing; with them the better answer becomes likelier', () => {
    const config = settings({ beta: 0 })
    const training = aTraining({ objective: config, learningRate: 1e-3 })
    const stepWith = (advantages: readonly number[]) => {
      const trainable = trainableModel(TINY, livelyWeights(1), training)
      const batch = batchFor(config, { advantages: tf.tensor1d([...advantages]) })
      const sums = () => Array.from(tf.sum(tf.mul(logProbsOf(trainable.model, batch), batch.answerMask), -1).dataSync())
      const before = sums()
      const norm = runner(trainable, training)(1, batch)['grad_norm']!
      return { norm, moved: sums().map((value, r) => value - before[r]!) }
    }
    expect(stepWith([0, 0, 0, 0]).norm).toBe(0)
    const { moved } = stepWith([1, 0, -1, 0])
    expect(moved[0]!).toBeGreaterThan(0)
    expect(moved[2]!).toBeLessThan(0)
  })

  it('old log-probabilities equal to the policy’s change nothing, and old ones far below clip', () => {
    const config = settings({ beta: 0, numIterations: 2 })
    const held = heldModel({ spec: TINY, weights: livelyWeights(1) })
    const logProbs = logProbsOf(held.model, batchFor(config))
    const [bare, equal] = [numbersOf(config, batchFor(config), held), numbersOf(config, batchFor(config, { oldLogProbs: logProbs }), held)]
    for (const [name, value] of Object.entries(bare)) expect(equal[name], name).toBeCloseTo(value, 5)
    const far = numbersOf(config, batchFor(config, { oldLogProbs: tf.sub(logProbs, 1) }), held)
    // Every token has become e times as likely: those of the answers with A > 0 are clipped, 7 of 12.
    expect(far['clip_ratio/high_mean']).toBeCloseTo(7 / 12, 5)
    expect(far['clip_ratio/low_mean']).toBe(0)
  })

  it('padding has no part', () => {
    const config = settings({ beta: 0.1 })
    const held = heldModel({ spec: TINY, weights: livelyWeights(1) })
    const reference = logProbsOf(held.model, batchFor(config))
    const spoiled = tf.where(tf.equal(batchFor(config).answerMask, 1), reference, tf.fill([4, 4], 7)) as tf.Tensor2D
    const at = (referenceLogProbs: tf.Tensor2D) => numbersOf(config, batchFor(config, { referenceLogProbs }), held)
    expect(at(spoiled)).toEqual(at(reference))
    expect(at(reference)['kl']).toBeCloseTo(0, 6)
  })
})

