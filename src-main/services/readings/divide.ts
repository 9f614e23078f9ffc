// Each sample's split by a rule, and how many of each stratum that makes.

import { splitTableSchema, type SplitTable } from '../../domain/curation.ts'
import { LabError } from '../../domain/errors.ts'
import type { JobEvent } from '../../domain/job.ts'
import type { ReadingOf } from '../../domain/reading.ts'
import { categoriesOfContent } from '../../domain/sample-facts.ts'
import { SPLITS, type Split } from '../../domain/sample.ts'
import { splitOfGroup } from '../../domain/split-rule.ts'
import type { Store } from '../../store/store.ts'
import { createCounter } from './told.ts'

const ROWS_A_MESSAGE = 10_000

/** A group goes with the first category that any of its samples has. @throws LabError 'invalid-input' for a selection of rows */
export function* divide(store: Store, { selection, rule, tellsRows }: ReadingOf<'divide'>): Generator<JobEvent, SplitTable> {
  if (selection.kind !== 'filter')
    throw new LabError('invalid-input', 'selection: only samples of a filter can be divided into splits; choose a filter')
  const groups = new Map<string, { stratum: string | null; rows: number[]; splits: Split[] }>()
  const except = new Set(selection.except)
  const counter = createCounter(store.sampleCounts.count(selection.filter))
  for (const sample of store.samples.examined(selection.filter)) {
    const told = counter.next()
    if (told !== null) yield told
    if (except.has(sample.row)) continue
    const key = { image: sample.sha256 ?? sample.id, source: sample.source ?? sample.id, sample: sample.id }[rule.groupBy]
    const group = groups.get(key) ?? { stratum: null, rows: [], splits: [] }
    if (rule.stratify) group.stratum ??= categoriesOfContent(sample.content)[0] ?? null
    group.rows.push(sample.row)
    group.splits.push(sample.split)
    groups.set(key, group)
  }
  const counts = new Map<string | null, Record<Split, number>>()
  let [rows, splits]: [number[], number[]] = [[], []]
  for (const [key, group] of groups) {
    const after = splitOfGroup(rule, key, group.stratum)
    const count = counts.get(group.stratum) ?? (Object.fromEntries(SPLITS.map((split) => [split, 0])) as Record<Split, number>)
    count[after] += group.rows.length
    counts.set(group.stratum, count)
    if (!tellsRows) continue
    group.rows.forEach((row, i) => {
      if (group.splits[i] === after) return
      rows.push(row)
      splits.push(SPLITS.indexOf(after))
    })
    if (rows.length < ROWS_A_MESSAGE) continue
    yield { kind: 'divided', rows: Int32Array.from(rows), splits: Uint8Array.from(splits) }
    ;[rows, splits] = [[], []]
  }
  if (rows.length > 0) yield { kind: 'divided', rows: Int32Array.from(rows), splits: Uint8Array.from(splits) }
  const sorted = [...counts].sort(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1))
  return splitTableSchema.parse(sorted.map(([stratum, each]) => ({ stratum, counts: each })))
}
