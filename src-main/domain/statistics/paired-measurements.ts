// Two encoders on one metric: which test the numbers allow, its interval and p, effect sizes by name, and how many more items
// or seeds would decide. The strongest basis that is honest is taken, in this order: seeds and items both random; items of one
// seed, clustered by image; seeds alone; nothing. Items count only where their mean is the number that was reported.

import type { Random } from '../random.ts'
import { clusteredDifference } from './clustered-difference.ts'
import { cohensH, mean, standardDeviation } from './description.ts'
import { normalQuantile } from './distributions.ts'
import { oneSampleT, pairedT, wilsonInterval, type PairedT } from './intervals.ts'
import { itemsNeeded, itemsNeededMcNemar } from './planning.ts'
import { seedsAndItems, unpairedSeeds, unpairedSeedsAndItems, type SeedsAndItems } from './seeds-and-items.ts'

/** The items that stand behind a metric, in one order for all who are compared. */
export interface ItemPlaces {
  /** Number of each item's image, (n). */
  readonly clusters: Int32Array
  readonly clusterCount: number
}

export interface MeasuredSeed {
  /** null: an encoder that no seed of ours made. */
  readonly seed: number | null
  readonly value: number
  readonly n: number
  /** Of each item, NaN where it was not measured, (n); null: the items' mean is not the value. */
  readonly scores: Float64Array | null
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

export interface Effect {
  /** "Cohen’s d_z". */
  readonly name: string
  readonly value: number
  /** "small", by its author's own convention. */
  readonly size: string
}

export interface Needed {
  /** Items beyond those there are; null: more items do not decide it. */
  readonly moreItems: number | null
  /** Seeds beyond those there are; null: not a question of seeds, or unknown. */
  readonly moreSeeds: number | null
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
const POWER = 0.8

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

export const meanOverSeeds = ({ seeds }: Measured): number => mean(seeds.map(({ value }) => value))

/** The interval of one encoder's mean, or null where nothing that varied is known. */
export function intervalOfMean(measured: Measured, items: ItemPlaces, isShare: boolean, random: Random): Limits | null {
  const limits = limitsOfMean(measured, items, random)
  // Student's t knows no end of the scale.
  return limits === null || !isShare ? limits : { low: Math.max(0, limits.low), high: Math.min(1, limits.high) }
}

function limitsOfMean({ seeds }: Measured, items: ItemPlaces, random: Random): Limits | null {
  const rows = rowsOf(seeds)
  if (seeds.length >= 2 && rows === null) return spread(oneSampleT(seeds.map(({ value }) => value), LEVEL))
  if (rows === null) return seeds[0]!.limits
  const kept = placesIn(rows)
  const { clusters, clusterCount } = renumbered(items, kept)
  if (clusterCount < 2) return seeds.length === 1 ? seeds[0]!.limits : null
  const scores = rows.map((row) => taken(row, kept))
  if (seeds.length >= 2) {
    const columns = scores.map((row) => byImage(row, clusters, clusterCount))
    const overSeeds = spread(seedsAndItems(columns.map((row) => row.map(() => 0)), columns, LEVEL))
    if (overSeeds !== null) return overSeeds
  }
  const [only] = scores
  if (scores.flatMap((row) => [...row]).every((value) => value === 0 || value === 1) && (seeds.length > 1 || clusterCount === kept.length))
    return wilsonInterval(only!.reduce((sum, value) => sum + value, 0), only!.length, LEVEL)
  if (seeds.length >= 2) return null
  const nought = new Float64Array(kept.length)
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
  const [of, to] = sharesSeeds ? inCommon(a, b) : [a.seeds, b.seeds]
  const isPaired = sharesSeeds && of.length === to.length && of.every(({ seed }, s) => seed === to[s]!.seed)
  const difference = mean(to.map(({ value }) => value)) - mean(of.map(({ value }) => value))
  const [rowsA, rowsB] = [rowsOf(of), rowsOf(to)]
  if (rowsA === null || rowsB === null) return overSeedsAlone(of, to, difference, isPaired)
  const kept = placesIn([...rowsA, ...rowsB])
  const { clusters, clusterCount } = renumbered(items, kept)
  if (clusterCount < 2) return overSeedsAlone(of, to, difference, isPaired)
  const [scoresA, scoresB] = [rowsA.map((row) => taken(row, kept)), rowsB.map((row) => taken(row, kept))]
  const isPart = [...rowsA, ...rowsB].some((row) => countOf(row) > kept.length)
  const where = `${kept.length} items${isPart ? ' that both answered' : ''}${clusterCount < kept.length ? ` in ${clusterCount} images` : ''}`
  const perImage = kept.length / clusterCount
  const shares = shareEffect(scoresA, scoresB)

  if (of.length >= 2 && to.length >= 2) {
    const [columnsA, columnsB] = [scoresA, scoresB].map((rows) => rows.map((row) => byImage(row, clusters, clusterCount))) as [Float64Array[], Float64Array[]]
    const paired = isPaired ? seedsAndItems(columnsA, columnsB, LEVEL) : null
    const found = paired ?? unpairedSeedsAndItems(columnsA, columnsB, LEVEL)
    return {
      ...tested(found),
      basis: `${where} × ${isPaired ? `${of.length} seeds` : `${of.length} and ${to.length} seeds`}`,
      method: isPaired
        ? 'seeds and items both random: variance components, Student t with Satterthwaite’s degrees of freedom'
        : 'items paired, each encoder’s seeds its own: both random, Student t with Satterthwaite’s degrees of freedom',
      effects: [...effectOfMeans(scoresA, scoresB), ...shares],
      needed: paired && neededWithSeeds(paired, perImage),
    }
  }

  const [meanA, meanB] = [meanOfRows(scoresA), meanOfRows(scoresB)]
  const found = clusteredDifference(meanA, meanB, clusters, clusterCount, { random, level: LEVEL })
  const isOneSeed = of.length === 1 && to.length === 1
  const limits = found.low === found.high && found.standardError === 0 ? null : { low: found.low, high: found.high }
  const tests = { mcnemar: 'McNemar’s exact test', 'sign-flip': 'sign-flip test over images', student: 'Student t with standard errors clustered by image' }
  const intervals = { bootstrap: 'paired bootstrap over images', student: 'clustered Student interval' }
  return {
    difference: found.difference,
    limits,
    p: found.p,
    basis: `${where}${isOneSeed ? ', one seed' : ', one encoder has one seed'}`,
    method: `${tests[found.test]}, ${intervals[found.interval]}: of new images, not of new seeds`,
    effects: [...effectOfMeans(scoresA, scoresB), ...oddsOf(found.discordant), ...shares],
    needed: neededOfItems(found, perImage),
  }
}

function overSeedsAlone(a: readonly MeasuredSeed[], b: readonly MeasuredSeed[], difference: number, isPaired: boolean): MeasuredDifference {
  const [valuesA, valuesB] = [a.map(({ value }) => value), b.map(({ value }) => value)]
  const nothing = { effects: [], needed: null }
  if (a.length >= 2 && b.length >= 2)
    return isPaired
      ? { ...tested(pairedT(valuesA, valuesB, LEVEL)), ...nothing, basis: `${a.length} seeds`, method: 'paired Student t over seeds' }
      : { ...tested(unpairedSeeds(valuesA, valuesB, LEVEL)), ...nothing, basis: `${a.length} and ${b.length} seeds`, method: 'Welch’s t over seeds' }
  return { difference, limits: null, p: null, ...nothing, basis: 'one seed, no items', method: 'none: one number a side has no spread' }
}

function inCommon(a: Measured, b: Measured): readonly [readonly MeasuredSeed[], readonly MeasuredSeed[]] {
  const common = a.seeds.filter(({ seed }) => b.seeds.some((each) => each.seed === seed))
  return common.length === 0 ? [a.seeds, b.seeds] : [common, common.map(({ seed }) => b.seeds.find((each) => each.seed === seed)!)]
}

function rowsOf(seeds: readonly MeasuredSeed[]): readonly Float64Array[] | null {
  const rows = seeds.flatMap(({ scores }) => (scores === null ? [] : [scores]))
  return rows.length === seeds.length && rows.length > 0 ? rows : null
}

/** Places that every row has. */
function placesIn(rows: readonly Float64Array[]): Int32Array {
  const kept: number[] = []
  for (let i = 0; i < rows[0]!.length; i++) if (rows.every((row) => !Number.isNaN(row[i]))) kept.push(i)
  return Int32Array.from(kept)
}

const countOf = (row: Float64Array) => row.reduce((count, value) => (Number.isNaN(value) ? count : count + 1), 0)

function taken(row: Float64Array, places: Int32Array): Float64Array {
  return places.length === row.length ? row : Float64Array.from(places, (i) => row[i]!)
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
function tested(found: PairedT): Pick<MeasuredDifference, 'difference' | 'limits' | 'p'> {
  const limits = spread(found)
  return { difference: found.difference, limits, p: limits !== null ? found.p : Math.abs(found.difference) < 1e-12 ? 1 : null }
}

const SIZES = [
  ['negligible', 0],
  ['small', 1],
  ['medium', 2],
  ['large', 3],
] as const
function sizeBy(value: number, bounds: readonly [number, number, number]): string {
  const above = bounds.filter((bound) => Math.abs(value) >= bound).length
  return SIZES.find(([, at]) => at === above)![0]
}

/** Cohen's d_z over items, seeds averaged. */
function effectOfMeans(a: readonly Float64Array[], b: readonly Float64Array[]): readonly Effect[] {
  const [meanA, meanB] = [meanOfRows(a), meanOfRows(b)]
  const differences = Float64Array.from(meanA, (value, i) => meanB[i]! - value)
  if (differences.length < 2) return []
  const [centre, deviation] = [mean(differences), standardDeviation(differences)]
  if (deviation < 1e-12) return []
  return [{ name: 'Cohen’s d_z', value: centre / deviation, size: sizeBy(centre / deviation, [0.2, 0.5, 0.8]) }]
}

/** Cohen's h, where scores are shares. */
function shareEffect(a: readonly Float64Array[], b: readonly Float64Array[]): readonly Effect[] {
  const [shareA, shareB] = [a, b].map((rows) => mean(rows.map(mean))) as [number, number]
  if ([shareA, shareB].some((share) => share < 0 || share > 1)) return []
  const h = cohensH(shareA, shareB)
  return [{ name: 'Cohen’s h', value: h, size: sizeBy(h, [0.2, 0.5, 0.8]) }]
}

/** Of the items that only one got right, how many times as many are b's; half an item is added to both (Haldane 1956). */
function oddsOf(discordant: { readonly aOnly: number; readonly bOnly: number } | null): readonly Effect[] {
  if (discordant === null || discordant.aOnly + discordant.bOnly === 0) return []
  const odds = (discordant.bOnly + 0.5) / (discordant.aOnly + 0.5)
  const g = odds / (1 + odds) - 0.5
  return [{ name: 'odds ratio of discordant items', value: odds, size: sizeBy(g, [0.05, 0.15, 0.25]) }]
}

function neededOfItems(found: ReturnType<typeof clusteredDifference>, perImage: number): Needed | null {
  if (Math.abs(found.difference) < 1e-12) return null
  const { discordant, items, clusters, difference } = found
  const total =
    discordant !== null && clusters === items
      ? itemsNeededMcNemar(difference, (discordant.aOnly + discordant.bOnly) / items, { power: POWER })
      : itemsNeeded(difference, found.standardError * Math.sqrt(clusters), { power: POWER }) * perImage
  return { moreItems: Math.max(0, Math.ceil(total - items)), moreSeeds: null }
}

/** Var(d̄) = σ²_s/S + (σ²_i + σ²_r/S)/I must come down to (δ/(z_{1−α/2} + z_power))². */
function neededWithSeeds({ difference, variances, seeds, items }: SeedsAndItems, perImage: number): Needed | null {
  if (Math.abs(difference) < 1e-12) return null
  const target = (difference / (normalQuantile(0.975) + normalQuantile(POWER))) ** 2
  const left = target - variances.seed / seeds
  const images = left > 0 ? (variances.item + variances.residual / seeds) / left : null
  const leftOfItems = target - variances.item / items
  const more = leftOfItems > 0 ? (variances.seed + variances.residual / items) / leftOfItems : null
  return {
    moreItems: images === null ? null : Math.max(0, Math.ceil((images - items) * perImage)),
    moreSeeds: more === null ? null : Math.max(0, Math.ceil(more) - seeds),
  }
}
