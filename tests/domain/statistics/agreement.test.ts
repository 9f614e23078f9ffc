// Reference values: the Python packages statsmodels, krippendorff and choix, as agreement-references.json says; hand arithmetic in
// the comments.

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { cohenKappa, fleissKappa, gwetAc1, krippendorffAlpha } from '../../../src-main/domain/statistics/agreement.ts'
import { bradleyTerry, type Comparison } from '../../../src-main/domain/statistics/bradley-terry.ts'
import { refusal } from '../../support/refusal.ts'

const references = JSON.parse(readFileSync(new URL('agreement-references.json', import.meta.url), 'utf8')) as {
  readonly agreement: readonly { readonly ratings: readonly (readonly number[])[]; readonly withGaps: readonly (readonly (number | null)[])[]; readonly cohen: number; readonly fleiss: number; readonly alpha: number; readonly alphaGaps: number }[]
  readonly bradleyTerry: { readonly players: number; readonly wins: readonly (readonly number[])[]; readonly strengths: readonly number[]; readonly strengthsWithRidge: readonly number[] }
}

describe("Cohen's kappa", () => {
  it('observed 0.7, expected 0.5: 0.4', () => {
    // 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: p_o = 35/50; p_e = ½·0.6 + ½·0.4.
    const pairs = [
      ...new Array(20).fill(['yes', 'yes']),
      ...new Array(5).fill(['yes', 'no']),
      ...new Array(10).fill(['no', 'yes']),
      ...new Array(15).fill(['no', 'no']),
    ] as [string, string][]
    expect(
      cohenKappa(
        pairs.map(([a]) => a),
        pairs.map(([, b]) => b),
      ),
    ).toEqual({ kind: 'defined', value: expect.closeTo(0.4, 12), observed: 0.7, expected: 0.5 })
  })

  it('perfect agreement is 1, perfect contradiction −1', () => {
    expect(cohenKappa([0, 1, 0, 1], [0, 1, 0, 1])).toMatchObject({ value: 1 })
    expect(cohenKappa([0, 1, 0, 1], [1, 0, 1, 0])).toMatchObject({ value: -1 })
  })

  it('one category only is undefined, with a reason, and never 1 or NaN', () => {
    expect(cohenKappa(['a', 'a'], ['a', 'a'])).toMatchObject({ kind: 'undefined', observed: 1 })
  })

  it('refuses no items, other items, missing ratings', () => {
    for (const call of [() => cohenKappa([], []), () => cohenKappa([1], [1, 2]), () => cohenKappa([NaN], [1])])
      expect(refusal(call)).toBe('invalid-input')
  })
})

describe('Fleiss and Gwet', () => {
  it('two raters who always agree on two categories: kappa 1, AC1 1', () => {
    const table = [
      [2, 0],
      [0, 2],
      [2, 0],
      [0, 2],
    ]
    expect(fleissKappa(table)).toMatchObject({ value: 1 })
    expect(gwetAc1(table)).toMatchObject({ value: 1 })
  })

  it('a rare category: 18 of 20 agree on the common one; kappa sinks below 0, AC1 stays near 0.89', () => {
    // shares 38/40, 2/40; observed 0.9; Fleiss expects 0.905, so −0.0526; Gwet expects 2·0.95·0.05 = 0.095, so 0.8895.
    const table = [...new Array<number[]>(18).fill([2, 0]), [1, 1], [1, 1]]
    expect(fleissKappa(table)).toMatchObject({ value: expect.closeTo(-0.005 / 0.095, 9) })
    expect(gwetAc1(table)).toMatchObject({ value: expect.closeTo(0.805 / 0.905, 9) })
  })

  it('one category only is undefined for Fleiss; AC1 knows the other column and says 1', () => {
    expect(
      fleissKappa([
        [3, 0],
        [3, 0],
      ]),
    ).toMatchObject({ kind: 'undefined' })
    expect(
      gwetAc1([
        [3, 0],
        [3, 0],
      ]),
    ).toMatchObject({ value: 1 })
    expect(gwetAc1([[3], [3]])).toMatchObject({ kind: 'undefined' })
  })

  it('refuses rows of other raters, fractions, single raters', () => {
    for (const call of [
      () =>
        fleissKappa([
          [2, 0],
          [1, 0],
        ]),
      () => fleissKappa([[1.5, 0.5]]),
      () => fleissKappa([[1, 0]]),
      () => fleissKappa([]),
    ])
      expect(refusal(call)).toBe('invalid-input')
  })
})

describe("Krippendorff's alpha", () => {
  it('perfect agreement is 1 even with gaps', () => {
    expect(
      krippendorffAlpha([
        ['a', 'b', null, 'a'],
        ['a', 'b', 'c', null],
      ]),
    ).toMatchObject({ value: 1 })
  })

  it('items with one rating drop out', () => {
    const with_ = krippendorffAlpha([
      [1, 2, 1, 9],
      [1, 2, 2, null],
    ])
    expect(with_).toEqual(
      krippendorffAlpha([
        [1, 2, 1],
        [1, 2, 2],
      ]),
    )
  })

  it('is undefined where all ratings are alike, and where nothing overlaps', () => {
    expect(
      krippendorffAlpha([
        ['a', 'a'],
        ['a', 'a'],
      ]),
    ).toMatchObject({ kind: 'undefined' })
    expect(
      krippendorffAlpha([
        ['a', null],
        [null, 'a'],
      ]),
    ).toMatchObject({ kind: 'undefined' })
  })

  it('refuses one rater and ragged rows', () => {
    expect(refusal(() => krippendorffAlpha([[1, 2]]))).toBe('invalid-input')
    expect(refusal(() => krippendorffAlpha([[1, 2], [1]]))).toBe('invalid-input')
  })
})

describe('packages that others trust', () => {
  it.each(references.agreement)('give the same κ and α, with missing ratings too', ({ ratings, withGaps, cohen, fleiss, alpha, alphaGaps }) => {
    const categories = Math.max(...ratings.flat()) + 1
    const table = ratings[0]!.map((_, item) => Array.from({ length: categories }, (_, category) => ratings.filter((row) => row[item] === category).length))
    const found = [cohenKappa(ratings[0]!, ratings[1]!), fleissKappa(table), krippendorffAlpha(ratings), krippendorffAlpha(withGaps)]
    for (const [i, expected] of [cohen, fleiss, alpha, alphaGaps].entries()) expect(found[i]).toMatchObject({ kind: 'defined', value: expect.closeTo(expected, 12) })
  })

  it('give the same strengths, with a ridge and without', () => {
    const { players, wins, strengths, strengthsWithRidge } = references.bradleyTerry
    const comparisons = wins.map(([winner, loser]) => ({ winner: winner!, loser: loser! }))
    for (const [ridge, expected] of [[0, strengths], [0.01, strengthsWithRidge]] as const)
      bradleyTerry(players, comparisons, ridge).logStrengths.forEach((theta, i) => expect(theta).toBeCloseTo(expected[i]!, 9))
  })
})

describe('Bradley–Terry', () => {
  const wins = (winner: number, loser: number, weight: number) => ({ winner, loser, weight })

  it('two players, 3 wins to 1: the strengths differ by log 3', () => {
    // Fisher information of the difference is 4·¾·¼ = ¾; each centred strength is half the difference: se = ½·√(4/3).
    const { logStrengths, standardErrors } = bradleyTerry(2, [wins(0, 1, 3), wins(1, 0, 1)])
    expect(logStrengths[0]! - logStrengths[1]!).toBeCloseTo(Math.log(3), 10)
    expect(standardErrors[0]).toBeCloseTo(0.5 * Math.sqrt(4 / 3), 10)
  })

  it('strengths have mean 0; a tie is half a win each', () => {
    const { logStrengths } = bradleyTerry(3, [wins(0, 1, 0.5), wins(1, 0, 0.5), wins(1, 2, 5), wins(2, 1, 2)])
    expect(logStrengths.reduce((a, b) => a + b)).toBeCloseTo(0, 12)
    expect(logStrengths[0]).toBeCloseTo(logStrengths[1]!, 9)
  })

  it('lopsided counts converge: 100 000 wins to 1', () => {
    const { logStrengths } = bradleyTerry(2, [wins(0, 1, 100_000), wins(1, 0, 1)])
    expect(logStrengths[0]! - logStrengths[1]!).toBeCloseTo(Math.log(100_000), 6)
  })

  it('refuses a player who never lost, unless a ridge holds him', () => {
    const comparisons = [wins(0, 1, 3), wins(0, 2, 2), wins(1, 2, 1), wins(2, 1, 1)]
    expect(refusal(() => bradleyTerry(3, comparisons))).toBe('invalid-input')
    const { logStrengths } = bradleyTerry(3, comparisons, 0.1)
    expect(logStrengths[0]).toBeGreaterThan(logStrengths[1]!)
    expect(logStrengths.every(Number.isFinite)).toBe(true)
  })

  describe('with an offset of each labeller for side A', () => {
    /** `times` judgements of `labeller` with i at A and j at B: A is chosen, or B. */
    const seen = (labeller: number, i: number, j: number, a: number, b: number): readonly Comparison[] => [
      { winner: i, loser: j, weight: a, seen: { labeller, atA: 'winner' } },
      { winner: j, loser: i, weight: b, seen: { labeller, atA: 'loser' } },
    ]

    it('two players on either side: offset and difference are half the sum and half the difference of two log odds', () => {
      // First at A: 30 of 40 choose A. Second at A: 24 of 60 do. Both proportions are fitted exactly, so logits add up:
      // β = ½(logit ¾ + logit ⅖), θ₁ − θ₂ = ½(logit ¾ − logit ⅖), Var β = ¼(1/(40·¾·¼) + 1/(60·⅖·⅗)).
      const { logStrengths, sideOffsets } = bradleyTerry(2, [...seen(0, 0, 1, 30, 10), ...seen(0, 1, 0, 24, 36)], 1e-9, 1)
      const [p, q] = [Math.log(3), Math.log(24 / 36)]
      expect(sideOffsets[0]!.value).toBeCloseTo((p + q) / 2, 8)
      expect(logStrengths[0]! - logStrengths[1]!).toBeCloseTo((p - q) / 2, 8)
      expect(sideOffsets[0]!.standardError).toBeCloseTo(0.5 * Math.sqrt(1 / 7.5 + 1 / 14.4), 8)
    })

    it('a player against itself tells of the side alone: the log odds of A', () => {
      const { sideOffsets } = bradleyTerry(1, seen(0, 0, 0, 30, 10), 0.01, 1)
      expect(sideOffsets[0]!.value).toBeCloseTo(Math.log(3), 10)
      expect(sideOffsets[0]!.standardError).toBeCloseTo(1 / Math.sqrt(40 * 0.75 * 0.25), 10)
    })

    it('agrees with a logistic regression in which strengths and sides are columns', () => {
      // statsmodels.GLM(y, X, family=Binomial()), X: +1 for the player at A, −1 for the one at B, 1 for the labeller.
      const counts: readonly (readonly [number, number, number, number, number])[] = [
        [0, 0, 1, 14, 5.5], [0, 1, 0, 9, 8], [0, 1, 2, 11.5, 7.5], [0, 2, 0, 6, 13], [0, 0, 2, 16, 3],
        [1, 0, 1, 7, 9], [1, 1, 0, 4, 12.5], [1, 2, 1, 5, 10], [1, 0, 2, 9.5, 6.5], [1, 2, 0, 3, 14],
      ]
      const { logStrengths, standardErrors, sideOffsets } = bradleyTerry(3, counts.flatMap((each) => seen(...each)), 1e-9, 2)
      const expected = [
        [0.4960852595978, 0.12437518311171], [-0.0639679469334185, 0.150813072515151], [-0.432117312664382, 0.150333233334415],
        [0.376351140566314, 0.230234063146951], [-0.584049853445654, 0.252532735223097],
      ]
      const found = [...logStrengths.map((value, i) => [value, standardErrors[i]!]), ...sideOffsets.map((each) => [each!.value, each!.standardError])]
      found.flat().forEach((value, i) => expect(value).toBeCloseTo(expected.flat()[i]!, 8))
    })

    it('is not identified where a player never changed sides, and is where another labeller tells the players apart', () => {
      const oneSide = seen(0, 0, 1, 30, 10)
      expect(bradleyTerry(2, oneSide, 0.01, 1).sideOffsets).toEqual([null])
      const both = bradleyTerry(2, [...oneSide, ...seen(1, 0, 1, 20, 20), ...seen(1, 1, 0, 20, 20)], 0.01, 2).sideOffsets
      expect(both[0]!.value).toBeCloseTo(Math.log(3), 2)
      expect(both[1]!.value).toBeCloseTo(0, 2)
    })

    it('refuses a labeller who chose one side only, an unknown one, and a fit without a ridge', () => {
      for (const call of [
        () => bradleyTerry(2, seen(0, 0, 1, 5, 0), 0.01, 1),
        () => bradleyTerry(2, seen(1, 0, 1, 5, 5), 0.01, 1),
        () => bradleyTerry(2, seen(0, 0, 1, 5, 5), 0, 1),
      ])
        expect(refusal(call)).toBe('invalid-input')
    })
  })

  it('refuses unknown players, games against oneself, no games', () => {
    for (const call of [
      () => bradleyTerry(2, [wins(0, 2, 1)]),
      () => bradleyTerry(2, [wins(1, 1, 1)]),
      () => bradleyTerry(2, []),
      () => bradleyTerry(1, []),
    ])
      expect(refusal(call)).toBe('invalid-input')
  })
})
