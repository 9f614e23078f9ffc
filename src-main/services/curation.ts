// Samples as a person works with them: browse, search, tag, divide, exclude, delete, undo; saved views; statistics.

import { isAbsolute, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { splitTableSchema, type CurationChange, type JournalEntry, type Selection, type SplitTable } from '../domain/curation.ts'
import { datasetStatisticsSchema, type DatasetStatistics } from '../domain/dataset-view.ts'
import { LabError } from '../domain/errors.ts'
import {
  sampleFilterSchema,
  type Facets,
  type OrderRequest,
  type PageRequest,
  type SampleDetail,
  type SampleFilter,
  type SampleMeasure,
  type SamplePage,
  type SampleRow,
  type SavedView,
} from '../domain/sample-query.ts'
import { SPLITS, type Split } from '../domain/sample.ts'
import type { SplitRule } from '../domain/split-rule.ts'
import type { Moves, Walk, Walked } from '../store/curation.ts'
import type { Parts } from './parts.ts'
import { createReader } from './read.ts'
import { createWorkQueue, inTurn } from './work-queue.ts'

export type CurationService = ReturnType<typeof createCurationService>

export function createCurationService(parts: Parts) {
  const { store, project, now, newId, announce } = parts
  const read = createReader(parts)
  /** One change at a time: each takes many turns of the event loop. */
  const changes = createWorkQueue()

  /** How the rule divides the selection; with the rows that move, when they are to be told. */
  async function divide(selection: Selection, rule: SplitRule, tellsRows: boolean): Promise<{ readonly moves: Moves; readonly table: SplitTable }> {
    const moves = new Map<number, Split>()
    const table = await read({ kind: 'divide', selection, rule, tellsRows }, splitTableSchema, undefined, (event) => {
      if (event.kind === 'divided') event.rows.forEach((row, i) => moves.set(row, SPLITS[event.splits[i]!]!))
    })
    return { moves, table }
  }

  /** To the end of a walk, giving main a turn between two steps. */
  async function take(walk: Walk<Walked | null>): Promise<JournalEntry | null> {
    let step = walk.next()
    for (; step.done !== true; step = walk.next()) await nextTurn()
    if (step.value === null) return null
    for (const datasetId of step.value.datasetIds) announce({ name: 'dataset.changed', value: { datasetId } })
    return step.value.entry
  }

  return {
    page: (request: PageRequest): SamplePage => {
      const { rows, next } = store.samples.page(request)
      return { rows: [...rows], next }
    },
    order: (request: OrderRequest): readonly number[] => store.samples.order(request),
    list: (rows: readonly number[]): readonly SampleRow[] => store.samples.list(rows),
    sources: (filter: SampleFilter, search: string, limit: number) => store.sampleCounts.sources(filter, search, limit),
    measures: (filter: SampleFilter): readonly SampleMeasure[] => store.sampleCounts.measures(filter),
    count: (filter: SampleFilter): number => store.sampleCounts.count(filter),
    facets: (filter: SampleFilter): Facets => store.sampleCounts.facets(filter),
    /** @throws LabError 'not-found' */
    get(row: number): SampleDetail {
      const found = store.samples.find(row)
      if (found === null) throw new LabError('not-found', `there is no sample ${row}; it may have been deleted with its dataset`, { row })
      const image = found.row.image && store.datasets.findImage(found.row.image.sha256)
      return {
        row: found.row,
        dataset: store.datasets.find(found.row.datasetId)!.name,
        content: found.content,
        imageFile: image && (isAbsolute(image.path) ? image.path : join(project, image.path)),
        sameImage: store.samples.sameImage(row),
        runs: store.samples.runsOf(row),
        measured: store.samples.measured(row),
        findings: store.samples.findingsOf(row),
      }
    },
    /** null: the samples were so already, and nothing was written. */
    change: (selection: Selection, change: CurationChange): Promise<JournalEntry | null> =>
      inTurn(changes, async () => {
        const moves = change.kind === 'divide' ? (await divide(selection, change.rule, true)).moves : undefined
        return take(store.curation.apply(selection, change, now(), moves))
      }),
    /** What `divide` would do. */
    previewSplits: async (selection: Selection, rule: SplitRule): Promise<SplitTable> => (await divide(selection, rule, false)).table,
    /** null: nothing to undo. */
    undo: (): Promise<JournalEntry | null> => inTurn(changes, () => take(store.curation.undo())),
    redo: (): Promise<JournalEntry | null> => inTurn(changes, () => take(store.curation.redo())),
    /** Once every change that was asked for is done. */
    idle: (): Promise<void> => changes.idle(),
    /** Ends what a killed process left half done, before anything reads samples. For the only writer, at its start. */
    recover(): void {
      for (const _ of store.curation.recover());
    },
    journal: (limit: number): readonly JournalEntry[] => store.curation.entries(limit),

    views: (): readonly SavedView[] => store.savedViews.list(),
    saveView(view: Omit<SavedView, 'id' | 'createdAtMs'>): SavedView {
      const saved = { ...view, id: newId('view'), createdAtMs: now() }
      store.savedViews.save(saved)
      return saved
    },
    deleteView: (id: string): void => store.savedViews.delete(id),

    statistics: (filter: SampleFilter): Promise<DatasetStatistics> => read({ kind: 'statistics', filter }, datasetStatisticsSchema),
    /** The filter of all kept samples of a dataset. */
    filterOfDataset: (datasetId: string): SampleFilter => sampleFilterSchema.parse({ datasetId }),
  }
}
