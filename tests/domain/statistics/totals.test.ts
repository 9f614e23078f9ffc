// Scores that are functions of totals: their published definitions by hand, their tests against every exchange written out, their
// variance against closed forms, and by simulation what their intervals promise.

import { describe, expect, it } from 'vitest'
import { createRandom, type Random } from '../../../src-main/domain/random.ts'
import { scoreOfTotals, type ItemTerms } from '../../../src-main/domain/score-of-totals.ts'
import { differenceOf, intervalOfMean, termsOfScore, type ItemPlaces, type Measured } from '../../../src-main/domain/statistics/paired-measurements.ts'
import { differenceOfTotals, imagesOf, intervalOfTotals, linearised, scoreOfItems, totalled, type TotalledItems } from '../../../src-main/domain/statistics/totals.ts'
import { segmentationScores } from '../../../src-main/engine/evaluate/measures/segmentation-scores.ts'

const random = () => createRandom(0, 'totals')
const each = (n: number) => Int32Array.from({ length: n }, (_, i) => i)
const f1 = scoreOfTotals('benchmark/pope/f1')!
const points = scoreOfTotals('benchmark/mme/perception')!
/** A question of POPE: what was said and what is, 'y' or 'n' each. */
const pope = (said: string, is: string): ItemTerms => ({ stratum: '', terms: [said === 'y' && is === 'y' ? 1 : 0, said === 'y' ? 1 : 0, is === 'y' ? 1 : 0] })
const popes = (said: string, is: string) => totalled(f1, [...said].map((s, i) => pope(s, is[i]!)))
/** A picture of MME with so many of its two questions right. */
const mme = (stratum: string, right: number): ItemTerms => ({ stratum, terms: [right, 2, right === 2 ? 1 : 0, 1] })
const of = (metric: string, items: readonly ItemTerms[]) => {
  const made = totalled(scoreOfTotals(metric)!, items)
  return scoreOfItems(made.of, made.terms)
}

describe('published scores', () => {
  it('POPE: TP 2, FP 1, FN 2 give precision 2/3, recall 1/2, F1 4/7; nothing said and nothing there give 0', () => {
    const items = [...'yyyny'].map((said, i) => pope(said, 'yynyn'[i]!)).slice(0, 3).concat(pope('n', 'y'), pope('n', 'y'))
    expect(['precision', 'recall', 'f1'].map((name) => of(`benchmark/pope/${name}/random`, items))).toEqual([2 / 3, 2 / 4, expect.closeTo(4 / 7, 15)])
    expect(['precision', 'recall', 'f1'].map((name) => of(`benchmark/pope/${name}`, [pope('n', 'n')]))).toEqual([0, 0, 0])
  })

  it('MME: accuracy and accuracy⁺ of each sub-task in points, summed; CV-Bench: sources count alike; OCRBench: a sum', () => {
    expect(of('benchmark/mme/perception', [mme('existence', 2), mme('existence', 1), mme('ocr', 2)])).toBe(125 + 200)
    const cv = (stratum: string, right: number): ItemTerms => ({ stratum, terms: [right, 1] })
    const questions = [cv('ADE20K', 1), cv('ADE20K', 0), cv('ADE20K', 0), cv('ADE20K', 0), cv('COCO', 1)]
    expect(of('benchmark/cv-bench/2d', questions)).toBe((0.25 + 1) / 2)
    expect(of('benchmark/cv-bench/overall', [...questions, cv('Omni3D', 0)])).toBe(0.3125)
    expect(of('benchmark/ocrbench/points', [1, 0, 1].map((right) => ({ stratum: '', terms: [right] })))).toBe(2)
  })

  it('mean IoU is that of the segmentation scores, classes that never occur left out', () => {
    const counts = [[[3, 0, 0], [1, 0, 0], [0, 2, 0]], [[1, 4, 0], [0, 1, 0], [2, 0, 0]]] as const
    const [tp, fp, fn] = [0, 1, 2].map((k) => Float64Array.from([0, 1, 2], (c) => counts.reduce((sum, image) => sum + image[k]![c]!, 0)))
    const expected = segmentationScores({ truePositives: tp!, falsePositives: fp!, falseNegatives: fn!, decisions: 1, correct: 0 }).meanIou
    expect(of('segmentation/mean-iou', counts.map((image) => ({ stratum: '', terms: image.flat() })))).toBeCloseTo(expected, 15)
  })
})

describe('linearised', () => {
  it('of a mean the pseudo-values are the scores themselves', () => {
    const scores = [0, 1, 0.5, 0.25, 1]
    const made = totalled((totals) => totals[0]!.terms[0]! / totals[0]!.terms[1]!, scores.map((score) => ({ stratum: '', terms: [score, 1] })))
    const values = linearised(made.of, imagesOf(made.of, each(5), 5), made.terms)
    values.forEach((value, i) => expect(value).toBeCloseTo(scores[i]!, 12))
  })

  it('their mean is the score, whatever it is made of', () => {
    const stream = random()
    const items = Array.from({ length: 60 }, (_, i) => mme(`task ${i % 4}`, stream.integer(3)))
    const made = totalled(points, items)
    const values = linearised(made.of, imagesOf(made.of, each(60), 60), made.terms)
    expect(values.reduce((sum, value) => sum + value, 0) / 60).toBeCloseTo(scoreOfItems(made.of, made.terms), 8)
  })

  it('sub-tasks are drawn apart: the variance of their sum is Σ s²/n, of pictures of two questions exactly', () => {
    const right = { scene: [2, 1, 0, 2, 1, 1], ocr: [0, 0, 2] }
    const made = totalled(points, Object.entries(right).flatMap(([task, of]) => of.map((each) => mme(task, each))))
    const nobody = totalled(points, Object.entries(right).flatMap(([task, of]) => of.map(() => mme(task, 0))))
    const found = differenceOfTotals(made.of, imagesOf(made.of, each(9), 9), [nobody.terms], [made.terms], { random: random(), level: 0.95 })
    const worth = (each: number) => 100 * (each / 2 + (each === 2 ? 1 : 0))
    const variance = (of: readonly number[]) => {
      const values = of.map(worth)
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length
      return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)
    }
    expect(found.standardError).toBeCloseTo(Math.sqrt(variance(right.scene) / 6 + variance(right.ocr) / 3), 8)
  })
})

describe('the exchange test', () => {
  it('is every exchange of the images that differ, written out', () => {
    const is = 'yyyynnnnyynn'
    const [saidA, saidB] = ['ynynnyynnnny', 'yyyynynnyynn']
    const [a, b] = [popes(saidA, is), popes(saidB, is)]
    // Two questions an image: six images.
    const images = imagesOf(a.of, Int32Array.from({ length: 12 }, (_, i) => i >> 1), 6)
    const found = differenceOfTotals(a.of, images, [a.terms], [b.terms], { random: random(), level: 0.95 })
    const score = (said: string) => {
      const made = popes(said, is)
      return scoreOfItems(made.of, made.terms)
    }
    const observed = Math.abs(score(saidB) - score(saidA))
    let extreme = 0
    for (let pattern = 0; pattern < 64; pattern++) {
      const swapped = (mine: string, theirs: string) => [...mine].map((letter, i) => (pattern & (1 << (i >> 1)) ? theirs[i]! : letter)).join('')
      if (Math.abs(score(swapped(saidB, saidA)) - score(swapped(saidA, saidB))) >= observed - 1e-9) extreme++
    }
    expect(found).toMatchObject({ test: 'exchange', p: extreme / 64, difference: expect.closeTo(score(saidB) - score(saidA), 12) })
    expect(found.p).toBeGreaterThan(0)
    expect(found.p).toBeLessThan(1)
  })

  it('of the same answers finds nothing: p 1, no width', () => {
    const a = popes('yynnyn', 'ynnnyy')
    expect(differenceOfTotals(a.of, imagesOf(a.of, each(6), 6), [a.terms], [a.terms], { random: random(), level: 0.95 })).toMatchObject({ p: 1, difference: 0, low: 0, high: 0 })
  })

  it('rejects a true equality about once in twenty times, and its interval holds the truth', () => {
    const [studies, n] = [160, 80]
    let [rejected, covered] = [0, 0]
    for (let study = 0; study < studies; study++) {
      const stream = createRandom(study, 'exchange')
      const is = Array.from({ length: n }, () => (stream.uniform() < 0.5 ? 'y' : 'n')).join('')
      const answer = () => [...is].map((each) => (stream.uniform() < 0.75 ? each : each === 'y' ? 'n' : 'y')).join('')
      const [a, b] = [popes(answer(), is), popes(answer(), is)]
      const images = imagesOf(a.of, Int32Array.from({ length: n }, (_, i) => i >> 1), n / 2)
      const { p, low, high } = differenceOfTotals(a.of, images, [a.terms], [b.terms], { random: stream, level: 0.95, resamples: 400 })
      if (p <= 0.05) rejected++
      if (low <= 0 && high >= 0) covered++
    }
    expect(rejected / studies).toBeLessThan(0.1)
    expect(covered / studies).toBeGreaterThan(0.88)
  })
})

describe('the bootstrap', () => {
  const many = (n: number, stream: Random) => {
    const is = Array.from({ length: n }, () => (stream.uniform() < 0.5 ? 'y' : 'n')).join('')
    return popes([...is].map((each) => (stream.uniform() < 0.8 ? each : each === 'y' ? 'n' : 'y')).join(''), is)
  }
  const width = ({ low, high }: { readonly low: number; readonly high: number }) => high - low

  it('drawn by kinds and drawn image by image is the same interval', () => {
    const made = many(400, random())
    const images = imagesOf(made.of, each(400), 400)
    // Terms that nothing is made of keep images from being alike.
    const apart: TotalledItems = { ...made.of, width: 4, score: (totals) => f1(totals) }
    const terms = Float64Array.from({ length: 1600 }, (_, i) => (i % 4 === 3 ? i : made.terms[(i >> 2) * 3 + (i % 4)]!))
    const [byKind, byImage] = [intervalOfTotals(made.of, images, [made.terms], random(), 0.95)!, intervalOfTotals(apart, images, [terms], random(), 0.95)!]
    expect(byKind.low).toBeCloseTo(byImage.low, 2)
    expect(width(byKind)).toBeCloseTo(width(byImage), 2)
  })

  it('has no interval where no sub-task has two pictures', () => {
    const made = totalled(points, [mme('scene', 1), mme('ocr', 2)])
    expect(intervalOfTotals(made.of, imagesOf(made.of, each(2), 2), [made.terms], random(), 0.95)).toBeNull()
  })
})

describe('two encoders', () => {
  const is = 'yn'.repeat(40)
  const said = (wrong: (i: number) => boolean) => popes([...is].map((each, i) => (wrong(i) ? (each === 'y' ? 'n' : 'y') : each)).join(''), is)
  const measured = (...seeds: readonly ReturnType<typeof popes>[]): Measured => ({
    seeds: seeds.map(({ of, terms }, seed) => ({ seed, value: scoreOfItems(of, terms), n: 80, scores: null, terms, limits: null })),
  })
  const items: ItemPlaces = { clusters: Int32Array.from({ length: 80 }, (_, i) => i >> 1), clusterCount: 40, totals: said(() => false).of }

  it('of one seed are told apart by images, and it is said how', () => {
    const found = differenceOf(measured(said((i) => i % 3 === 0)), measured(said((i) => i % 20 === 0)), items, true, random())
    expect(found).toMatchObject({ basis: '80 items in 40 images, one seed', method: expect.stringContaining('exchange of the two answers') })
    expect(found.p).toBeLessThan(0.01)
    expect(found.limits!.low).toBeGreaterThan(0)
    expect(found.effects.map(({ name }) => name)).toEqual(['Cohen’s d_z over images'])
    expect(found.needed).toMatchObject({ moreItems: 0 })
  })

  it('of several seeds by seeds and items, as means are', () => {
    const [a, b] = [measured(said((i) => i % 3 === 0), said((i) => i % 4 === 0)), measured(said((i) => i % 9 === 0), said((i) => i % 8 === 1))]
    const found = differenceOf(a, b, items, true, random())
    expect(found).toMatchObject({ basis: '80 items in 40 images × 2 seeds', method: expect.stringContaining('linearised by the jackknife') })
    expect(found.difference).toBeCloseTo((b.seeds[0]!.value + b.seeds[1]!.value - a.seeds[0]!.value - a.seeds[1]!.value) / 2, 12)
    const limits = intervalOfMean(a, items, true, random())!
    expect([limits.low < a.seeds[0]!.value, limits.high > a.seeds[0]!.value]).toEqual([true, true])
  })

  it('of which one left questions out are compared on what both answered', () => {
    const half = said((i) => i % 5 === 0)
    const terms = half.terms.map((value, i) => (i < 60 ? NaN : value))
    const b = measured(half)
    const found = differenceOf(measured(said((i) => i % 3 === 0)), { seeds: [{ ...b.seeds[0]!, terms }] }, items, true, random())
    expect(found.basis).toBe('60 items that both answered in 30 images, one seed')
  })

  it('whose terms were not kept, or do not make the number, are not tested, and it is said why', () => {
    const seeds = measured(said(() => false)).seeds.map((seed) => ({ ...seed, terms: null }))
    expect(differenceOf({ seeds }, { seeds }, items, true, random())).toMatchObject({ p: null, method: expect.stringContaining('measure it again') })
    const { of, terms } = said((i) => i === 0)
    expect(termsOfScore(terms, of, scoreOfItems(of, terms))).toBe(terms)
    expect(termsOfScore(terms, of, 0.5)).toBeNull()
  })
})
