import { expect, it } from 'vitest'
import { flatConfig } from '../../../src-main/domain/flat-config.ts'
import { sortRows } from '../../../src-renderer/ui/sort-rows.ts'

const rows = [
  { id: 'a', value: 2, name: 'run 10' },
  { id: 'b', value: null, name: 'run 9' },
  { id: 'c', value: 1, name: 'run 1' },
]
const ids = (sorted: readonly { readonly id: string }[]) => sorted.map((row) => row.id).join('')

it('puts what has no value last, whichever way the order runs', () => {
  expect(ids(sortRows(rows, (row) => row.value, 'ascending'))).toBe('cab')
  expect(ids(sortRows(rows, (row) => row.value, 'descending'))).toBe('acb')
})

it('orders names as people count, and leaves the given rows alone', () => {
  expect(ids(sortRows(rows, (row) => row.name, 'ascending'))).toBe('cba')
  expect(ids(rows)).toBe('abc')
})

it('keeps the order of rows that are equal', () => {
  expect(ids(sortRows(rows, () => 1, 'descending'))).toBe('abc')
})

it('writes a configuration flat, each value once, in the order of its declaration', () => {
  expect(flatConfig({ b: { c: 1, d: null }, a: [1, 2], e: 'x', f: [{ g: true }] })).toEqual([
    ['b.c', '1'],
    ['b.d', 'null'],
    ['a', '[1, 2]'],
    ['e', 'x'],
    ['f.0.g', 'true'],
  ])
})
