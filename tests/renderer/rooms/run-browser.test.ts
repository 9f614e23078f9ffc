// The list of runs: marks of the selected, columns, curves along time and tokens, and where the boxes of a lineage stand.

import { beforeEach, describe, expect, it } from 'vitest'
import { along } from '../../../src-renderer/rooms/runs/along-axis.ts'
import { BOX, lineageDrawing } from '../../../src-renderer/rooms/runs/lineage-places.ts'
import { columnsFrom, FIRST_COLUMNS, valueText } from '../../../src-renderer/rooms/runs/run-columns.ts'
import { MOST_SELECTED, useRunSelection } from '../../../src-renderer/rooms/runs/run-selection.ts'

describe('a selection', () => {
  const { places, toggle, clear, set, keepOnly } = useRunSelection()
  const run = (id: string, phaseId: string | null = null) => ({ id, phaseId })
  beforeEach(clear)

  it('gives the arms of a study the marks of their encoders, and others marks of their own', () => {
    for (const each of [run('mine'), run('d', 'seed-0/dpo'), run('s', 'seed-0/sft'), run('i', 'seed-0/instruction'), run('d1', 'seed-1/dpo')]) toggle(each)
    expect(Object.fromEntries(places.value)).toEqual({ mine: 3, d: 2, s: 1, i: 0, d1: 4 })
  })

  it('keeps a run’s mark when another is dropped, and gives every selected run another one', () => {
    set([run('a'), run('b'), run('c')])
    toggle(run('a'))
    expect(places.value.get('b')).toBe(4)
    toggle(run('e'))
    expect(new Set(places.value.values()).size).toBe(3)
    for (let i = 0; i < 20; i++) toggle(run(`more ${i}`))
    expect(places.value.size).toBe(MOST_SELECTED)
    expect(new Set(places.value.values()).size).toBe(MOST_SELECTED)
  })

  it('lets go of runs that are gone', () => {
    set([run('a'), run('b')])
    keepOnly(new Set(['b']))
    expect([...places.value.keys()]).toEqual(['b'])
  })
})

describe('columns', () => {
  it('come back as they were stored, in the order of the list, with the name; nonsense is the list to begin with', () => {
    expect(columnsFrom('["loss","status","nothing"]')).toEqual(['name', 'status', 'loss'])
    expect(columnsFrom('["name"]')).toEqual(['name'])
    for (const text of [null, '', '{"a":1}', 'null']) expect(columnsFrom(text)).toEqual(FIRST_COLUMNS)
  })

  it('show a value, or its difference to the pinned run in its unit', () => {
    expect(valueText(0.25, undefined, 'loss')).toBe('0.25')
    expect(valueText(0.25, 0.5, 'loss')).toBe('−0.25')
    expect(valueText(0.75, 0.5, 'rewards/accuracies')).toBe('+25.0 pp')
    expect(valueText(undefined, 0.5, 'loss')).toBe('–')
  })
})

describe('a curve along another axis', () => {
  it('moves each point to where its run was at that step; between two known steps, in between', () => {
    expect(along([[2, 9], [3, 8], [4, 7]], [[2, 10], [4, 30]])).toEqual([[10, 9], [20, 8], [30, 7]])
  })

  it('stands still before the first and after the last known step, and is nowhere without a clock', () => {
    expect(along([[1, 5], [9, 6]], [[2, 10], [4, 30]])).toEqual([[10, 5], [30, 6]])
    expect(along([[1, 5]], [])).toEqual([])
  })
})

describe('the drawing of a lineage', () => {
  it('puts no two boxes onto each other, and lines go from the right of one to the left of the next', () => {
    const node = (id: string) => ({ id, kind: 'run' as const, label: id, detail: '', ref: null })
    const { nodes, lines, width, height } = lineageDrawing({ nodes: ['a', 'b', 'c', 'd'].map(node), edges: [{ from: 'a', to: 'b' }, { from: 'a', to: 'c' }, { from: 'c', to: 'd' }] })
    for (const one of nodes)
      for (const other of nodes)
        if (one.id < other.id) expect(Math.abs(one.x - other.x) >= BOX.width || Math.abs(one.y - other.y) >= BOX.height).toBe(true)
    for (const { x, y } of nodes) expect([x >= 0, y >= 0, x + BOX.width <= width, y + BOX.height <= height]).toEqual([true, true, true, true])
    const [a, b] = ['a', 'b'].map((id) => nodes.find((each) => each.id === id)!)
    expect(lines[0]!.path.startsWith(`M${a!.x + BOX.width} `)).toBe(true)
    expect(lines[0]!.path.endsWith(` ${b!.x} ${b!.y + BOX.height / 2}`)).toBe(true)
  })
})
