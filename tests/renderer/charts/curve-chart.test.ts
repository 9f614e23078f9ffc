import { expect, it } from 'vitest'
import { curveChart, curveRows, hiddenByLog, type Curve } from '../../../src-renderer/charts/curve-chart.ts'
import { theme } from '../theme.ts'

const curve = (name: string, values: readonly number[], color = '#123456'): Curve => ({
  name,
  color,
  points: values.map((value, index) => [index + 1, value]),
})
const chart = (over: Partial<Parameters<typeof curveChart>[0]> = {}) =>
  curveChart({ curves: [curve('a', [3, 2, 1])], axis: 'Loss (nats)', smoothing: 0, isLogarithmic: false, theme, ...over })
const seriesOf = (option: ReturnType<typeof curveChart>) => option.series as unknown as readonly Record<string, any>[]

it('draws each curve once, as logged, while nothing is smoothed', () => {
  const [only, ...rest] = seriesOf(chart())
  expect(rest).toEqual([])
  expect(only!['data']).toEqual([
    [1, 3],
    [2, 2],
    [3, 1],
  ])
  expect(only!['lineStyle'].opacity).toBe(1)
})

it('keeps the raw line behind the smoothed one, in the same colour', () => {
  const [raw, smooth] = seriesOf(chart({ smoothing: 0.5 }))
  expect(raw!['data']).toEqual([
    [1, 3],
    [2, 2],
    [3, 1],
  ])
  expect(raw!['lineStyle'].opacity).toBeLessThan(0.5)
  expect(raw!['z']).toBeLessThan(smooth!['z'])
  expect(smooth!['data'][0]).toEqual([1, 3])
  expect(smooth!['data'][2][1]).toBeGreaterThan(1)
  expect(smooth!['lineStyle'].color).toBe(raw!['lineStyle'].color)
})

it('leaves out of a logarithmic axis what has no logarithm, and counts it', () => {
  const curves = [curve('a', [1, 0, -2, 4])]
  expect(seriesOf(chart({ curves, isLogarithmic: true }))[0]!['data']).toEqual([
    [1, 1],
    [4, 4],
  ])
  expect(hiddenByLog(curves)).toBe(2)
  expect(hiddenByLog([curve('a', [Number.NaN, 1])])).toBe(1)
})

it('names the axis with its unit and lets the frame end at the last step of the run', () => {
  const option = chart({ lastStep: 200 }) as Record<string, any>
  expect(option['yAxis'].name).toBe('Loss (nats)')
  expect(option['xAxis'].name).toBe('step')
  expect(option['xAxis'].max).toBe(200)
})

it('marks the points of what was measured now and then, and draws a dense curve without', () => {
  expect(seriesOf(chart())[0]!['showSymbol']).toBe(false)
  expect(seriesOf(chart({ marksPoints: true }))[0]!['showSymbol']).toBe(true)
})

it('marks a reference once, however many curves there are', () => {
  const option = chart({ curves: [curve('a', [1]), curve('b', [2])], reference: { value: 0.5, label: 'chance' } })
  expect(seriesOf(option).filter((series) => series['markLine'] !== undefined)).toHaveLength(1)
})

it('has no series and does not fail while no value is there', () => {
  expect(seriesOf(chart({ curves: [], reference: { value: 0.5, label: 'chance' } }))).toEqual([])
})

it('gives the numbers in long form, one line a point', () => {
  expect(curveRows([curve('a', [3, 2]), curve('b', [1])], 'loss')).toEqual([
    ['run', 'step', 'loss'],
    ['a', 1, 3],
    ['a', 2, 2],
    ['b', 1, 1],
  ])
})
