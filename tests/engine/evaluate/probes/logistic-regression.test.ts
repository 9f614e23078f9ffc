// Reference values: SciPy 1.17 (L-BFGS-B at gtol 1e-11 on the written objective) and scikit-learn 1.9 for two classes.

import * as tf from '@tensorflow/tfjs'
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRandom } from '../../../../src-main/domain/random.ts'
import type { Matrix } from '../../../../src-main/engine/evaluate/measures/matrix.ts'
import {
  fitLogisticRegression,
  logProbabilities,
  predict,
  probabilities,
  sweepLambda,
  type LambdaSweep,
} from '../../../../src-main/engine/evaluate/probes/logistic-regression.ts'
import { refusal } from '../../../support/refusal.ts'

const data = (n: number, d: number, K: number) => {
  const values = Float64Array.from({ length: n * d }, (_, at) => {
    const [i, j] = [Math.floor(at / d), at % d]
    return Math.sin((i + 1) * (j + 2) * 0.7 + j) * (1 + (j % 3)) + 2
  })
  const labels = Int32Array.from(
    { length: n },
    (_, i) => ((values[i * d]! > 2 ? 1 : 0) + (values[i * d + 1]! > 2.3 ? 2 : 0) + (i % 7 === 0 ? 1 : 0)) % K,
  )
  return { features: { rows: n, columns: d, values } satisfies Matrix, labels }
}
const clouds = (n: number, d: number, K: number, seed: number, spread = 1) => {
  const [centre, random] = [createRandom(1, 'centres'), createRandom(seed)]
  const centres = Float64Array.from({ length: K * d }, () => centre.normal())
  const labels = Int32Array.from({ length: n }, () => random.integer(K))
  return {
    features: {
      rows: n,
      columns: d,
      values: Float32Array.from(
        { length: n * d },
        (_, at) => centres[labels[Math.floor(at / d)]! * d + (at % d)]! + spread * random.normal(),
      ),
    },
    labels,
  }
}
beforeAll(() => tf.setBackend('cpu'))

function finish<Progress, Result>(generator: Generator<Progress, Result>): { events: Progress[]; result: Result } {
  const events: Progress[] = []
  for (;;) {
    const { done, value } = generator.next()
    if (done) return { events, result: value as Result }
    events.push(value as Progress)
  }
}

describe('logistic regression', () => {
  it.each([
    [60, 5, 4, 100, 69.5600617678185, [0.2665315100433838, 0.4510660743538881, 0.17462594749801863, 0.10777646810470949]],
    [60, 5, 4, 1, 37.08030023812495, [0.11345607094603859, 0.7226243300655905, 0.16050094062429884, 0.0034186583640720787]],
    [60, 5, 4, 0.01, 32.27448250496865, [0.05201083062456107, 0.8264849603683895, 0.12150048705136758, 3.721955681899291e-6]],
    [20, 30, 3, 100, 16.750726218676935, [0.3505912140951183, 0.4127320389751817, 0.23667674692969995]],
    [20, 30, 3, 1, 4.614050022476047, [0.04839979907166877, 0.1785006165892557, 0.7730995843390756]],
    [20, 30, 3, 0.01, 0.3531179797648651, [0.0017119969801407625, 0.006215557802584724, 0.9920724452172746]],
  ])("reaches SciPy's optimum: %d items of %d features, %d classes, λ %d", (n, d, K, lambda, objective, first) => {
    const { features, labels } = data(n, d, K)
    const model = fitLogisticRegression(features, labels, lambda)
    expect(model).toMatchObject({ converged: true, precision: 'double' })
    expect(model.objective / objective).toBeCloseTo(1, 9)
    first.forEach((expected, k) => expect(Math.abs(probabilities(model, features).values[k]! - expected)).toBeLessThan(3e-6))
  })

  it("two classes: the difference of the rows is scikit-learn's coef_, of the intercepts its intercept_", () => {
    const { features, labels } = data(50, 4, 2)
    const model = fitLogisticRegression(features, labels, 1 / 5)
    ;[2.2296936102844946, -0.20186137202881468, 0.24781070408840028, 0.0932138170607226].forEach((expected, j) =>
      expect(model.weights.values[4 + j]! - model.weights.values[j]!).toBeCloseTo(expected, 4),
    )
    expect(model.intercepts[1]! - model.intercepts[0]!).toBeCloseTo(-4.794814015921333, 4)
    expect(probabilities(model, features).values[1]).toBeCloseTo(0.8026333438553429, 5)
  })

  it('at the optimum the gradient is 0: λW = Σ (onehot − p)·xᵀ, and the intercepts match the class counts', () => {
    const { features, labels } = clouds(90, 6, 3, 2, 3)
    const model = fitLogisticRegression(features, labels, 0.5)
    const p = probabilities(model, features).values
    const gradient = Float64Array.from(model.weights.values, (w) => 0.5 * w)
    const excess = new Float64Array(3)
    for (let i = 0; i < 90; i++)
      for (let k = 0; k < 3; k++) {
        const residual = p[i * 3 + k]! - (labels[i] === k ? 1 : 0)
        excess[k]! += residual
        for (let j = 0; j < 6; j++) gradient[k * 6 + j]! += residual * features.values[i * 6 + j]!
      }
    expect(Math.max(...gradient.map(Math.abs), ...excess.map(Math.abs))).toBeLessThan(1e-4)
  })

  it('λ → ∞ leaves the class shares', () => {
    const { features, labels } = data(60, 5, 4)
    const p = probabilities(fitLogisticRegression(features, labels, 1e9), features).values
    ;[18, 21, 9, 12].forEach((count, k) => expect(p[k]).toBeCloseTo(count / 60, 6))
  })

  it('does not care for a common offset of the features, and an offset of 1e4 costs no convergence', () => {
    const { features, labels } = data(60, 5, 4)
    const moved: Matrix = { ...features, values: features.values.map((value) => value + 1e4) }
    const [here, there] = [fitLogisticRegression(features, labels, 1), fitLogisticRegression(moved, labels, 1)]
    expect(there.converged).toBe(true)
    expect(there.objective).toBeCloseTo(here.objective, 6)
  })

  it('stays finite on separable classes, ±100 features, and logits in the thousands', () => {
    const features: Matrix = { rows: 4, columns: 1, values: Float32Array.of(-100, -99, 99, 100) }
    const model = fitLogisticRegression(features, [0, 0, 1, 1], 1e-6)
    expect([...predict(model, features)]).toEqual([0, 0, 1, 1])
    const far = logProbabilities(model, { rows: 2, columns: 1, values: Float64Array.of(-1e6, 1e6) })
    expect(far.values.every(Number.isFinite)).toBe(true)
    expect(far.values[1]).toBeLessThan(-1000)
  })

  it('labels may be any integers, and those that never occur are never said', () => {
    const { features, labels } = clouds(60, 4, 3, 4)
    const renamed = labels.map((label) => [-7, 12, 900][label]!)
    const [plain, named] = [
      predict(fitLogisticRegression(features, labels, 1), features),
      predict(fitLogisticRegression(features, renamed, 1), features),
    ]
    expect([...named]).toEqual([...plain].map((label) => [-7, 12, 900][label]))
  })

  it('a constant feature gets no weight, and identical items are no obstacle', () => {
    const features: Matrix = { rows: 4, columns: 2, values: Float64Array.of(0.1, 1, 0.1, 1, 0.1, 2, 0.1, 2) }
    const model = fitLogisticRegression(features, [0, 0, 1, 1], 1)
    expect(Math.abs(model.weights.values[0]!)).toBeLessThan(1e-9)
    const same = fitLogisticRegression({ rows: 3, columns: 1, values: Float64Array.of(5, 5, 5) }, [0, 1, 1], 1)
    expect(probabilities(same, { rows: 1, columns: 1, values: Float64Array.of(5) }).values[1]).toBeCloseTo(2 / 3, 6)
  })

  it('the same input gives the same bits', () => {
    const { features, labels } = clouds(80, 5, 3, 6)
    expect(fitLogisticRegression(features, labels, 0.1)).toEqual(fitLogisticRegression(features, labels, 0.1))
  })

  it('refuses one class, λ 0, NaN, labels that are no integers or not one an item', () => {
    const { features, labels } = data(20, 3, 2)
    const broken: Matrix = { ...features, values: features.values.map((value, i) => (i === 4 ? NaN : value)) }
    for (const call of [
      () => fitLogisticRegression(features, new Int32Array(20), 1),
      () => fitLogisticRegression(features, labels, 0),
      () => fitLogisticRegression(features, labels, NaN),
      () => fitLogisticRegression(broken, labels, 1),
      () =>
        fitLogisticRegression(
          features,
          [...labels].map((label) => label + 0.5),
          1,
        ),
      () => fitLogisticRegression(features, labels.subarray(1), 1),
      () => probabilities(fitLogisticRegression(features, labels, 1), data(5, 4, 2).features),
    ])
      expect(refusal(call)).toBe('invalid-input')
  })
})

describe('the λ sweep', () => {
  const [train, validation] = [clouds(120, 8, 4, 7, 2), clouds(80, 8, 4, 8, 2)]
  const lambdas = [0.01, 1, 100, 10_000]

  it('chooses on validation, and ends at the optimum of the λ it chose', () => {
    const { result } = finish(sweepLambda(train, validation, lambdas))
    const best = Math.max(...result.results.map((each) => each.validationAccuracy))
    const largest = Math.max(...result.results.filter((each) => each.validationAccuracy === best).map((each) => each.lambda))
    expect(result.model.lambda).toBe(largest)
    const alone = fitLogisticRegression(train.features, train.labels, result.model.lambda)
    expect(result.model.objective / alone.objective).toBeCloseTo(1, 10)
    result.model.weights.values.forEach((w, at) => expect(w).toBeCloseTo(alone.weights.values[at]!, 4))
  })

  it('reports every λ in the order given, and progress after each', () => {
    const { events, result } = finish(sweepLambda(train, validation, lambdas))
    expect(result.results.map((each) => each.lambda)).toEqual(lambdas)
    expect(events.map((event) => [event.done, event.of, event.result.lambda])).toEqual([
      [1, 4, 10_000],
      [2, 4, 100],
      [3, 4, 1],
      [4, 4, 0.01],
    ])
  })

  it('at ties takes the larger λ, and says when the choice lies at the edge of the grid', () => {
    const easy = clouds(60, 4, 2, 9, 0.01)
    expect(finish(sweepLambda(easy, easy, [0.1, 1])).result).toMatchObject({ atEdge: true, model: { lambda: 1 } })
    expect(finish(sweepLambda(easy, easy, [1])).result.atEdge).toBe(false)
  })

  it('can be left between two λ', () => {
    const before = tf.memory().numTensors
    const sweep = sweepLambda(train, validation, lambdas)
    sweep.next()
    expect(sweep.return(undefined as unknown as LambdaSweep).done).toBe(true)
    expect(tf.memory().numTensors).toBe(before)
  })

  it('refuses no λ, a λ of 0, validation of another width', () => {
    for (const call of [
      () => finish(sweepLambda(train, validation, [])),
      () => finish(sweepLambda(train, validation, [1, 0])),
      () => finish(sweepLambda(train, clouds(10, 7, 2, 1), [1])),
    ])
      expect(refusal(call)).toBe('invalid-input')
  })
})

describe('on a tensor backend', () => {
  afterAll(() => tf.setBackend('cpu'))

  it('float32 carries the way, doubles find the end: the optimum is the same, and no tensor is left', async () => {
    const { features, labels } = clouds(1200, 60, 30, 10, 2)
    const alone = fitLogisticRegression(features, labels, 0.3)
    setWasmPaths(`${import.meta.dirname}/../../../../node_modules/@tensorflow/tfjs-backend-wasm/dist/`)
    await tf.setBackend('wasm')
    const before = tf.memory().numTensors
    const carried = fitLogisticRegression(features, labels, 0.3)
    expect(carried).toMatchObject({ converged: true, precision: 'double' })
    expect(carried.objective / alone.objective).toBeCloseTo(1, 10)
    const [p, q] = [probabilities(carried, features).values, probabilities(alone, features).values]
    expect(p.reduce((most, value, i) => Math.max(most, Math.abs(value - q[i]!)), 0)).toBeLessThan(5e-6)
    expect(tf.memory().numTensors).toBe(before)
  })
})
