// What can be read off frozen features of labelled pictures: logistic regression, class-mean prototypes, k-NN, and the first two
// from few pictures a class. Training pictures fit, validation chooses λ and k, test is reported.
//
// Prototypes and k-NN compare directions, so they normalise by themselves. For logistic regression the features are divided
// by one number, their root mean square deviation in training: a λ then means the same for encoders of different scale, and
// no direction is stretched. They are not standardised feature by feature, which would change what is measured.

import { LabError } from '../../domain/errors.ts'
import type { ItemResult, JobEvent } from '../../domain/job.ts'
import type { Probe } from '../../domain/probe.ts'
import { createRandom } from '../../domain/random.ts'
import { oneSampleT, withinShare } from '../../domain/statistics/intervals.ts'
import type { ItemDetail } from '../../domain/study-results.ts'
import { columnMeans, takeRows, type Matrix } from '../../engine/evaluate/measures/matrix.ts'
import { accuracy, correctness } from '../../engine/evaluate/probes/labels.ts'
import { predict, sweepLambda } from '../../engine/evaluate/probes/logistic-regression.ts'
import { predictByNeighbours } from '../../engine/evaluate/probes/nearest-neighbours.ts'
import { fitPrototypes, predictByPrototypes } from '../../engine/evaluate/probes/prototypes.ts'
import { mean } from './bench.ts'

/**
 * Gain that is left to a fit, per picture in nats, at which it counts as solved. Going on to a hundredth of it took twice as
 * long and moved at most one answer in five hundred.
 */
const SOLVED = 1e-6
/** Few-shot fits are many and small. */
const SOLVED_FEW = 1e-5

export interface LabelledPicture {
  readonly id: string
  /** SHA-256: pictures cut out of one are not independent. */
  readonly image: string
  readonly category: string
}

export interface LabelledSet {
  readonly pictures: readonly LabelledPicture[]
  readonly features: Matrix
  /** Places among the categories. */
  readonly labels: Int32Array
}

export interface ClassificationSets {
  readonly train: LabelledSet
  readonly validation: LabelledSet
  readonly test: LabelledSet
  readonly categories: readonly string[]
}

export interface ClassificationSettings {
  readonly probes: readonly Probe[]
  readonly lambdas: readonly number[]
  readonly neighbours: readonly number[]
  /** Each k as a metric of its own, beside the one that validation chose. */
  readonly everyNeighbour: boolean
  readonly shots: readonly number[]
  readonly draws: number
  readonly seed: number
  /** Behind every metric's name: "/layer=6". */
  readonly suffix: string
}

/** How many ticks `probeClasses` makes. */
export function ticksOf({ probes, lambdas, shots, draws }: Pick<ClassificationSettings, 'probes' | 'lambdas' | 'shots' | 'draws'>): number {
  return (probes.includes('linear') ? lambdas.length : 0) + (probes.includes('few-shot') ? shots.length * draws : 0)
}

/**
 * Yields probe/linear, probe/prototype, probe/knn and probe/few-shot/… with one item a test picture each.
 * @param tick  called after each fit; throws LabError 'cancelled' when nobody wants the rest
 */
export function* probeClasses(sets: ClassificationSets, settings: ClassificationSettings, tick: () => JobEvent): Generator<JobEvent> {
  const { train, validation, test } = sets
  const { probes, suffix } = settings
  const told = (metric: string, predictions: Int32Array) => report(`${metric}${suffix}`, sets, predictions)
  if (probes.includes('linear')) {
    const scaled = byTheScaleOf(train.features)
    const sweep = sweepLambda({ features: scaled(train.features), labels: train.labels }, { features: scaled(validation.features), labels: validation.labels }, settings.lambdas, { tolerance: SOLVED })
    for (let next = sweep.next(); ; next = sweep.next()) {
      if (next.done) {
        const { model, atEdge } = next.value
        const edge = atEdge ? ', at the edge of those tried: widen probe.lambdas' : ''
        yield { kind: 'log', level: atEdge ? 'warning' : 'info', message: `linear probe${suffix}: validation chose λ ${model.lambda}${edge}` }
        yield* told('probe/linear', predict(model, scaled(test.features)))
        break
      }
      yield tick()
    }
  }
  if (probes.includes('prototype')) yield* told('probe/prototype', predictByPrototypes(fitPrototypes(train.features, train.labels), test.features))
  if (probes.includes('knn')) yield* neighbours(sets, settings, told)
  if (probes.includes('few-shot')) yield* fewShots(sets, settings, tick)
}

function* neighbours({ train, validation, test }: ClassificationSets, { neighbours: asked, everyNeighbour, suffix }: ClassificationSettings, told: (metric: string, predictions: Int32Array) => Generator<JobEvent>): Generator<JobEvent> {
  const ks = asked.filter((k) => k <= train.features.rows)
  if (ks.length === 0)
    throw new LabError('invalid-input', `probe.neighbours: expected at least one of at most ${train.features.rows}, the number of training pictures`)
  const onValidation = predictByNeighbours(train.features, train.labels, validation.features, ks)
  const scores = [...onValidation].map(([k, predictions]) => ({ k, score: accuracy(predictions, validation.labels) }))
  // At ties the larger k, which leans on more items.
  const best = scores.reduce((held, each) => (each.score >= held.score ? each : held))
  yield { kind: 'log', level: 'info', message: `k-NN${suffix}: validation chose k ${best.k}` }
  const onTest = predictByNeighbours(train.features, train.labels, test.features, everyNeighbour ? ks : [best.k])
  yield* told('probe/knn', onTest.get(best.k)!)
  if (everyNeighbour) for (const [k, predictions] of onTest) yield* told(`probe/knn/k=${k}`, predictions)
}

/** The mean over draws of n pictures a class, for each n; the interval is over draws. */
function* fewShots({ train, validation, test, categories }: ClassificationSets, { shots, draws, seed, lambdas, suffix }: ClassificationSettings, tick: () => JobEvent): Generator<JobEvent> {
  const byClass = categories.map((_, c) => [...train.labels.keys()].filter((i) => train.labels[i] === c))
  const least = Math.min(...byClass.map(({ length }) => length))
  for (const n of shots.filter((each) => each > least))
    yield { kind: 'log', level: 'warning', message: `few-shot${suffix}: ${n} pictures a class were asked for, the smallest class has ${least}; left out` }
  for (const n of shots.filter((each) => each <= least)) {
    const right = { linear: new Float64Array(test.pictures.length), prototype: new Float64Array(test.pictures.length) }
    const accuracies = { linear: [] as number[], prototype: [] as number[] }
    for (let draw = 0; draw < draws; draw++) {
      const chosen = byClass.flatMap((of, c) => createRandom(seed, 'few-shot', n, draw, categories[c]!).shuffle(of).slice(0, n))
      const features = takeRows(train.features, chosen)
      const labels = Int32Array.from(chosen, (i) => train.labels[i]!)
      const scaled = byTheScaleOf(features)
      const sweep = sweepLambda({ features: scaled(features), labels }, { features: scaled(validation.features), labels: validation.labels }, lambdas, { tolerance: SOLVED_FEW })
      let next = sweep.next()
      while (!next.done) next = sweep.next()
      for (const [probe, predictions] of [
        ['linear', predict(next.value.model, scaled(test.features))],
        ['prototype', predictByPrototypes(fitPrototypes(features, labels), test.features)],
      ] as const) {
        const correct = correctness(predictions, test.labels)
        correct.forEach((value, i) => (right[probe][i]! += value / draws))
        accuracies[probe].push(mean([...correct]))
      }
      yield tick()
    }
    for (const probe of ['linear', 'prototype'] as const) {
      const metric = `probe/few-shot/${probe}/n=${n}${suffix}`
      const { interval, standardError } = oneSampleT(accuracies[probe])
      yield { kind: 'items', metric, items: test.pictures.map(({ id, image, category }, i): ItemResult => ({ itemId: id, cluster: image, group: category, value: right[probe][i]!, detail: null })) }
      yield { kind: 'result', metric, value: mean(accuracies[probe]), n: test.pictures.length, ...(standardError > 0 ? { interval: withinShare(interval) } : {}) }
    }
  }
}

function* report(metric: string, { test, categories }: ClassificationSets, predictions: Int32Array): Generator<JobEvent> {
  const right = correctness(predictions, test.labels)
  const items = test.pictures.map(({ id, image, category }, i): ItemResult => {
    const detail: ItemDetail = { kind: 'class', image, expected: category, given: categories[predictions[i]!]! }
    return { itemId: id, cluster: image, group: category, value: right[i]!, detail }
  })
  yield { kind: 'items', metric, items }
  yield { kind: 'result', metric, value: mean(items.map(({ value }) => value)), n: items.length }
}

/** Values beyond which doubles would cost gigabytes and float32 is what the fit computes in anyway. */
const MOST_DOUBLES = 1e7

/** Division by the root mean square deviation of `train` from its mean, over all features. */
function byTheScaleOf(train: Matrix): (features: Matrix) => Matrix {
  const means = columnMeans(train)
  const { columns, values } = train
  let squares = 0
  for (let at = 0, j = 0; at < values.length; at++) {
    squares += (values[at]! - means[j]!) ** 2
    j = j + 1 === columns ? 0 : j + 1
  }
  const deviation = Math.sqrt(squares / values.length)
  const factor = deviation > 0 ? 1 / deviation : 1
  return (features) => {
    const scaled = features.values.length > MOST_DOUBLES ? new Float32Array(features.values.length) : new Float64Array(features.values.length)
    for (let i = 0; i < scaled.length; i++) scaled[i] = features.values[i]! * factor
    return { ...features, values: scaled }
  }
}
