// Statistics against SciPy, scikit-learn, statsmodels and printed textbook examples, as recorded in the reference case.

import { expect, it } from 'vitest'
import { createRandom } from '../../../src-main/domain/random.ts'
import { cohenKappa, fleissKappa, krippendorffAlpha } from '../../../src-main/domain/statistics/agreement.ts'
import { pairedBootstrap } from '../../../src-main/domain/statistics/bootstrap.ts'
import { bradleyTerry } from '../../../src-main/domain/statistics/bradley-terry.ts'
import { mcnemarExact } from '../../../src-main/domain/statistics/hypothesis-tests.ts'
import { wilsonInterval } from '../../../src-main/domain/statistics/intervals.ts'
import { describeParity } from '../../support/read-parity.ts'

interface Expected {
  paired: {
    mcnemar_exact_p: number
    a_only: number
    b_only: number
    difference: number
    paired_bootstrap_95: [number, number]
    bootstrap_tolerance: number
    wilson_95_of_a: [number, number]
  }
  cohen_kappa: number
  fleiss_kappa_textbook: { table: number[][]; kappa: number }
  krippendorff_alpha_nominal_textbook: { ratings: (number | null)[][]; alpha: number }
  bradley_terry: { winner_loser: [number, number][]; log_strength_centred: number[]; tolerance: number }
}

describeParity('measurements', (read) => {
  it('paired right/wrong answers: McNemar, difference, bootstrap interval, Wilson interval', () => {
    const { json, tensor } = read()
    const expected = (json as Expected).paired
    const [a, b] = [tensor('paired.a').values, tensor('paired.b').values]
    expect(mcnemarExact(a, b)).toMatchObject({
      aOnly: expected.a_only,
      bOnly: expected.b_only,
      p: expect.closeTo(expected.mcnemar_exact_p, 10),
    })
    const bootstrap = pairedBootstrap(a, b, { random: createRandom(0) })
    expect(bootstrap.difference).toBeCloseTo(expected.difference, 10)
    expect(Math.abs(bootstrap.interval.low - expected.paired_bootstrap_95[0])).toBeLessThanOrEqual(expected.bootstrap_tolerance)
    expect(Math.abs(bootstrap.interval.high - expected.paired_bootstrap_95[1])).toBeLessThanOrEqual(expected.bootstrap_tolerance)
    const wilson = wilsonInterval(Array.from(a).filter((each) => each === 1).length, a.length)
    expect(wilson.low).toBeCloseTo(expected.wilson_95_of_a[0], 9)
    expect(wilson.high).toBeCloseTo(expected.wilson_95_of_a[1], 9)
  })

  it("agreement: Cohen's kappa, Fleiss' textbook table, Krippendorff's textbook ratings", () => {
    const { json, tensor } = read()
    const expected = json as Expected
    expect(cohenKappa(tensor('annotator.1').values, tensor('annotator.2').values)).toMatchObject({
      value: expect.closeTo(expected.cohen_kappa, 10),
    })
    expect(fleissKappa(expected.fleiss_kappa_textbook.table)).toMatchObject({
      value: expect.closeTo(expected.fleiss_kappa_textbook.kappa, 10),
    })
    // The book prints three digits; the package krippendorff gives 0.743421052631579.
    const alpha = krippendorffAlpha(expected.krippendorff_alpha_nominal_textbook.ratings)
    expect(alpha).toMatchObject({ value: expect.closeTo(0.743421052631579, 12) })
    expect(alpha).toMatchObject({ value: expect.closeTo(expected.krippendorff_alpha_nominal_textbook.alpha, 3) })
  })

  it('Bradley–Terry strengths', () => {
    const { winner_loser, log_strength_centred, tolerance } = (read().json as Expected).bradley_terry
    const { logStrengths } = bradleyTerry(
      log_strength_centred.length,
      winner_loser.map(([winner, loser]) => ({ winner, loser })),
    )
    logStrengths.forEach((strength, i) => expect(Math.abs(strength - log_strength_centred[i]!)).toBeLessThanOrEqual(tolerance))
  })
})
