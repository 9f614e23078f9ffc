// What a study found: rows of the store put through domain/statistics. Nothing is left out and nothing is chosen: every
// metric that both arms have gets its paired difference, and Holm's correction counts them all.

import { LabError } from '../domain/errors.ts'
import { EVALUATION_METRICS, metricNamed } from '../domain/metric.ts'
import { unusualName } from '../domain/objective-config.ts'
import { createRandom } from '../domain/random.ts'
import { holm } from '../domain/statistics/hypothesis-tests.ts'
import { differenceOf, intervalOfMean, meanOverSeeds, scoresOfMean, type ItemPlaces, type Measured } from '../domain/statistics/paired-measurements.ts'
import type { Difference, EncoderResult, Example, MetricResult, StudyResults } from '../domain/study-results.ts'
import { encoderNames, ENCODERS, type EncoderName, type EncoderNames } from '../domain/study.ts'
import type { Evaluator } from '../domain/evaluation.ts'
import type { ItemRow, ResultRow } from '../store/evaluations.ts'
import type { Parts } from './parts.ts'

export const CONFIDENCE = 0.95

type Unit = MetricResult['unit']

/** Under which metrics an evaluator's items stand. */
const ITEMS_OF: Readonly<Record<Evaluator, string>> = {
  questions: 'vqa/',
  preferences: 'preference/',
  probe: 'probe/',
  segmentation: 'segmentation/',
  localisation: 'localisation/',
  alignment: 'alignment/',
}

export type ResultService = ReturnType<typeof createResultService>

export function createResultService({ store }: Pick<Parts, 'store'>) {
  /** Asked for at every nudge, though it changes only when something is measured. */
  let last: { readonly key: string; readonly results: StudyResults } | null = null

  return {
    /** @throws LabError 'not-found' */
    of(studyId: string): StudyResults {
      const study = store.studies.find(studyId)
      if (study === null) throw new LabError('not-found', `there is no study "${studyId}"`, { studyId })
      const finished = study.status === 'finished'
      const key = `${studyId} ${study.status} ${store.evaluations.extentOfStudy(studyId)}`
      if (last?.key === key) return last.results
      const results = summarise(
        {
          studyId,
          name: study.config.name,
          seeds: study.config.seeds,
          isComplete: finished,
          isQuick: study.config.seeds.length < 3,
          encoderNames: encoderNames(study.config),
          preferenceObjective: unusualName(study.config.stages.dpo.objective),
        },
        store.evaluations.resultsOfStudy(studyId),
        store.evaluations.itemsOfStudy(studyId),
      )
      last = { key, results }
      return results
    },
    /** Items that carry something to look at, seen by every encoder, side by side. */
    examples(studyId: string, seed: number, evaluator: Evaluator, limit: number): readonly Example[] {
      const items = new Map<string, Example>()
      for (const item of store.evaluations.detailedItems(studyId, seed, ITEMS_OF[evaluator])) {
        const key = `${item.metric}\n${item.itemId}`
        const sha256 = item.detail === null || item.detail.kind === 'benchmark' ? null : item.detail.image
        const image = sha256 === null ? null : store.datasets.findImage(sha256)
        const known = items.get(key)
        const seen = { encoder: item.encoder, value: item.value, detail: item.detail }
        items.set(key, {
          itemId: item.itemId,
          metric: item.metric,
          group: item.group,
          image: image && { sha256: image.sha256, width: image.width, height: image.height },
          encoders: [...(known?.encoders ?? []), seen],
        })
      }
      const byEncoder = (a: { encoder: EncoderName }, b: { encoder: EncoderName }) =>
        ENCODERS.indexOf(a.encoder) - ENCODERS.indexOf(b.encoder)
      return [...items.values()].slice(0, limit).map((each) => ({ ...each, encoders: each.encoders.toSorted(byEncoder) }))
    },
  }
}

export interface StudyFacts {
  readonly studyId: string
  readonly name: string
  readonly seeds: readonly number[]
  readonly isComplete: boolean
  readonly isQuick: boolean
  readonly encoderNames: EncoderNames
  /** What the second arm was trained with, where its name alone does not say it. */
  readonly preferenceObjective: string | null
}

/** All numbers of a study from its rows: pure, so that it can be checked by hand. */
export function summarise(facts: StudyFacts, results: readonly ResultRow[], items: readonly ItemRow[]): StudyResults {
  const names = metricsInOrder(results)
  const itemsOf = groupItems(items)
  const undecided = names.map((metric) => {
    const { measured, places } = measuredOf(results.filter((row) => row.metric === metric), itemsOf(metric))
    const encoders = ENCODERS.flatMap((encoder) => {
      const own = measured.get(encoder)
      return own === undefined ? [] : [encoderResult(metric, metricNamed(metric).unit, encoder, own, places)]
    })
    return { metric, encoders, difference: pairedDifference(metric, measured.get('sft'), measured.get('dpo'), places) }
  })
  const family = undecided.filter(({ difference }) => difference?.pValue != null)
  const adjusted = family.length === 0 ? [] : holm(family.map(({ difference }) => difference!.pValue!)).adjusted
  const metrics = undecided.map(({ metric, encoders, difference }): MetricResult => {
    const { label, meaning, unit, better } = metricNamed(metric)
    const at = family.findIndex((each) => each.metric === metric)
    return {
      metric,
      label,
      meaning,
      unit,
      better,
      encoders,
      difference: difference && decide(difference, at < 0 ? null : adjusted[at]!, better, facts.encoderNames),
    }
  })
  return {
    studyId: facts.studyId,
    name: facts.name,
    seeds: [...facts.seeds],
    encoderNames: facts.encoderNames,
    confidence: CONFIDENCE,
    verdict: [...verdict(facts, metrics)],
    metrics,
  }
}

function metricsInOrder(results: readonly ResultRow[]): readonly string[] {
  const measured = new Set(results.map(({ metric }) => metric))
  const known: readonly string[] = EVALUATION_METRICS.map(({ name }) => name)
  return [...known.filter((name) => measured.has(name)), ...[...measured].filter((name) => !known.includes(name)).toSorted()]
}

/** Items of a metric; a question group's items are those of the whole that belong to the group. */
function groupItems(items: readonly ItemRow[]): (metric: string) => readonly ItemRow[] {
  const byMetric = Map.groupBy(items, ({ metric }) => metric)
  return (metric) => {
    const own = byMetric.get(metric)
    if (own !== undefined) return own
    const [family, group] = [metric.slice(0, metric.indexOf('/')), metric.slice(metric.indexOf('/') + 1)]
    return (byMetric.get(`${family}/all`) ?? []).filter((item) => item.group === group)
  }
}

function encoderResult(metric: string, unit: Unit, encoder: EncoderName, measured: Measured, places: ItemPlaces): EncoderResult {
  const limits = intervalOfMean(measured, places, unit === 'share', createRandom(0, 'bootstrap of a mean', metric, encoder))
  return {
    encoder,
    mean: meanOverSeeds(measured),
    low: limits?.low ?? null,
    high: limits?.high ?? null,
    perSeed: measured.seeds.map(({ seed, value, n }) => ({ seed: seed!, value, n })),
    n: measured.seeds.reduce((sum, { n }) => sum + n, 0),
  }
}

type Undecided = Omit<Difference, 'holmPValue' | 'winner' | 'verdict'>

/** Second arm − SFT by the strongest basis that the rows allow; null where one arm was not measured, or no seed was on both. */
function pairedDifference(metric: string, sft: Measured | undefined, dpo: Measured | undefined, places: ItemPlaces): Undecided | null {
  if (sft === undefined || dpo === undefined || !sft.seeds.some(({ seed }) => dpo.seeds.some((each) => each.seed === seed))) return null
  const { difference, limits, p, basis, method } = differenceOf(sft, dpo, places, true, createRandom(0, 'bootstrap', metric))
  return { mean: difference, low: limits?.low ?? null, high: limits?.high ?? null, pValue: p, basis, method }
}

/** The rows of one metric, every encoder's items in one order. */
function measuredOf(rows: readonly ResultRow[], items: readonly ItemRow[]): { readonly measured: ReadonlyMap<EncoderName, Measured>; readonly places: ItemPlaces } {
  const [positions, clusterNumbers, clusters] = [new Map<string, number>(), new Map<string, number>(), [] as number[]]
  for (const { itemId, cluster } of items) {
    if (positions.has(itemId)) continue
    positions.set(itemId, positions.size)
    const number = clusterNumbers.get(cluster) ?? clusterNumbers.size
    clusterNumbers.set(cluster, number)
    clusters.push(number)
  }
  const bySeed = Map.groupBy(items, ({ encoder, seed }) => `${encoder} ${seed}`)
  const measured = new Map(
    [...Map.groupBy(rows, ({ encoder }) => encoder)].map(([encoder, of]): [EncoderName, Measured] => [
      encoder,
      {
        seeds: of.map(({ seed, value, n }) => {
          const own = bySeed.get(`${encoder} ${seed}`) ?? []
          const scores = new Float64Array(positions.size).fill(NaN)
          for (const item of own) scores[positions.get(item.itemId)!] = item.value
          return { seed, value, n, scores: scoresOfMean(scores, value), limits: null }
        }),
      },
    ]),
  )
  return { measured, places: { clusters: Int32Array.from(clusters), clusterCount: clusterNumbers.size } }
}

function decide(difference: Undecided, holmPValue: number | null, better: MetricResult['better'], names: EncoderNames): Difference {
  const isClear = holmPValue !== null && holmPValue <= 1 - CONFIDENCE
  const favoured = (better === 'higher' ? difference.mean > 0 : difference.mean < 0) ? 'dpo' : 'sft'
  const winner = !isClear || better === 'neither' || difference.mean === 0 ? 'neither' : favoured
  return { ...difference, holmPValue, winner, verdict: inWords(difference, holmPValue, isClear, better, names[favoured]) }
}

function inWords(
  difference: Undecided,
  holmPValue: number | null,
  isClear: boolean,
  better: MetricResult['better'],
  favoured: string,
): string {
  if (difference.pValue === null) return `not tested: ${difference.method}`
  if (difference.mean === 0 && difference.pValue === 1) return 'no difference at all'
  if (isClear)
    return better === 'neither' ? 'the arms differ; neither direction is better' : `${favoured} is better`
  const leaning = better === 'neither' ? '' : `, leaning to ${favoured}`
  return difference.pValue <= 1 - CONFIDENCE && holmPValue !== null
    ? `not clear after Holm’s correction${leaning}`
    : `not told apart${leaning}`
}

function verdict(facts: StudyFacts, metrics: readonly MetricResult[]): readonly string[] {
  const compared = metrics.filter(({ difference, better }) => difference !== null && better !== 'neither')
  const won = (arm: 'sft' | 'dpo') => compared.filter(({ difference }) => difference!.winner === arm)
  const list = (of: readonly MetricResult[]) => of.map(({ label }) => label).join('; ')
  const lines: string[] = []
  const names = facts.encoderNames
  if (facts.preferenceObjective !== null && facts.preferenceObjective !== names.dpo)
    lines.push(`The arm called ${names.dpo} was trained with ${facts.preferenceObjective}; read its name as that.`)
  if (!facts.isComplete) lines.push('The study has not finished: these numbers are what has been measured so far.')
  if (compared.length === 0) return [...lines, 'Nothing has been measured on both arms yet.']
  const [dpo, sft] = [won('dpo'), won('sft')]
  const ahead = (sign: 1 | -1) =>
    compared.filter(({ difference, better }) => Math.sign(difference!.mean) === (better === 'higher' ? sign : -sign)).length
  if (dpo.length === 0 && sft.length === 0)
    lines.push(
      `No metric of ${compared.length} tells the two arms apart after Holm’s correction.`,
      `On this scale neither “${names.dpo} sees better” nor “${names.sft} sees better” is shown.`,
    )
  else {
    if (dpo.length > 0) lines.push(`${names.dpo} is better on ${dpo.length} of ${compared.length} metrics: ${list(dpo)}.`)
    if (sft.length > 0) lines.push(`${names.sft} is better on ${sft.length} of ${compared.length} metrics: ${list(sft)}.`)
    const rest = compared.length - dpo.length - sft.length
    if (rest > 0) lines.push(`The other ${rest} do not tell the arms apart.`)
  }
  const [up, down] = [ahead(1), ahead(-1)]
  lines.push(
    `By sign alone ${names.dpo} is ahead on ${up}, ${names.sft} on ${down}, level on ${compared.length - up - down}: a description, not a test.`,
  )
  if (facts.isQuick)
    lines.push(
      `${facts.seeds.length === 1 ? 'One seed' : `${facts.seeds.length} seeds`} cannot show how much another seed would change; ` +
        'run at least three before concluding anything.',
    )
  return lines
}
