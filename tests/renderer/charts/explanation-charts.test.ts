// Layer by layer, image by image, and along something that was varied.

import { expect, it } from 'vitest'
import { bandedCurve, bandedRows, type BandedCurve } from '../../../src-renderer/charts/banded-curve.ts'
import { featureMotion, motionRows } from '../../../src-renderer/charts/feature-motion.ts'
import { layerHeatMap, layerRows, type LayerMatrix } from '../../../src-renderer/charts/layer-heat-map.ts'
import { theme } from '../theme.ts'

type Any = Record<string, any>

const matrix: LayerMatrix = {
  across: { name: 'SFT', layers: ['block 1', 'block 2', 'block 3'] },
  upwards: { name: 'DPO', layers: ['block 1', 'block 2'] },
  values: [
    [0.9, 0.5, null],
    [0.4, 0.8, 0.2],
  ],
  measure: 'linear CKA',
  chance: [
    [0.01, 0.02, null],
    [0.03, 0.04, 0.05],
  ],
}

it('names encoder and layer on both axes and in every cell, with what chance gives', () => {
  const option = layerHeatMap(matrix, theme) as Any
  expect([option['xAxis'].name, option['xAxis'].data]).toEqual(['SFT', ['block 1', 'block 2', 'block 3']])
  expect([option['yAxis'].name, option['yAxis'].data]).toEqual(['DPO', ['block 1', 'block 2']])
  const cells = option['series'][0].data
  expect(cells.map((cell: Any) => cell['value'])).toEqual([[0, 0, 0.9], [1, 0, 0.5], [0, 1, 0.4], [1, 1, 0.8], [2, 1, 0.2]])
  expect(cells[4].tooltip.formatter).toMatch(/SFT, block 3<br>DPO, block 2<br>linear CKA 0\.2<br>images shuffled: 0\.05/)
  expect(layerRows(matrix)).toHaveLength(7)
})

it('gives the colours one scale from 0 to 1, and beyond where a value is', () => {
  expect((layerHeatMap(matrix, theme) as Any)['visualMap']).toMatchObject({ min: 0, max: 1 })
  expect((layerHeatMap({ ...matrix, values: [[1.4, 0, 0]] }, theme) as Any)['visualMap'].max).toBe(1.4)
})

it('draws an arrow from before to after, and no head on what hardly moved', () => {
  const motions = [
    { label: 'a', before: [0, 0], after: [30, 40] },
    { label: 'b', before: [1, 1], after: [1, 2] },
  ] as const
  const arrows = (featureMotion(motions, { before: '#1', after: '#2' }, theme) as Any)['series'][0]
  const draw = (at: number) => arrows.renderItem({}, { value: (i: number) => arrows.data[at][i], coord: (place: number[]) => place })
  const [line, head] = draw(0).children
  expect(line.shape).toEqual({ x1: 0, y1: 0, x2: 30, y2: 40 })
  expect(head.shape.points[0]).toEqual([30, 40])
  // The head lies on the line: its base is behind the tip, to both sides alike.
  const [[ax, ay], [bx, by]] = head.shape.points.slice(1)
  expect([(ax + bx) / 2, (ay + by) / 2]).toEqual([expect.closeTo(27), expect.closeTo(36)])
  expect(draw(1).type).toBe('line')
  expect(motionRows(motions)[2]).toEqual(['b', 1, 1, 1, 2])
})

const curve: BandedCurve = {
  name: 'DPO',
  color: '#05c',
  index: 2,
  points: [
    { x: 100, mean: 0.6, low: 0.5, high: 0.7, basis: '3 seeds' },
    { x: 10, mean: 0.4, low: 0.3, high: 0.5, basis: '3 seeds' },
    { x: 1000, mean: 0.7, low: null, high: null, basis: '1 seed' },
  ],
}
const chart = { curves: [curve], xName: 'pairs', yName: 'accuracy', unit: 'share', isLogarithmic: true, theme } as const

it('orders the points by what was varied, and bands only those with an interval', () => {
  const [band, line] = (bandedCurve(chart) as Any)['series']
  expect(line.data.map((point: Any) => point['value'])).toEqual([[10, 0.4], [100, 0.6], [1000, 0.7]])
  const drawn = band.renderItem({ dataIndex: 0 }, { coord: (place: number[]) => place })
  expect(drawn.shape.points).toEqual([[10, 0.5], [100, 0.7], [100, 0.5], [10, 0.3]])
  expect(band.renderItem({ dataIndex: 1 }, { coord: (place: number[]) => place })).toBeNull()
  expect(bandedRows(chart)).toHaveLength(4)
})

it('draws no band around a single point', () => {
  const [band] = (bandedCurve({ ...chart, curves: [{ ...curve, points: curve.points.slice(0, 1) }] }) as Any)['series']
  expect(band.renderItem({ dataIndex: 0 }, { coord: (place: number[]) => place })).toBeNull()
})
