// What a study found: rows of the store put through domain/statistics. Nothing is left out and nothing is chosen: every
// metric that both arms have gets its paired difference, and Holm's correction counts them all.

import { LabError } from '../domain/errors.ts'
import { EVALUATION_METRICS, metricNamed } from '../domain/metric.ts'
import { unusualName } from '../domain/objective-config.ts'
import { createRandom } from '../domain/random.ts'
import { bootstrapMean, pairedBootstrap } from '../domain/statistics/bootstrap.ts'
import { mean } from '../domain/statistics/description.ts'
import { holm, signFlipTest } from '../domain/statistics/hypothesis-tests.ts'
import { oneSampleT, pairedT, wilsonInterval, type PairedT } from '../domain/statistics/intervals.ts'
import { seedsAndItems } from '../domain/statistics/seeds-and-items.ts'
import type { Difference, EncoderResult, Example, MetricResult, StudyResults } from '../domain/study-results.ts'
import { ENCODERS, type EncoderName } from '../domain/study.ts'
import type { Evaluator } from '../domain/job.ts'
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
  /** What the DPO arm was trained with, where that is not DPO itself. */
  readonly preferenceObjective: string | null
}

/** All numbers of a study from its rows: pure, so that it can be checked by hand. */
export function summarise(facts: StudyFacts, results: readonly ResultRow[], items: readonly ItemRow[]): StudyResults {
  const names = metricsInOrder(results)
  const itemsOf = groupItems(items)
  const undecided = names.map((metric) => {
    const rows = results.filter((row) => row.metric === metric)
    const encoders = ENCODERS.flatMap((encoder) => encoderResult(metricNamed(metric).unit, encoder, rows, itemsOf(metric)))
    return { metric, encoders, difference: pairedDifference(metric, encoders, itemsOf(metric)) }
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
      difference: difference && decide(difference, at < 0 ? null : adjusted[at]!, better),
    }
  })
  return {
    studyId: facts.studyId,
    name: facts.name,
    seeds: [...facts.seeds],
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

function encoderResult(
  unit: Unit,
  encoder: EncoderName,
  rows: readonly ResultRow[],
  items: readonly ItemRow[],
): readonly EncoderResult[] {
  const perSeed = rows.filter((row) => row.encoder === encoder).map(({ seed, value, n }) => ({ seed, value, n }))
  if (perSeed.length === 0) return []
  const interval = encoderInterval(
    unit,
    perSeed,
    items.filter((item) => item.encoder === encoder),
  )
  return [
    {
      encoder,
      mean: mean(perSeed.map(({ value }) => value)),
      low: interval?.low ?? null,
      high: interval?.high ?? null,
      perSeed,
      n: perSeed.reduce((sum, { n }) => sum + n, 0),
    },
  ]
}

/**
 * Of the mean, with what may vary taken as random: seeds and items where the items are the metric, else seeds alone. A
 * sample without any spread has no interval, except of right and wrong answers, for which Wilson's has one.
 */
function encoderInterval(unit: Unit, perSeed: EncoderResult['perSeed'], items: readonly ItemRow[]): Limits | null {
  const limits = encoderLimits(perSeed, items)
  // Student's t knows no end of the scale.
  return limits === null || unit !== 'share' ? limits : { low: Math.max(0, limits.low), high: Math.min(1, limits.high) }
}

function encoderLimits(perSeed: EncoderResult['perSeed'], items: readonly ItemRow[]): Limits | null {
  const seeds = perSeed.map(({ seed }) => seed)
  const table = scoreTable(seeds, items, [items[0]?.encoder ?? 'sft'])
  const scores = table?.scores[0] ?? null
  const isTheMetric = scores !== null && scores.every((row, s) => Math.abs(mean(row) - perSeed[s]!.value) < SAME)
  if (!isTheMetric)
    return seeds.length < 2
      ? null
      : spread(
          oneSampleT(
            perSeed.map(({ value }) => value),
            CONFIDENCE,
          ),
        )
  const areAnswers = scores.flat().every((value) => value === 0 || value === 1)
  const columns = table!.columns[0]!
  const overSeeds =
    seeds.length < 2
      ? null
      : spread(
          seedsAndItems(
            columns.map((row) => row.map(() => 0)),
            columns,
            CONFIDENCE,
          ),
        )
  if (overSeeds !== null) return overSeeds
  if (areAnswers)
    return wilsonInterval(
      scores[0]!.reduce((sum, value) => sum + value, 0),
      scores[0]!.length,
      CONFIDENCE,
    )
  return seeds.length >= 2
    ? null
    : bootstrapMean(scores[0]!, {
        random: createRandom(0, 'bootstrap of a mean'),
        clusters: table!.clusterNames,
        level: CONFIDENCE,
        resamples: 4000,
      }).interval
}

interface Limits {
  readonly low: number
  readonly high: number
}

/** An interval of no width is no knowledge: nothing varied, so nothing is known of how much it varies. */
function spread({ interval, standardError }: PairedT): Limits | null {
  return standardError > 1e-12 ? interval : null
}

/** Rounding leaves this much between a reported mean and the mean of its items. */
const SAME = 1e-6

type Undecided = Omit<Difference, 'holmPValue' | 'winner' | 'verdict'>

/**
 * DPO − SFT, paired by the strongest basis that the rows allow: seeds and items, items of one seed, seeds alone.
 * Items count only where their mean is the number that was reported; a macro average is paired over seeds.
 */
function pairedDifference(metric: string, encoders: readonly EncoderResult[], items: readonly ItemRow[]): Undecided | null {
  const [sft, dpo] = [encoders.find(({ encoder }) => encoder === 'sft'), encoders.find(({ encoder }) => encoder === 'dpo')]
  if (sft === undefined || dpo === undefined) return null
  const seeds = sft.perSeed.map(({ seed }) => seed).filter((seed) => dpo.perSeed.some((each) => each.seed === seed))
  if (seeds.length === 0) return null
  const valueAt = (of: EncoderResult) => seeds.map((seed) => of.perSeed.find((each) => each.seed === seed)!.value)
  const [a, b] = [valueAt(sft), valueAt(dpo)]
  const paired = pairItems(seeds, items, a, b)

  if (paired !== null && seeds.length >= 2) {
    const found = seedsAndItems(paired.columnsA, paired.columnsB, CONFIDENCE)
    return {
      ...tested(found),
      basis: `${itemsInImages(paired)} × ${seeds.length} seeds`,
      method: 'seeds and items both random: variance components, Student t with Satterthwaite’s degrees of freedom',
    }
  }
  if (paired !== null) {
    const [scoresA, scoresB] = [paired.scoresA[0]!, paired.scoresB[0]!]
    const clusters = paired.clusterNames
    const bootstrap = pairedBootstrap(scoresA, scoresB, {
      random: createRandom(0, 'bootstrap', metric),
      clusters,
      level: CONFIDENCE,
      resamples: 4000,
    })
    const test = signFlipTest(scoresA, scoresB, { random: createRandom(0, 'sign flips', metric), clusters, flips: 4000 })
    return {
      mean: bootstrap.difference,
      low: bootstrap.interval.low,
      high: bootstrap.interval.high,
      pValue: test.p,
      basis: `${itemsInImages(paired)}, one seed`,
      method: 'paired bootstrap and sign-flip test over images: it speaks of new images, not of new seeds',
    }
  }
  if (seeds.length >= 2)
    return { ...tested(pairedT(a, b, CONFIDENCE)), basis: `${seeds.length} seeds`, method: 'paired Student t over seeds' }
  return {
    mean: b[0]! - a[0]!,
    low: null,
    high: null,
    pValue: null,
    basis: 'one seed, no items',
    method: 'none: one number a side has no spread',
  }
}

function itemsInImages({ items, clusters }: { readonly items: number; readonly clusters: number }): string {
  return `${items} items${clusters < items ? ` in ${clusters} images` : ''}`
}

/** Seeds that all differ by exactly the same amount say nothing of how much seeds differ: no interval, and no test. */
function tested(found: PairedT): Pick<Undecided, 'mean' | 'low' | 'high' | 'pValue'> {
  const limits = spread(found)
  return {
    mean: found.difference,
    low: limits?.low ?? null,
    high: limits?.high ?? null,
    pValue: limits !== null ? found.p : Math.abs(found.difference) < 1e-12 ? 1 : null,
  }
}

/** The items that every seed has in both arms; null where they are not the metric. */
function pairItems(seeds: readonly number[], items: readonly ItemRow[], a: readonly number[], b: readonly number[]) {
  const table = scoreTable(seeds, items, ['sft', 'dpo'])
  if (table === null) return null
  const [scoresA, scoresB] = [table.scores[0]!, table.scores[1]!]
  const isTheMetric = seeds.every(
    (_, s) => Math.abs(mean(scoresA[s]!) - a[s]!) < SAME && Math.abs(mean(scoresB[s]!) - b[s]!) < SAME,
  )
  if (!isTheMetric) return null
  const { clusterNames, columns } = table
  return {
    items: clusterNames.length,
    clusters: columns[0]![0]!.length,
    clusterNames,
    scoresA,
    scoresB,
    columnsA: columns[0]!,
    columnsB: columns[1]!,
  }
}

/**
 * Scores of the items that every seed and every one of `encoders` has, (encoders, seeds, items), and the same summed by
 * image, (encoders, seeds, images); null below two images.
 */
function scoreTable(seeds: readonly number[], items: readonly ItemRow[], encoders: readonly EncoderName[]) {
  const byKey = new Map<string, ItemRow>()
  for (const item of items) byKey.set(`${item.encoder}\n${item.seed}\n${item.itemId}`, item)
  const at = (encoder: EncoderName, seed: number, id: string) => byKey.get(`${encoder}\n${seed}\n${id}`)
  const ids = [...new Set(items.map(({ itemId }) => itemId))].filter((id) =>
    seeds.every((seed) => encoders.every((encoder) => at(encoder, seed, id))),
  )
  const clusterNames = ids.map((id) => at(encoders[0]!, seeds[0]!, id)!.cluster)
  const clusters = [...new Set(clusterNames)]
  if (clusters.length < 2) return null
  const scores = encoders.map((encoder) => seeds.map((seed) => ids.map((id) => at(encoder, seed, id)!.value)))
  // One column an image, scaled so that the mean over columns is the mean over items.
  const columns = scores.map((rows) =>
    rows.map((row) => {
      const sums = new Map(clusters.map((cluster) => [cluster, 0]))
      row.forEach((value, i) => sums.set(clusterNames[i]!, sums.get(clusterNames[i]!)! + value))
      return clusters.map((cluster) => (sums.get(cluster)! * clusters.length) / ids.length)
    }),
  )
  return { clusterNames, scores, columns }
}

function decide(difference: Undecided, holmPValue: number | null, better: MetricResult['better']): Difference {
  const isClear = holmPValue !== null && holmPValue <= 1 - CONFIDENCE
  const favoursDpo = better === 'higher' ? difference.mean > 0 : difference.mean < 0
  const winner = !isClear || better === 'neither' || difference.mean === 0 ? 'neither' : favoursDpo ? 'dpo' : 'sft'
  return { ...difference, holmPValue, winner, verdict: inWords(difference, holmPValue, isClear, better, favoursDpo) }
}

function inWords(
  difference: Undecided,
  holmPValue: number | null,
  isClear: boolean,
  better: MetricResult['better'],
  favoursDpo: boolean,
): string {
  if (difference.pValue === null) return 'not tested: nothing to measure its chance variation by'
  if (difference.mean === 0 && difference.pValue === 1) return 'no difference at all'
  if (isClear)
    return better === 'neither' ? 'the arms differ; neither direction is better' : `${favoursDpo ? 'DPO' : 'SFT'} is better`
  const leaning = better === 'neither' ? '' : `, leaning to ${favoursDpo ? 'DPO' : 'SFT'}`
  return difference.pValue <= 1 - CONFIDENCE && holmPValue !== null
    ? `not clear after Holm’s correction${leaning}`
    : `not told apart${leaning}`
}

function verdict(facts: StudyFacts, metrics: readonly MetricResult[]): readonly string[] {
  const compared = metrics.filter(({ difference, better }) => difference !== null && better !== 'neither')
  const won = (arm: 'sft' | 'dpo') => compared.filter(({ difference }) => difference!.winner === arm)
  const list = (of: readonly MetricResult[]) => of.map(({ label }) => label).join('; ')
  const lines: string[] = []
  if (facts.preferenceObjective !== null) lines.push(`The arm called DPO was trained with ${facts.preferenceObjective}; read its name as that.`)
  if (!facts.isComplete) lines.push('The study has not finished: these numbers are what has been measured so far.')
  if (compared.length === 0) return [...lines, 'Nothing has been measured on both arms yet.']
  const [dpo, sft] = [won('dpo'), won('sft')]
  const ahead = (sign: 1 | -1) =>
    compared.filter(({ difference, better }) => Math.sign(difference!.mean) === (better === 'higher' ? sign : -sign)).length
  if (dpo.length === 0 && sft.length === 0)
    lines.push(
      `No metric of ${compared.length} tells the two arms apart after Holm’s correction.`,
      'On this scale neither “DPO sees better” nor “SFT sees better” is shown.',
    )
  else {
    if (dpo.length > 0) lines.push(`DPO is better on ${dpo.length} of ${compared.length} metrics: ${list(dpo)}.`)
    if (sft.length > 0) lines.push(`SFT is better on ${sft.length} of ${compared.length} metrics: ${list(sft)}.`)
    const rest = compared.length - dpo.length - sft.length
    if (rest > 0) lines.push(`The other ${rest} do not tell the arms apart.`)
  }
  const [up, down] = [ahead(1), ahead(-1)]
  lines.push(
    `By sign alone DPO is ahead on ${up}, SFT on ${down}, level on ${compared.length - up - down}: a description, not a test.`,
  )
  if (facts.isQuick)
    lines.push(
      `${facts.seeds.length === 1 ? 'One seed' : `${facts.seeds.length} seeds`} cannot show how much another seed would change; ` +
        'run at least three before concluding anything.',
    )
  return lines
}
