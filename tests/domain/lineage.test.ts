// Where the nodes of a lineage stand: after everything that they come from.

import { expect, it } from 'vitest'
import { lineageColumns, type LineageNode } from '../../src-main/domain/lineage.ts'

const node = (id: string): LineageNode => ({ id, kind: 'run', label: id, detail: '', ref: id })
const columns = (ids: string, edges: readonly string[]) =>
  lineageColumns({ nodes: [...ids].map(node), edges: edges.map(([from, to]) => ({ from: from!, to: to! })) }).map((column) => column.map(({ id }) => id).join(''))

it('a node stands one column after the last of those that it comes from, and data right before what is first trained on it', () => {
  // d(ata) → a(lignment) → i(nstruction) → s, p; the pairs q feed s and p.
  expect(columns('daisqpe', ['da', 'ai', 'is', 'ip', 'qs', 'qp', 'pe'])).toEqual(['d', 'a', 'iq', 'sp', 'e'])
})

it('every edge goes to the right, whatever the order of nodes and edges', () => {
  const edges = ['cd', 'bc', 'ab', 'ad']
  const found = columns('dcba', edges)
  const columnOf = (id: string) => found.findIndex((column) => column.includes(id))
  for (const [from, to] of edges) expect(columnOf(to!)).toBeGreaterThan(columnOf(from!))
})

it('of nothing is nothing, and a circle ends', () => {
  expect(columns('', [])).toEqual([])
  expect(columns('ab', ['ab', 'ba']).join('')).toHaveLength(2)
})
