// Two encoders on one metric: which test the numbers allow, its interval and p, effect sizes by name, and how many more items
// or seeds would decide. The strongest basis that is honest is taken, in this order: seeds and items both random; items of one
// seed, clustered by image; seeds alone; nothing. Items count only where the number that was reported is their mean, or comes
// of their terms (`totals.ts`).

import type { Random } from '../random.ts'
import { clusteredDifference } from './clustered-difference.ts'
import { mean } from './description.ts'
import { effectOfMeans, neededOfItems, neededWithSeeds, oddsOf, shareEffect, type Effect, type Needed } from './effects.ts'
import { oneSampleT, pairedT, wilsonInterval, withinShare, type PairedT } from './intervals.ts'
import { seedsAndItems, unpairedSeeds, unpairedSeedsAndItems } from './seeds-and-items.ts'
import { differenceOfTotals, imagesOf, intervalOfTotals, linearised, scoreOfItems, type Images, type TermRows, type TotalledItems } from './totals.ts'

/** The items that stand behind a metric, in one order for all who are compared. */
export interface ItemPlaces {
  /** Number of each item's image, (n). */
  readonly clusters: Int32Array
  readonly clusterCount: number
  /** How the items make the number where it is not their mean. */
  readonly totals?: TotalledItems | undefined
}

export interface MeasuredSeed {
  /** null: an encoder that no seed of ours made. */
  readonly seed: number | null
  readonly value: number
  readonly n: number
  /** Of each item, NaN where it was not measured, (n); null: the items' mean is not the value. */
  readonly scores: Float64Array | null
  /** Of each item, its first NaN where it was not measured, (n, k); absent: the value does not come of such. */
  readonly terms?: Float64Array | null
  /** Limits that the measurement itself gave, at 95 %. */
  readonly limits: Limits | null
}

/** One encoder on one metric, once a seed. */
export interface Measured {
  readonly seeds: readonly MeasuredSeed[]
}

export interface Limits {
  readonly low: number
  readonly high: number
}

export interface MeasuredDifference {
  /** b − a. */
  readonly difference: number
  readonly limits: Limits | null
  /** Two-sided; null: nothing to measure chance by. */
  readonly p: number | null
  readonly basis: string
  readonly method: string
  readonly effects: readonly Effect[]
  /** To find a difference as large as this one in four of five repetitions, before any correction; null: unknown. */
  readonly needed: Needed | null
}

const LEVEL = 0.95
/** Rounding leaves this much between a reported mean and the mean of its items. */
const SAME = 1e-6

/** The scores, or null where their mean is another number than the one reported. */
export function scoresOfMean(scores: Float64Array, value: number): Float64Array | null {
  let [sum, count] = [0, 0]
  for (const each of scores)
    if (!Number.isNaN(each)) {
      sum += each
      count++
    }
  return count > 0 && Math.abs(sum / count - value) < SAME ? scores : null
}

/** The terms, or null where another number comes of them than the one reported. */
export function termsOfScore(terms: Float64Array, of: TotalledItems, value: number): Float64Array | null {
  const known = placesOf([terms], of.width)
  return known.length > 0 && Math.abs(scoreOfItems(onlyAt(of, known), taken(terms, known, of.width)) - value) < SAME * Math.max(1, Math.abs(value)) ? terms : null
}

export const meanOverSeeds = ({ seeds }: Measured): number => mean(seeds.map(({ value }) => value))

/** The interval of one encoder's mean, or null where nothing that varied is known. */
export function intervalOfMean(measured: Measured, items: ItemPlaces, isShare: boolean, random: Random): Limits | null {
  const limits = limitsOfMean(measured, items, random)
  return limits === null || !isShare ? limits : withinShare(limits)
}

function limitsOfMean({ seeds }: Measured, items: ItemPlaces, random: Random): Limits | null {
  const common = inCommon([seeds], items)
  if (common === null) return seeds.length >= 2 ? spread(oneSampleT(seeds.map(({ value }) => value), LEVEL)) : seeds[0]!.limits
  const { rows: [scores], clusters, clusterCount, totals } = common
  if (clusterCount < 2) return seeds.length === 1 ? seeds[0]!.limits : null
  if (seeds.length >= 2) {
    const columns = scores!.map((row) => byImage(row, clusters, clusterCount))
    const overSeeds = spread(seedsAndItems(columns.map((row) => row.map(() => 0)), columns, LEVEL))
    if (overSeeds !== null) return overSeeds
  }
  if (totals !== null) return seeds.length === 1 ? (seeds[0]!.limits ?? intervalOfTotals(totals.of, totals.images, totals.rows[0]!, random, LEVEL)) : null
  const [only] = scores!
  if (scores!.flatMap((row) => [...row]).every((value) => value === 0 || value === 1) && (seeds.length > 1 || clusterCount === only!.length))
    return wilsonInterval(only!.reduce((sum, value) => sum + value, 0), only!.length, LEVEL)
  if (seeds.length >= 2) return null
  const nought = new Float64Array(only!.length)
  const { low, high } = clusteredDifference(nought, only!, clusters, clusterCount, { random, level: LEVEL, intervalOnly: true })
  return low === high ? wilsonOrNull(only!) : { low, high }
}

/** Where every image is right, or every one is wrong, a resample knows nothing of chance; Wilson's interval does. */
function wilsonOrNull(scores: Float64Array): Limits | null {
  if (!scores.every((value) => value === 0 || value === 1)) return null
  return wilsonInterval(scores.reduce((sum, value) => sum + value, 0), scores.length, LEVEL)
}

/**
 * b − a with the test that the numbers allow.
 * @param sharesSeeds  a seed means the same start and order for both: then seeds are paired
 */
export function differenceOf(a: Measured, b: Measured, items: ItemPlaces, sharesSeeds: boolean, random: Random): MeasuredDifference {
  const [of, to] = sharesSeeds ? seedsInCommon(a, b) : [a.seeds, b.seeds]
  const isPaired = sharesSeeds && of.length === to.length && of.every(({ seed }, s) => seed === to[s]!.seed)
  const difference = mean(to.map(({ value }) => value)) - mean(of.map(({ value }) => value))
  const common = inCommon([of, to], items)
  if (common === null || common.clusterCount < 2) return overSeedsAlone(of, to, difference, isPaired, items.totals !== undefined && common === null)
  const { clusters, clusterCount, count, totals } = common
  const [scoresA, scoresB] = common.rows as [Float64Array[], Float64Array[]]
  const where = `${count} items${common.isPart ? ' that both answered' : ''}${clusterCount < count ? ` in ${clusterCount} images` : ''}`
  const perImage = count / clusterCount
  const linear = totals === null ? '' : ', the score linearised by the jackknife'
  const effects = [...effectOfMeans(meanOfRows(scoresA), meanOfRows(scoresB)).map((effect) => (totals === null ? effect : { ...effect, name: `${effect.name} over images` }))]
  const shares = totals === null ? shareEffect(scoresA, scoresB) : []

  if (of.length >= 2 && to.length >= 2) {
    const [columnsA, columnsB] = [scoresA, scoresB].map((rows) => rows.map((row) => byImage(row, clusters, clusterCount))) as [Float64Array[], Float64Array[]]
    const paired = isPaired ? seedsAndItems(columnsA, columnsB, LEVEL) : null
    const found = paired ?? unpairedSeedsAndItems(columnsA, columnsB, LEVEL)
    return {
      ...tested(
        found,
        isPaired
          ? `seeds and items both random${linear}: variance components, Student t with Satterthwaite’s degrees of freedom`
          : `items paired, each encoder’s seeds its own${linear}: both random, Student t with Satterthwaite’s degrees of freedom`,
      ),
      basis: `${where} × ${isPaired ? `${of.length} seeds` : `${of.length} and ${to.length} seeds`}`,
      effects: [...effects, ...shares],
      needed: paired && neededWithSeeds(paired, perImage),
    }
  }

  const found =
    totals === null
      ? clusteredDifference(meanOfRows(scoresA), meanOfRows(scoresB), clusters, clusterCount, { random, level: LEVEL })
      : differenceOfTotals(totals.of, totals.images, totals.rows[0]!, totals.rows[1]!, { random, level: LEVEL })
  const isOneSeed = of.length === 1 && to.length === 1
  const limits = found.low === found.high && found.standardError === 0 ? null : { low: found.low, high: found.high }
  return {
    difference: found.difference,
    limits,
    p: found.p,
    basis: `${where}${isOneSeed ? ', one seed' : ', one encoder has one seed'}`,
    method: `${TESTS[found.test]}, ${INTERVALS[found.interval]}: of new images, not of new seeds`,
    effects: [...effects, ...oddsOf(found.discordant), ...shares],
    needed: neededOfItems(found, perImage),
  }
}

const TESTS = {
  mcnemar: 'McNemar’s exact test',
  'sign-flip': 'sign-flip test over images',
  exchange: 'exchange of the two answers, image by image',
  student: 'Student t with standard errors clustered by image',
} as const
const INTERVALS = { bootstrap: 'paired bootstrap over images', student: 'clustered Student interval' } as const

/** @param lacksTerms  items that make the number there are, but not what each adds to it */
function overSeedsAlone(a: readonly MeasuredSeed[], b: readonly MeasuredSeed[], difference: number, isPaired: boolean, lacksTerms: boolean): MeasuredDifference {
  const [valuesA, valuesB] = [a.map(({ value }) => value), b.map(({ value }) => value)]
  const nothing = { effects: [], needed: null }
  if (a.length >= 2 && b.length >= 2)
    return isPaired
      ? { ...tested(pairedT(valuesA, valuesB, LEVEL), 'paired Student t over seeds'), ...nothing, basis: `${a.length} seeds` }
      : { ...tested(unpairedSeeds(valuesA, valuesB, LEVEL), 'Welch’s t over seeds'), ...nothing, basis: `${a.length} and ${b.length} seeds` }
  const why = lacksTerms
    ? 'an earlier version kept the items without what each adds to the number; measure it again, answers that were given are kept'
    : 'one number a side, with no items whose mean it is, says nothing of chance; train more seeds'
  return { difference, limits: null, p: null, ...nothing, basis: 'one seed, no items', method: why }
}

interface Common {
  /** By side and seed: scores of the items that all have, or of each image the pseudo-value of a score of totals. */
  readonly rows: readonly (readonly Float64Array[])[]
  /** Of those rows' places. */
  readonly clusters: Int32Array
  readonly clusterCount: number
  readonly count: number
  /** Whether some have answered more than that. */
  readonly isPart: boolean
  readonly totals: { readonly of: TotalledItems; readonly images: Images; readonly rows: readonly TermRows[] } | null
}

/** What every seed of every side has answered; null where one has no items that make its number. */
function inCommon(sides: readonly (readonly MeasuredSeed[])[], items: ItemPlaces): Common | null {
  const scores = sides.map((seeds) => rowsOf(seeds.map((seed) => seed.scores)))
  if (scores.every((rows) => rows !== null)) {
    const kept = placesOf(scores.flat(), 1)
    const isPart = scores.flat().some((row) => countOf(row, 1) > kept.length)
    return { rows: scores.map((rows) => rows.map((row) => taken(row, kept, 1))), ...renumbered(items, kept), count: kept.length, isPart, totals: null }
  }
  const terms = sides.map((seeds) => rowsOf(seeds.map((seed) => seed.terms ?? null)))
  if (items.totals === undefined || !terms.every((rows) => rows !== null)) return null
  const { width } = items.totals
  const kept = placesOf(terms.flat(), width)
  const isPart = terms.flat().some((row) => countOf(row, width) > kept.length)
  const { clusters, clusterCount } = renumbered(items, kept)
  const of = onlyAt(items.totals, kept)
  const images = imagesOf(of, clusters, clusterCount)
  const rows = terms.map((side) => side.map((row) => taken(row, kept, width)))
  return {
    rows: rows.map((side) => side.map((row) => linearised(of, images, row))),
    clusters: Int32Array.from({ length: clusterCount }, (_, image) => image),
    clusterCount,
    count: kept.length,
    isPart,
    totals: { of, images, rows },
  }
}

function seedsInCommon(a: Measured, b: Measured): readonly [readonly MeasuredSeed[], readonly MeasuredSeed[]] {
  const common = a.seeds.filter(({ seed }) => b.seeds.some((each) => each.seed === seed))
  return common.length === 0 ? [a.seeds, b.seeds] : [common, common.map(({ seed }) => b.seeds.find((each) => each.seed === seed)!)]
}

function rowsOf(of: readonly (Float64Array | null)[]): readonly Float64Array[] | null {
  const rows = of.filter((each) => each !== null)
  return rows.length === of.length && rows.length > 0 ? rows : null
}

/** Places that every row has. @param width  numbers a place */
function placesOf(rows: readonly Float64Array[], width: number): Int32Array {
  const kept: number[] = []
  for (let i = 0; i < rows[0]!.length / width; i++) if (rows.every((row) => !Number.isNaN(row[i * width]))) kept.push(i)
  return Int32Array.from(kept)
}

function countOf(row: Float64Array, width: number): number {
  let count = 0
  for (let at = 0; at < row.length; at += width) if (!Number.isNaN(row[at])) count++
  return count
}

function taken(row: Float64Array, places: Int32Array, width: number): Float64Array {
  if (places.length * width === row.length) return row
  const own = new Float64Array(places.length * width)
  places.forEach((place, i) => own.set(row.subarray(place * width, (place + 1) * width), i * width))
  return own
}

/** The items at these places, and the strata that they are in. */
function onlyAt(of: TotalledItems, places: Int32Array): TotalledItems {
  if (places.length === of.strata.length) return of
  const own = [...new Set(Array.from(places, (place) => of.strata[place]!))].sort((a, b) => a - b)
  const numbers = new Map(own.map((stratum, i) => [stratum, i]))
  return { ...of, strata: Int32Array.from(places, (place) => numbers.get(of.strata[place]!)!), names: own.map((stratum) => of.names[stratum]!) }
}

/** Images of the places kept, numbered from 0 without gaps. */
function renumbered({ clusters, clusterCount }: ItemPlaces, kept: Int32Array): ItemPlaces {
  if (kept.length === clusters.length) return { clusters, clusterCount }
  const numbers = new Map<number, number>()
  const own = Int32Array.from(kept, (i) => {
    const cluster = clusters[i]!
    const known = numbers.get(cluster) ?? numbers.size
    numbers.set(cluster, known)
    return known
  })
  return { clusters: own, clusterCount: numbers.size }
}

/** One column an image, scaled so that the mean over columns is the mean over items. */
function byImage(scores: Float64Array, clusters: Int32Array, clusterCount: number): Float64Array {
  const sums = new Float64Array(clusterCount)
  for (let i = 0; i < scores.length; i++) sums[clusters[i]!]! += (scores[i]! * clusterCount) / scores.length
  return sums
}

function meanOfRows(rows: readonly Float64Array[]): Float64Array {
  return rows.length === 1 ? rows[0]! : Float64Array.from(rows[0]!, (_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length)
}

/** An interval of no width is no knowledge: nothing varied, so nothing is known of how much it varies. */
function spread({ interval, standardError }: PairedT): Limits | null {
  return standardError > 1e-12 ? { low: interval.low, high: interval.high } : null
}

/** Seeds that all differ by exactly the same amount say nothing of how much seeds differ: no interval, and no test. */
function tested(found: PairedT, method: string): Pick<MeasuredDifference, 'difference' | 'limits' | 'p' | 'method'> {
  const limits = spread(found)
  if (limits !== null) return { difference: found.difference, limits, p: found.p, method }
  const isEqual = Math.abs(found.difference) < 1e-12
  return { difference: found.difference, limits, p: isEqual ? 1 : null, method: isEqual ? method : 'every seed and item differs by exactly as much, which says nothing of chance' }
}

