// Sorting of a list by one column. What has no value stands last, whichever way the order runs; equal rows keep their order.

export type SortKey = string | number | null
export type Direction = 'ascending' | 'descending'

export function sortRows<Row>(rows: readonly Row[], key: (row: Row) => SortKey, direction: Direction): readonly Row[] {
  const sign = direction === 'ascending' ? 1 : -1
  return [...rows].sort((a, b) => {
    const [x, y] = [key(a), key(b)]
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1
    if (typeof x === 'string' || typeof y === 'string') return sign * String(x).localeCompare(String(y), 'en', { numeric: true })
    return sign * (x - y)
  })
}
