// Laws of comparing whole sets of features: agreement with the measures of one pair, and answers known beforehand for features that
// are turned, scaled, shuffled or spread evenly.

import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../../src-main/domain/random.ts'
import { minibatchCka, unbiasedCka } from '../../../../src-main/engine/evaluate/measures/alignment.ts'
import { takeRows, type Matrix } from '../../../../src-main/engine/evaluate/measures/matrix.ts'
import { changedNeighbours, ckaTable, effectiveRank, procrustes } from '../../../../src-main/engine/evaluate/measures/representation.ts'
import { expectClose } from '../../../support/all-close.ts'
import { refusal } from '../../../support/refusal.ts'

function features(seed: string, rows: number, columns: number): Matrix {
  const random = createRandom(0, seed)
  return { rows, columns, values: Float32Array.from({ length: rows * columns }, () => random.normal()) }
}
/** The first two columns turned by an angle, everything scaled and moved. */
function turned(of: Matrix, angle: number, scale: number, shift: number): Matrix {
  const [c, s] = [Math.cos(angle), Math.sin(angle)]
  const at = (i: number, j: number) => of.values[i * of.columns + j]!
  const values = Float32Array.from(of.values, (value, index) => {
    const [i, j] = [Math.floor(index / of.columns), index % of.columns]
    return shift + scale * (j === 0 ? c * at(i, 0) - s * at(i, 1) : j === 1 ? s * at(i, 0) + c * at(i, 1) : value)
  })
  return { ...of, values }
}

describe('CKA of every pair of layers', () => {
  const [x, y] = [[features('x0', 24, 5), features('x1', 24, 30)], [features('y0', 24, 4)]]
  const mixed: Matrix = { ...x[0]!, values: Float32Array.from(x[0]!.values, (value, i) => value + 0.3 * features('m', 24, 5).values[i]!) }

  it('of one batch is the unbiased CKA, of several the minibatch CKA', () => {
    const layers = [...y, mixed]
    const [whole, halves] = [ckaTable(x, layers, 24), ckaTable(x, layers, 12)]
    x.forEach((a, i) =>
      layers.forEach((b, j) => {
        expect(whole[i]![j]).toBeCloseTo(unbiasedCka(a, b), 6)
        const parts = [0, 12].map((from) => Array.from({ length: 12 }, (_, r) => from + r)).map((rows) => [takeRows(a, rows), takeRows(b, rows)] as const)
        expect(halves[i]![j]).toBeCloseTo(minibatchCka(parts), 6)
      }),
    )
  })

  it('a layer with itself, turned, scaled and moved, is 1; with a layer that tells nothing apart 0', () => {
    const flat: Matrix = { rows: 24, columns: 2, values: new Float32Array(48).fill(3) }
    const [row] = ckaTable([x[0]!], [turned(x[0]!, 0.7, 1e3, 5), flat], 24)
    expect(row![0]).toBeCloseTo(1, 5)
    expect(row![1]).toBe(0)
  })
})

describe('effective rank', () => {
  it('is the number of directions where all are used alike, 1 where one is, and knows no scale', () => {
    const axes = (count: number, size: number): Matrix => ({
      rows: 2 * count,
      columns: 6,
      values: Float32Array.from({ length: 2 * count * 6 }, (_, i) => (Math.floor(i / 6) % count === i % 6 ? (i < count * 6 ? size : -size) : 0)),
    })
    for (const count of [1, 2, 5]) for (const size of [1, 1000]) expect(effectiveRank(axes(count, size))).toBeCloseTo(count, 6)
    expect(effectiveRank({ rows: 3, columns: 2, values: new Float32Array(6).fill(1) })).toBe(1)
  })
})

describe('neighbours', () => {
  it('all stay where directions stay, whatever the lengths; few of unrelated features do', () => {
    const x = features('x', 40, 6)
    const longer: Matrix = { ...x, values: Float32Array.from(x.values, (value, i) => value * (1 + Math.floor(i / 6))) }
    expect(changedNeighbours(x, longer, 5).kept).toBe(1)
    const { kept, items } = changedNeighbours(x, features('other', 40, 6), 5)
    expect(kept).toBeLessThan(0.4)
    expect(items.reduce((sum, { shared }) => sum + shared, 0) / (5 * 40)).toBeCloseTo(kept, 12)
    for (const [i, { x: own }] of items.entries()) expect(own).not.toContain(i)
  })
})

describe('Procrustes', () => {
  it('turns, scales and moves features back onto themselves, and leaves nothing', () => {
    const x = features('x', 20, 4)
    const { x: before, y: after, residual } = procrustes(x, turned(x, 2.1, 40, -3))
    expect(residual).toBeLessThan(1e-6)
    expectClose(after.values, before.values, 1e-5)
  })

  it('leaves what it says it leaves: the squared distance to the side of size 1', () => {
    for (const columns of [3, 4, 9]) {
      const { x, y, residual } = procrustes(features('x', 20, 4), features('y', 20, columns))
      const distance = x.values.reduce((sum, value, i) => sum + (value - y.values[i]!) ** 2, 0)
      expect(x.values.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 9)
      // Directions of y beyond those of x have no place to be turned to: what lies along them is not drawn, but counted.
      if (columns <= 4) expect(distance).toBeCloseTo(residual, 6)
      else expect(distance).toBeLessThan(residual)
      expect(residual).toBeGreaterThan(0.2)
      expect(residual).toBeLessThanOrEqual(1)
    }
  })

  it('one picture that moved is the one that is far from where it was', () => {
    const x = features('x', 30, 3)
    const values = Float32Array.from(x.values)
    values.set([3, -3, 3], 7 * 3)
    const { x: before, y: after } = procrustes(x, { ...x, values })
    const row = ({ values: all, columns }: Matrix, i: number) => all.subarray(i * columns, (i + 1) * columns)
    const moves = Array.from({ length: 30 }, (_, i) => Math.hypot(...Array.from(row(before, i), (value, k) => value - row(after, i)[k]!)))
    expect(moves.indexOf(Math.max(...moves))).toBe(7)
  })

  it('refuses two items', () => expect(refusal(() => procrustes(features('x', 2, 2), features('y', 2, 2)))).toBe('invalid-input'))
})
