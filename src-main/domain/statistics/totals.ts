// Chance in a score that is a function of totals (F1, MME's points, mean IoU; see domain/score-of-totals.ts). Images are drawn
// whole, and among those that have items of the same strata: how many pictures a sub-task has is fixed, and no draw loses one.
// The interval of a difference is the paired bootstrap of the score itself; its test exchanges the two models' answers image by
// image (approximate randomisation, Noreen 1989; Yeh 2000, arXiv cs/0008005). For variance components the score is linearised:
// jackknife pseudo-values, one an image, whose mean is the score (Efron & Tibshirani 1993, chapter 11).

import type { Random } from '../random.ts'
import type { ItemTerms, ScoreOfTotals, Total } from '../score-of-totals.ts'
import { drawBinomial, drawMultinomial } from './binomial.ts'
import { mean, quantileOfSorted, standardDeviation, tailsOf } from './description.ts'
import { studentInterval } from './intervals.ts'

/** How items make a score. */
export interface TotalledItems {
  readonly score: ScoreOfTotals
  /** Of each item a place in `names`, (n). */
  readonly strata: Int32Array
  readonly names: readonly string[]
  /** Terms an item, k. */
  readonly width: number
}

/** Items laid out by image. */
export interface Images {
  readonly count: number
  /** Items, those of image c from `starts[c]` to `starts[c + 1]`. */
  readonly items: Int32Array
  readonly starts: Int32Array
  /** Images that have items of the same strata. */
  readonly groups: readonly Int32Array[]
}

/** One encoder's terms of every item, once a seed: (n, k) each. */
export type TermRows = readonly Float64Array[]

/** Images of one kind contribute alike to every row. */
interface Kinds {
  /** An image of each kind, by group. */
  readonly images: readonly Int32Array[]
  readonly counts: readonly Int32Array[]
}

/** Drawing by kind is quicker than by image where a kind has so many images. */
const WORTH_COUNTING = 8
/** From so many images on, drawn one by one, Student's interval and test with the jackknife's standard error take their place. */
const MANY_IMAGES = 2000
/** All exchanges are tried up to so many images that differ. */
const EXACT_UP_TO = 12

/** Items with their terms, as many each: how they make the score, and the terms (n, k). */
export function totalled(score: ScoreOfTotals, terms: readonly ItemTerms[]): { readonly of: TotalledItems; readonly terms: Float64Array } {
  const names = [...new Set(terms.map(({ stratum }) => stratum))]
  const numbers = new Map(names.map((name, i) => [name, i]))
  const width = terms[0]?.terms.length ?? 1
  const of = { score, names, width, strata: Int32Array.from(terms, ({ stratum }) => numbers.get(stratum)!) }
  return { of, terms: Float64Array.from(terms.flatMap((each) => each.terms)) }
}

export function imagesOf({ strata }: TotalledItems, clusters: Int32Array, clusterCount: number): Images {
  const starts = new Int32Array(clusterCount + 1)
  for (const cluster of clusters) starts[cluster + 1]!++
  for (let c = 0; c < clusterCount; c++) starts[c + 1]! += starts[c]!
  const next = starts.slice()
  const items = new Int32Array(clusters.length)
  clusters.forEach((cluster, i) => (items[next[cluster]!++] = i))
  const groups = Map.groupBy(
    Array.from({ length: clusterCount }, (_, c) => c),
    (c) => [...new Set(Array.from(items.subarray(starts[c], starts[c + 1]), (i) => strata[i]!))].sort((a, b) => a - b).join(),
  )
  return { count: clusterCount, items, starts, groups: [...groups.values()].map((own) => Int32Array.from(own)) }
}

/** The score of all items. */
export function scoreOfItems(of: TotalledItems, terms: Float64Array): number {
  const sums = new Sums(of)
  for (let i = 0; i < of.strata.length; i++) sums.add(terms, i, 1)
  return sums.score()
}

/**
 * Pseudo-values of the score, one an image, (C): θ + (C_h − 1)·(θ̄ − θ₍ᵢ₎), θ₍ᵢ₎ without image i of its group h. Their mean is
 * the score, and the variance of their mean is the jackknife's of groups drawn apart.
 */
export function linearised(of: TotalledItems, images: Images, terms: Float64Array): Float64Array {
  const sums = new Sums(of)
  for (let i = 0; i < of.strata.length; i++) sums.add(terms, i, 1)
  const score = sums.score()
  const values = new Float64Array(images.count).fill(score)
  for (const group of images.groups) {
    const size = group.length
    // One picture alone says nothing of chance.
    if (size < 2) continue
    const without = Float64Array.from(group, (image) => {
      addImage(sums, images, image, terms, -1)
      const left = sums.score()
      addImage(sums, images, image, terms, 1)
      return left
    })
    const centre = mean(without)
    // Groups of their own sizes within one mean over all images: each keeps its share of the variance.
    const scale = (size - 1) * Math.sqrt((images.count * (images.count - 1)) / (size * (size - 1)))
    group.forEach((image, i) => (values[image] = score + scale * (centre - without[i]!)))
  }
  return values
}

export interface Limits {
  readonly low: number
  readonly high: number
}

const RESAMPLES = 2000

/** Percentile bootstrap of the score, seeds averaged; null where nothing varied. */
export function intervalOfTotals(of: TotalledItems, images: Images, rows: TermRows, random: Random, level: number, resamples = RESAMPLES): Limits | null {
  if (images.groups.every(({ length }) => length < 2)) return null
  const kinds = kindsOf(of, images, rows)
  const limits =
    kinds === null && images.count > MANY_IMAGES
      ? studentOf(meanOver(rows.map((row) => linearised(of, images, row))), level).interval
      : percentiles(draws(of, images, kinds, [], rows, random, resamples), level)
  return limits.low === limits.high ? null : { low: limits.low, high: limits.high }
}

export interface TotalsDifference extends Limits {
  /** b − a. */
  readonly difference: number
  /** Two-sided. */
  readonly p: number
  /** By the jackknife. */
  readonly standardError: number
  readonly items: number
  readonly clusters: number
  readonly discordant: null
  readonly interval: 'bootstrap' | 'student'
  readonly test: 'exchange' | 'student'
}

/**
 * The paired difference of one score between two encoders that answered the same items; several seeds of a side are averaged.
 * Answers can be exchanged only where both have as many seeds; else the test is Student's over the pseudo-values.
 */
export function differenceOfTotals(of: TotalledItems, images: Images, a: TermRows, b: TermRows, options: { readonly random: Random; readonly level: number; readonly resamples?: number }): TotalsDifference {
  const { random, level, resamples = RESAMPLES } = options
  const over = (rows: TermRows) => meanOver(rows.map((row) => linearised(of, images, row)))
  const [ofA, ofB] = [over(a), over(b)]
  const student = studentOf(ofB.map((value, i) => value - ofA[i]!), level)
  const kinds = kindsOf(of, images, [...a, ...b])
  const isStudent = kinds === null && images.count > MANY_IMAGES
  const { low, high } = isStudent || student.standardError === 0 ? student.interval : percentiles(draws(of, images, kinds, a, b, random, resamples), level)
  const isExchanged = !isStudent && a.length === 1 && b.length === 1
  return {
    difference: student.difference,
    low,
    high,
    p: isExchanged ? exchangeP(of, images, kinds, a[0]!, b[0]!, student.difference, random, resamples) : student.p,
    standardError: student.standardError,
    items: of.strata.length,
    clusters: images.count,
    discordant: null,
    interval: isStudent ? 'student' : 'bootstrap',
    test: isExchanged ? 'exchange' : 'student',
  }
}

/** Running totals of every stratum. */
class Sums {
  readonly #of: TotalledItems
  readonly #sums: Float64Array
  readonly #totals: readonly Total[]
  constructor(of: TotalledItems) {
    this.#of = of
    this.#sums = new Float64Array(of.names.length * of.width)
    this.#totals = of.names.map((stratum, s) => ({ stratum, terms: this.#sums.subarray(s * of.width, (s + 1) * of.width) }))
  }
  clear(): void {
    this.#sums.fill(0)
  }
  set(from: Sums): void {
    this.#sums.set(from.#sums)
  }
  add(terms: Float64Array, item: number, times: number): void {
    const { width, strata } = this.#of
    const [to, from] = [strata[item]! * width, item * width]
    for (let t = 0; t < width; t++) this.#sums[to + t]! += times * terms[from + t]!
  }
  score(): number {
    return this.#of.score(this.#totals)
  }
}

function addImage(sums: Sums, { items, starts }: Images, image: number, terms: Float64Array, times: number): void {
  if (times === 0) return
  for (let at = starts[image]!; at < starts[image + 1]!; at++) sums.add(terms, items[at]!, times)
}

const meanOver = (rows: readonly Float64Array[]): Float64Array =>
  rows.length === 1 ? rows[0]! : Float64Array.from(rows[0]!, (_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length)

const studentOf = (values: Float64Array, level: number) =>
  studentInterval(mean(values), values.length < 2 ? 0 : standardDeviation(values) / Math.sqrt(values.length), Math.max(1, values.length - 1), level)

function percentiles(values: Float64Array, level: number): Limits {
  values.sort()
  const [low, high] = tailsOf(level)
  return { low: quantileOfSorted(values, low), high: quantileOfSorted(values, high) }
}

/** Images that contribute alike, by group; null where they are nearly as many as the images. */
function kindsOf({ width, strata }: TotalledItems, { groups, items, starts, count }: Images, rows: TermRows): Kinds | null {
  const most = count / WORTH_COUNTING
  let found = 0
  const [images, counts]: [Int32Array[], Int32Array[]] = [[], []]
  for (const group of groups) {
    const kinds = new Map<string, { readonly image: number; count: number }>()
    for (const image of group) {
      const parts: string[] = []
      for (let at = starts[image]!; at < starts[image + 1]!; at++) {
        const item = items[at]!
        let part = `${strata[item]}:`
        for (const row of rows) for (let t = 0; t < width; t++) part += `${row[item * width + t]},`
        parts.push(part)
      }
      const key = parts.length === 1 ? parts[0]! : parts.sort().join(';')
      const known = kinds.get(key)
      if (known) known.count++
      else if (++found > most) return null
      else kinds.set(key, { image, count: 1 })
    }
    images.push(Int32Array.from(kinds.values(), (kind) => kind.image))
    counts.push(Int32Array.from(kinds.values(), (kind) => kind.count))
  }
  return { images, counts }
}

/** mean over b's rows of the score less that over a's, of images drawn with replacement within their groups. */
function draws(of: TotalledItems, images: Images, kinds: Kinds | null, a: TermRows, b: TermRows, random: Random, resamples: number): Float64Array {
  const rows = [...a, ...b]
  const sums = rows.map(() => new Sums(of))
  const found = new Float64Array(resamples)
  const drawn = kinds?.counts.map(({ length }) => new Int32Array(length))
  const addTo = (image: number, times: number) => rows.forEach((row, r) => addImage(sums[r]!, images, image, row, times))
  for (let r = 0; r < resamples; r++) {
    for (const each of sums) each.clear()
    images.groups.forEach((group, g) => {
      if (kinds !== null) {
        const times = drawn![g]!
        drawMultinomial(kinds.counts[g]!, group.length, random, times)
        times.forEach((each, k) => each > 0 && addTo(kinds.images[g]![k]!, each))
      } else for (let i = 0; i < group.length; i++) addTo(group[random.integer(group.length)]!, 1)
    })
    sums.forEach((each, at) => (found[r]! += at < a.length ? -each.score() / a.length : each.score() / b.length))
  }
  return found
}

/**
 * Two-sided p of the difference under exchange of the two models' answers to an image: all 2^m exchanges of the m images that
 * differ where m is small, else (1 + #{|d*| ≥ |d|})/(1 + R).
 */
function exchangeP(of: TotalledItems, images: Images, kinds: Kinds | null, a: Float64Array, b: Float64Array, difference: number, random: Random, exchanges: number): number {
  const { width } = of
  const differs = (image: number) => {
    for (let at = images.starts[image]!; at < images.starts[image + 1]!; at++)
      for (let t = images.items[at]! * width; t < (images.items[at]! + 1) * width; t++) if (a[t] !== b[t]) return true
    return false
  }
  const [restA, restB, sumsA, sumsB] = [new Sums(of), new Sums(of), new Sums(of), new Sums(of)]
  const units = (kinds === null ? images.groups.map((group) => ({ own: group, counts: null })) : kinds.images.map((own, g) => ({ own, counts: kinds.counts[g]! }))).flatMap(
    ({ own, counts }) => Array.from(own, (image, i) => ({ image, count: counts === null ? 1 : counts[i]! })),
  )
  const open: { readonly image: number; readonly count: number }[] = []
  for (const unit of units)
    if (differs(unit.image)) open.push(unit)
    else {
      addImage(restA, images, unit.image, a, unit.count)
      addImage(restB, images, unit.image, b, unit.count)
    }
  const threshold = Math.abs(difference) * (1 - 1e-9) - 1e-12
  /** Of each open unit so many images are exchanged. */
  const isExtreme = (exchanged: (at: number) => number): boolean => {
    sumsA.set(restA)
    sumsB.set(restB)
    open.forEach(({ image, count }, at) => {
      const other = exchanged(at)
      addImage(sumsA, images, image, a, count - other)
      addImage(sumsA, images, image, b, other)
      addImage(sumsB, images, image, b, count - other)
      addImage(sumsB, images, image, a, other)
    })
    return Math.abs(sumsB.score() - sumsA.score()) >= threshold
  }
  const m = open.reduce((sum, { count }) => sum + count, 0)
  if (m <= EXACT_UP_TO) {
    const flat = open.flatMap(({ count }, at) => Array.from({ length: count }, () => at))
    let extreme = 0
    for (let pattern = 0; pattern < 2 ** m; pattern++) {
      const exchanged = new Int32Array(open.length)
      flat.forEach((at, i) => pattern & (1 << i) && exchanged[at]!++)
      if (isExtreme((at) => exchanged[at]!)) extreme++
    }
    return extreme / 2 ** m
  }
  let extreme = 1
  for (let r = 0; r < exchanges; r++) if (isExtreme((at) => (open[at]!.count === 1 ? random.integer(2) : drawBinomial(open[at]!.count, 0.5, random)))) extreme++
  return extreme / (exchanges + 1)
}
