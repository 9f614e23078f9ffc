import { expect, it } from 'vitest'
import { toCsv } from '../../../src-renderer/charts/csv.ts'
import { fileNameOf, standingAlone } from '../../../src-renderer/charts/save-chart.ts'
import { sparkline } from '../../../src-renderer/charts/sparkline.ts'
import { theme } from '../theme.ts'

it('quotes what would break a row, and nothing else', () => {
  expect(
    toCsv([
      ['a', 'b'],
      ['x, y', 'he said "no"'],
      [1.5, null],
    ]),
  ).toBe('a,b\r\n"x, y","he said ""no"""\r\n1.5,\r\n')
})

it('names a file after its chart, without signs that file systems refuse', () => {
  expect(fileNameOf('In which measures does DPO’s encoder differ?')).toBe('in-which-measures-does-dpo-s-encoder-differ')
})

it('puts the title above a saved chart and moves every panel down by as much', () => {
  const option = standingAlone({ title: 'T', option: { grid: [{ top: 10 }, { top: 200 }] }, width: 1, height: 1, theme })
  const [first, second] = option.grid as { top: number }[]
  expect(first!.top - 10).toBe(second!.top - 200)
  expect(first!.top).toBeGreaterThan(10)
  expect((option.title as { text: string }).text).toBe('T')
})

it('draws no line through fewer than two points, and a flat line for a constant', () => {
  expect(sparkline([[1, 2]], 80, 20)).toBe('')
  expect(
    sparkline(
      [
        [1, 2],
        [2, 2],
      ],
      80,
      20,
    ),
  ).toBe('M1.0 19.0L79.0 19.0')
})
