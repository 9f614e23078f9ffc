// Which runs a list shows, under which heads, and in what configurations differ.

import { describe, expect, it } from 'vitest'
import { configDifferences, groupRuns, matchesFilter, runFilterSchema } from '../../src-main/domain/run-browser.ts'
import type { RunRow } from '../../src-main/domain/run-view.ts'
import { aRunConfig } from '../support/builders.ts'

const aRow = (id: string, overrides: Partial<RunRow> = {}): RunRow => ({
  id,
  name: `run ${id}`,
  status: 'finished',
  studyId: null,
  phaseId: null,
  objective: 'sft',
  dataset: 'pairs',
  step: 1,
  steps: 1,
  progress: null,
  engine: null,
  device: null,
  createdAtMs: 0,
  startedAtMs: null,
  finishedAtMs: null,
  workedMs: 0,
  leftMs: null,
  failure: null,
  note: '',
  tags: [],
  origin: null,
  ...overrides,
})
const idsOf = (runs: readonly RunRow[]) => runs.map(({ id }) => id)

describe('a filter', () => {
  const run = aRow('a', { name: 'Hot DPO', objective: 'dpo', tags: ['sweep'], note: 'too hot' })
  it.each([
    [{}, true],
    [{ text: 'DPO hot' }, true],
    [{ text: 'sweep pairs' }, true],
    [{ text: 'hot ipo' }, false],
    [{ tag: 'sweep' }, true],
    [{ tag: 'swee' }, false],
    [{ status: 'failed' }, false],
  ])('%j → %j', (filter, expected) => {
    expect(matchesFilter(run, runFilterSchema.parse(filter))).toBe(expected)
  })
})

describe('groups', () => {
  const runs = [aRow('a', { studyId: 's', tags: ['x', 'y'] }), aRow('b', { objective: 'dpo' }), aRow('c', { studyId: 'gone', tags: ['y'] })]
  const group = (by: Parameters<typeof groupRuns>[1]) => groupRuns(runs, by, (id) => (id === 's' ? 'My study' : null)).map(({ label, runs: of }) => [label, idsOf(of)])

  it('keep the order of runs, name what they share, and lose no run', () => {
    expect(group('none')).toEqual([['All runs', ['a', 'b', 'c']]])
    expect(group('study')).toEqual([['My study', ['a']], ['On their own', ['b']], ['A study that was deleted', ['c']]])
    expect(group('objective')).toEqual([['sft', ['a', 'c']], ['dpo', ['b']]])
  })

  it('by tag show a run under each of its tags', () => {
    expect(group('tag')).toEqual([['x', ['a']], ['y', ['a', 'c']], ['Without a tag', ['b']]])
  })

  it('of nothing are none', () => {
    expect(groupRuns([], 'study', () => null)).toEqual([])
  })
})

describe('configurations', () => {
  it('are told only where they differ, with a dash where one has no such setting', () => {
    const [a, b] = [aRunConfig({ steps: 9 }), aRunConfig({ steps: 9, objective: 'dpo' })]
    const differences = configDifferences([a, b, a])
    expect(differences.map(({ setting }) => setting)).toContain('training.objective.beta')
    expect(differences.every(({ setting }) => setting.startsWith('training.objective.'))).toBe(true)
    expect(differences.find(({ setting }) => setting === 'training.objective.beta')!.values).toEqual(['–', '0.1', '–'])
    expect(configDifferences([a, a])).toEqual([])
  })
})
