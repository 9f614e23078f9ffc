// Samples as a person works with them: browse, search, tag, divide, exclude, delete, undo; saved views; statistics.

import { isAbsolute, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describeChange, splitTableSchema, type ChangeProgress, type CurationChange, type JournalEntry, type Selection, type SplitTable } from '../domain/curation.ts'
import { datasetStatisticsSchema, HISTOGRAM_BINS, type DatasetStatistics } from '../domain/dataset-view.ts'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike } from '../domain/job.ts'
import {
  sampleFilterSchema,
  type Facets,
  type FirstSamples,
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
import type { CountedTokenizer } from '../domain/token-count.ts'
import type { Moves, Walk, Walked } from '../store/curation.ts'
import type { Parts } from './parts.ts'
import { createReader } from './read.ts'
import { timeLeftOfPart } from './time-left.ts'
import { createWorkQueue, inTurn } from './work-queue.ts'

type ChangePart = ChangeProgress['part']

const MIN_MS_BETWEEN_PROGRESS = 100
const NEVER: AbortSignalLike = { aborted: false }
const cancelled = () => new LabError('cancelled', 'the change was stopped; nothing is changed')

export type CurationService = ReturnType<typeof createCurationService>

export function createCurationService(parts: Parts) {
  const { store, project, now, newId, announce } = parts
  const read = createReader(parts)
  /** One change at a time: each takes many turns of the event loop. */
  const changes = createWorkQueue()
  /** Of the change under way. */
  let stop: AbortController | null = null

  /** How the rule divides the selection; with the rows that move, when they are to be told. */
  async function divide(
    selection: Selection,
    rule: SplitRule,
    { tellsRows, signal, told }: { readonly tellsRows: boolean; readonly signal?: AbortSignal; readonly told?: (part: ChangePart, done: number, of: number) => void },
  ): Promise<{ readonly moves: Moves; readonly table: SplitTable }> {
    const moves = new Map<number, Split>()
    const table = await read({ kind: 'divide', selection, rule, tellsRows }, splitTableSchema, signal, (event) => {
      if (event.kind === 'progress') told?.('reading samples', event.done, event.of)
      if (event.kind === 'divided') event.rows.forEach((row, i) => moves.set(row, SPLITS[event.splits[i]!]!))
    })
    return { moves, table }
  }

  /** Tells how far a change is, at most ten times a second. */
  function teller(title: string): (part: ChangePart, done: number, of: number) => void {
    let [last, since, lastMs]: [ChangePart | null, number, number] = [null, now(), -Infinity]
    return (part, done, of) => {
      const atMs = now()
      if (part !== last) [last, since] = [part, atMs]
      else if (atMs - lastMs < MIN_MS_BETWEEN_PROGRESS) return
      lastMs = atMs
      announce({ name: 'samples.changing', value: { progress: { title, part, done, of, leftMs: timeLeftOfPart({ done, of }, since, atMs) } } })
    }
  }

  /**
   * To the end of a walk, giving main a turn between two steps.
   * @throws LabError 'cancelled' once `signal` is aborted and what was done is taken back
   */
  async function take(walk: Walk<Walked | null>, signal: AbortSignal, told: (part: ChangePart, done: number, of: number) => void): Promise<Walked | null> {
    let isStopping = false
    let step = walk.next()
    while (step.done !== true) {
      if (step.value !== null) told(step.value.part, step.value.done, step.value.of)
      await nextTurn()
      if (signal.aborted && !isStopping && step.value?.part === 'changing samples') {
        isStopping = true
        step = walk.throw(cancelled())
      } else step = walk.next()
    }
    return step.value
  }

  /** One change in its turn, which `given` and `cancelChange` stop. */
  function inItsTurn(
    title: string,
    given: AbortSignalLike,
    walkOf: (signal: AbortSignal, told: (part: ChangePart, done: number, of: number) => void) => Walk<Walked | null> | Promise<Walk<Walked | null>>,
  ): Promise<JournalEntry | null> {
    return inTurn(changes, async () => {
      const own = (stop = new AbortController())
      given.addEventListener?.('abort', () => own.abort(), { once: true })
      try {
        if (given.aborted) throw cancelled()
        const told = teller(title)
        const walked = await take(await walkOf(own.signal, told), own.signal, told)
        if (walked === null) return null
        for (const datasetId of walked.datasetIds) announce({ name: 'dataset.changed', value: { datasetId } })
        return walked.entry
      } finally {
        stop = null
        announce({ name: 'samples.changing', value: { progress: null } })
      }
    })
  }

  return {
    page: (request: PageRequest): SamplePage => {
      const { rows, next } = store.samples.page(request)
      return { rows: [...rows], next }
    },
    first: (request: Omit<PageRequest, 'after'>): FirstSamples => ({
      total: store.sampleCounts.count(request.filter),
      rows: [...store.samples.page({ ...request, after: null }).rows],
    }),
    order: (request: OrderRequest): readonly number[] => store.samples.order(request),
    list: (rows: readonly number[]): readonly SampleRow[] => store.samples.list(rows),
    sources: (filter: SampleFilter, search: string, limit: number) => store.sampleCounts.sources(filter, search, limit),
    measures: (filter: SampleFilter): readonly SampleMeasure[] => store.sampleCounts.measures(filter),
    tokenizers: (filter: SampleFilter): readonly CountedTokenizer[] => store.tokenCounts.tokenizers(filter),
    /** Of the tokenizer that the filter names. @throws LabError 'invalid-input' when it names none */
    tokenHistogram(filter: SampleFilter): readonly { readonly from: number; readonly to: number; readonly count: number }[] {
      if (filter.tokens === null) throw new LabError('invalid-input', 'filter.tokens: expected a tokenizer that has counted, found none; run the check of token counts first')
      return store.sampleCounts.histogram(filter, 'tokens', HISTOGRAM_BINS)
    },
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
    /**
     * null: the samples were so already, and nothing was written. 'samples.changing' tells how far it is.
     * @throws LabError 'cancelled' when it was stopped: nothing is changed then
     */
    change: (selection: Selection, change: CurationChange, signal: AbortSignalLike = NEVER): Promise<JournalEntry | null> =>
      inItsTurn(describeChange(change), signal, async (own, told) => {
        const moves = change.kind === 'divide' ? (await divide(selection, change.rule, { tellsRows: true, signal: own, told })).moves : undefined
        return store.curation.apply(selection, change, now(), moves)
      }),
    /** Stops the change, undo or redo under way: what it did is taken back, and whoever asked for it is told 'cancelled'. */
    cancelChange: (): void => stop?.abort(),
    /** What `divide` would do. */
    previewSplits: async (selection: Selection, rule: SplitRule): Promise<SplitTable> => (await divide(selection, rule, { tellsRows: false })).table,
    /** null: nothing to undo. */
    undo: (signal: AbortSignalLike = NEVER): Promise<JournalEntry | null> => inItsTurn('undo', signal, () => store.curation.undo()),
    redo: (signal: AbortSignalLike = NEVER): Promise<JournalEntry | null> => inItsTurn('redo', signal, () => store.curation.redo()),
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
