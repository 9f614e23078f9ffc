// Reference values: SciPy 1.17 (scipy.stats.t, scipy.stats.norm, scipy.special).

import { describe, expect, it } from 'vitest'
import {
  incompleteBeta,
  logGamma,
  normalCdf,
  normalQuantile,
  studentTCdf,
  studentTQuantile,
  studentTTwoSided,
} from '../../../src-main/domain/statistics/distributions.ts'
import { refusal } from '../../support/refusal.ts'

const relative = (found: number, expected: number) => Math.abs(found - expected) / Math.abs(expected)

describe('distributions', () => {
  it('log Γ: factorials, √π, and both sides of the reflection', () => {
    expect(logGamma(6)).toBeCloseTo(Math.log(120), 13)
    expect(logGamma(0.5)).toBeCloseTo(0.5 * Math.log(Math.PI), 13)
    expect(logGamma(0.1)).toBeCloseTo(2.252712651734206, 13)
    expect(relative(logGamma(150), 600.0094705553274)).toBeLessThan(1e-14)
  })

  it('the incomplete beta function agrees with SciPy on both sides of its mean', () => {
    expect(relative(incompleteBeta(0.3, 2.5, 7), 0.6412224629717214)).toBeLessThan(1e-12)
    expect(relative(incompleteBeta(0.97, 100, 3), 0.40633618022259166)).toBeLessThan(1e-12)
    expect(relative(incompleteBeta(0.999, 0.5, 0.5), 0.9798649583666235)).toBeLessThan(1e-12)
    expect([incompleteBeta(0, 2, 3), incompleteBeta(1, 2, 3)]).toEqual([0, 1])
  })

  it.each([
    [0.975, 1, 12.706204736174694],
    [0.975, 2, 4.302652729749462],
    [0.975, 5, 2.5705818356363146],
    [0.995, 3, 5.840909309733355],
    [0.9, 30, 1.3104150253913955],
    [0.975, 1e6, 1.959966356814107],
    [1e-6, 2.5, -220.17342917823686],
  ])('the Student t quantile of %d with %d degrees of freedom agrees with SciPy', (share, degrees, expected) => {
    expect(relative(studentTQuantile(share, degrees), expected)).toBeLessThan(1e-9)
  })

  it('the Student t distribution agrees with SciPy, in the tails too', () => {
    expect(relative(studentTCdf(-2.5, 2), 0.06480586011075541)).toBeLessThan(1e-12)
    expect(relative(studentTCdf(0.3, 7), 0.6135549747989328)).toBeLessThan(1e-12)
    expect(relative(studentTCdf(-40, 3), 1.7190340394579253e-5)).toBeLessThan(1e-12)
    expect(studentTCdf(1e-9, 4)).toBeCloseTo(0.500000000375, 14)
    expect([studentTCdf(Infinity, 3), studentTCdf(-Infinity, 3), studentTTwoSided(Infinity, 3), studentTTwoSided(0, 3)]).toEqual([
      1, 0, 0, 1,
    ])
  })

  it('the normal distribution agrees with SciPy from −10 to the right tail', () => {
    for (const [z, expected] of [
      [-10, 7.61985302416047e-24],
      [-3, 0.0013498980316300933],
      [-1.2, 0.11506967022170822],
      [0.4, 0.6554217416103242],
      [2.2, 0.9860965524865014],
    ] as const)
      expect(relative(normalCdf(z), expected)).toBeLessThan(1e-13)
    expect([normalCdf(-100), normalCdf(100), normalCdf(0)]).toEqual([0, 1, 0.5])
  })

  it('the normal quantile agrees with SciPy and undoes the distribution', () => {
    for (const [share, expected] of [
      [1e-12, -7.034483825301131],
      [0.001, -3.090232306167813],
      [0.3, -0.5244005127080409],
      [0.975, 1.959963984540054],
    ] as const)
      expect(relative(normalQuantile(share), expected)).toBeLessThan(1e-13)
    for (const z of [-6, -2, -0.1, 0.7, 3]) expect(normalQuantile(normalCdf(z))).toBeCloseTo(z, 9)
  })

  it('refuses shares outside (0, 1) and no degrees of freedom', () => {
    for (const call of [
      () => normalQuantile(0),
      () => normalQuantile(NaN),
      () => studentTQuantile(1, 3),
      () => studentTQuantile(0.5001, 0),
      () => logGamma(0),
      () => incompleteBeta(2, 1, 1),
    ])
      expect(refusal(call)).toBe('invalid-input')
  })
})
