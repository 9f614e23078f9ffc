// Laws of shared colours: one encoder gives plain PCA, two that see the same get the same colours, axes and scale of an encoder do
// not matter, and the mean over encoders is the common component.

import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../../src-main/domain/random.ts'
import { onGrid, sharedComponents } from '../../../../src-main/engine/evaluate/maps/shared-components.ts'
import type { Matrix } from '../../../../src-main/engine/evaluate/measures/matrix.ts'
import { pca, project } from '../../../../src-main/engine/evaluate/measures/pca.ts'
import { expectClose } from '../../../support/all-close.ts'
import { refusal } from '../../../support/refusal.ts'

function features(seed: string, rows: number, columns: number): Matrix {
  const random = createRandom(0, seed)
  return { rows, columns, values: Float32Array.from({ length: rows * columns }, () => random.normal()) }
}

describe('shared components', () => {
  it('of one encoder are its principal components, up to the common scale', () => {
    const one = features('one', 12, 5)
    const { scores, explained } = sharedComponents([one])
    const model = pca(one, 3)
    const [own, plain] = [scores[0]!.values, project(model, one).values]
    const scale = plain[0]! / own[0]!
    expectClose(own.map((value) => value * scale), plain, 1e-6)
    expectClose(explained, model.explainedVarianceRatio, 1e-9)
  })

  it('an encoder beside a rotated and scaled copy of itself: both get the same colours', () => {
    const one = features('one', 12, 4)
    // Coordinates in another order, negated, times seven, and moved.
    const copy: Matrix = { ...one, values: Float32Array.from(one.values, (_, i) => -7 * one.values[i - (i % 4) + ((i + 1) % 4)]! + 3) }
    const { scores } = sharedComponents([one, copy])
    expectClose(scores[0]!.values, scores[1]!.values, 1e-5)
  })

  it('encoders of different widths share what they both tell apart', () => {
    const half = (width: number, at: number): Matrix => {
      const noise = features(`noise ${width}`, 10, width)
      return { ...noise, values: Float32Array.from(noise.values, (value, i) => 0.01 * value + (i % width === at && i / width >= 5 ? 1 : 0)) }
    }
    const { scores, explained } = sharedComponents([half(3, 2), half(6, 0)])
    expect(explained[0]).toBeGreaterThan(0.9)
    for (const { values, columns } of scores) {
      const first = Array.from({ length: 10 }, (_, i) => values[i * columns]!)
      const sides = [first.slice(0, 5), first.slice(5)].map((side) => Math.sign(side[0]!) * Math.min(...side.map(Math.abs)))
      expect(sides[0]! * sides[1]!).toBeLessThan(0)
    }
  })

  it('has zeros for components that so few patches do not have, and refuses what has no difference', () => {
    expect(sharedComponents([features('few', 2, 2)]).scores[0]!.values.slice(2, 3)).toEqual(new Float64Array([0]))
    expect(refusal(() => sharedComponents([{ rows: 3, columns: 2, values: new Float32Array(6).fill(2) }]))).toBe('invalid-input')
    expect(refusal(() => sharedComponents([features('a', 4, 2), features('b', 5, 2)]))).toBe('invalid-input')
  })
})

describe('features on another grid', () => {
  it('the same grid is the same features; constant and linear features stay what they are', () => {
    const grid = { rows: 2, columns: 4 }
    const across: Matrix = { rows: 8, columns: 2, values: Float32Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? 5 : Math.floor(i / 2) % 4)) }
    expect(onGrid(across, grid, grid)).toBe(across)
    const finer = onGrid(across, grid, { rows: 4, columns: 8 })
    expectClose(finer.values.slice(0, 16), [5, 0, 5, 0.25, 5, 0.75, 5, 1.25, 5, 1.75, 5, 2.25, 5, 2.75, 5, 3], 1e-6)
  })
})
