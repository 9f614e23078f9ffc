// The grid of a sweep as a person types it, how many trainings it comes to, and its results as curves.

import type { ModelSize } from '../../../src-main/domain/fresh-models.ts'
import type { SizeCurve, SweepCurve, SweepPoint } from '../../../src-main/domain/sweep.ts'
import type { BandedCurve } from '../../charts/banded-curve.ts'
import { parametersText } from '../../ui/quantity.ts'

/** "1e-4, 3e-4" → numbers in order, each once; null: something there is no number above zero. */
export function parseNumbers(text: string): readonly number[] | null {
  const numbers = text.split(/[\s,;]+/).filter(Boolean).map(Number)
  if (numbers.some((each) => !Number.isFinite(each) || each <= 0)) return null
  return [...new Set(numbers)].sort((a, b) => a - b)
}

/** "128×4, 256x6" → widths and blocks, each once; null: something there is no pair of whole numbers. */
export function parseSizes(text: string): readonly ModelSize[] | null {
  const sizes = text.split(/[\s,;]+/).filter(Boolean).map((each) => /^(\d+)[x×*](\d+)$/i.exec(each))
  if (sizes.some((each) => each === null || Number(each[1]) < 1 || Number(each[2]) < 1)) return null
  return [...new Map(sizes.map((each) => [`${each![1]}×${each![2]}`, { hiddenSize: Number(each![1]), numHiddenLayers: Number(each![2]) }])).values()]
}

export interface ArmGrid {
  readonly learningRates: number
  readonly betas: number
}

/** Trainings of the whole grid, before the rule has stopped any. */
export function trainingsOf({ arms, dataSizes, starts, seeds }: { readonly arms: readonly ArmGrid[]; readonly dataSizes: number; readonly starts: number; readonly seeds: number }): number {
  return arms.reduce((sum, { learningRates, betas }) => sum + learningRates * betas, 0) * dataSizes * starts * seeds
}

export interface CurveLook {
  readonly color: string
  readonly index: number
}

/** Score against data size; "all the data" has no number and stands only where `all` says how many samples that is. */
export function sizeCurves(curves: readonly SweepCurve[], all: number | null, nameOf: (curve: SweepCurve) => string, lookOf: (arm: string) => CurveLook): readonly BandedCurve[] {
  return curves.map((curve) => ({
    name: nameOf(curve),
    ...lookOf(curve.arm),
    points: curve.points.flatMap(({ dataSize, value, low, high, seeds, learningRate, beta }) => {
      const x = dataSize ?? all
      const setting = [`learning rate ${learningRate}`, ...(beta === null ? [] : [`β ${beta}`])].join(', ')
      return x === null ? [] : [{ x, mean: value, low, high, basis: `${seeds} ${seeds === 1 ? 'seed' : 'seeds'}; best setting: ${setting}` }]
    }),
  }))
}

/** Score against the size of a module in millions of parameters; where the rest was varied too, a curve says with what. */
export function moduleSizeCurves(curves: readonly SizeCurve[], of: SizeCurve['of'], lookOf: (arm: string) => CurveLook): readonly BandedCurve[] {
  const own = curves.filter((curve) => curve.of === of)
  const varies = (value: (curve: SizeCurve) => unknown) => new Set(own.map(value)).size > 1
  const [byData, byOther] = [varies(({ dataSize }) => dataSize), varies(({ other }) => other)]
  const otherName = of === 'visionEncoder' ? 'language model' : 'encoder'
  return own.map(({ arm, dataSize, other, points }) => ({
    name: [arm, ...(byData ? [dataSize === null ? 'all pairs' : `${dataSize} pairs`] : []), ...(byOther ? [`${otherName} of ${parametersText(other)}`] : [])].join(', '),
    ...lookOf(arm),
    points: points.map(({ parameters, value, low, high, seeds, learningRate, beta }) => {
      const setting = [`learning rate ${learningRate}`, ...(beta === null ? [] : [`β ${beta}`])].join(', ')
      return { x: parameters / 1e6, mean: value, low, high, basis: `${seeds} ${seeds === 1 ? 'seed' : 'seeds'}; best setting: ${setting}` }
    }),
  }))
}

/** Score against learning rate, one curve an objective: the mean over seeds, and over whatever else was varied the best. */
export function rateCurves(points: readonly SweepPoint[], lookOf: (arm: string) => CurveLook): readonly BandedCurve[] {
  const mean = (of: readonly SweepPoint[]) => of.reduce((sum, { score }) => sum + score, 0) / of.length
  return [...Map.groupBy(points, ({ arm }) => arm)].map(([arm, own]) => ({
    name: arm,
    ...lookOf(arm),
    points: [...Map.groupBy(own, ({ learningRate }) => learningRate)].map(([x, at]) => {
      const settings = [...Map.groupBy(at, ({ start, dataSize, beta }) => JSON.stringify([start, dataSize, beta])).values()]
      const best = settings.reduce((a, b) => (mean(b) > mean(a) ? b : a))
      return { x, mean: mean(best), low: null, high: null, basis: `${best.length} ${best.length === 1 ? 'seed' : 'seeds'}` }
    }),
  }))
}
