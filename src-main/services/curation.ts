// Samples as a person works with them: browse, search, tag, divide, exclude, delete, undo; saved views; statistics.

import { isAbsolute, join } from 'node:path'
import { splitTableSchema, type CurationChange, type JournalEntry, type Selection, type SplitTable } from '../domain/curation.ts'
import type { DatasetStatistics } from '../domain/dataset-view.ts'
import { LabError } from '../domain/errors.ts'
import { categoriesOfContent } from '../domain/sample-facts.ts'
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
import { splitOfGroup, type SplitRule } from '../domain/split-rule.ts'
import type { Splits } from '../store/curation.ts'
import type { Parts } from './parts.ts'

const HISTOGRAM_BINS = 24
const MOST_ANSWERS = 50

export type CurationService = ReturnType<typeof createCurationService>

export function createCurationService({ store, project, now, newId, announce }: Parts) {
  function filterOf(selection: Selection): SampleFilter {
    if (selection.kind === 'filter') return selection.filter
    throw new LabError('invalid-input', 'selection: only samples of a filter can be divided into splits; choose a filter')
  }

  /** Each sample's split by the rule. A group goes with the first category that any of its samples has. */
  function divide(selection: Selection, rule: SplitRule): { readonly splits: Splits; readonly table: SplitTable } {
    const groups = new Map<string, { stratum: string | null; rows: [number, Split][] }>()
    const except = new Set(selection.kind === 'filter' ? selection.except : [])
    for (const sample of store.samples.examined(filterOf(selection))) {
      if (except.has(sample.row)) continue
      const key = { image: sample.sha256 ?? sample.id, source: sample.source ?? sample.id, sample: sample.id }[rule.groupBy]
      const group = groups.get(key) ?? { stratum: null, rows: [] }
      if (rule.stratify) group.stratum ??= categoriesOfContent(sample.content)[0] ?? null
      group.rows.push([sample.row, sample.split])
      groups.set(key, group)
    }
    const splits = new Map<number, { before: Split; after: Split }>()
    const counts = new Map<string | null, Record<Split, number>>()
    for (const [key, { stratum, rows }] of groups) {
      const after = splitOfGroup(rule, key, stratum)
      const count = counts.get(stratum) ?? (Object.fromEntries(SPLITS.map((split) => [split, 0])) as Record<Split, number>)
      count[after] += rows.length
      counts.set(stratum, count)
      for (const [row, before] of rows) splits.set(row, { before, after })
    }
    const sorted = [...counts].sort(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1))
    return { splits, table: splitTableSchema.parse(sorted.map(([stratum, each]) => ({ stratum, counts: each }))) }
  }

  function tell(entry: JournalEntry | null): JournalEntry | null {
    if (entry === null) return null
    for (const datasetId of store.curation.datasetsOf(entry.id)) announce({ name: 'dataset.changed', value: { datasetId } })
    return entry
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
    change(selection: Selection, change: CurationChange): JournalEntry | null {
      const splits = change.kind === 'divide' ? divide(selection, change.rule).splits : null
      return tell(store.curation.apply(selection, change, now(), splits))
    },
    /** What `divide` would do. */
    previewSplits: (selection: Selection, rule: SplitRule): SplitTable => divide(selection, rule).table,
    /** null: nothing to undo. */
    undo: (): JournalEntry | null => tell(store.curation.undo()),
    redo: (): JournalEntry | null => tell(store.curation.redo()),
    journal: (limit: number): readonly JournalEntry[] => store.curation.entries(limit),

    views: (): readonly SavedView[] => store.savedViews.list(),
    saveView(view: Omit<SavedView, 'id' | 'createdAtMs'>): SavedView {
      const saved = { ...view, id: newId('view'), createdAtMs: now() }
      store.savedViews.save(saved)
      return saved
    },
    deleteView: (id: string): void => store.savedViews.delete(id),

    /** Reads every sample of the filter once. */
    statistics(filter: SampleFilter): DatasetStatistics {
      const answers = new Map<string, number>()
      const gaps: number[] = []
      let [samples, words] = [0, 0]
      for (const { content } of store.samples.examined(filter)) {
        samples += 1
        const said = answersOf(content)
        for (const answer of said) answers.set(answer, (answers.get(answer) ?? 0) + 1)
        words += countWords(said) + countWords(questionsOf(content))
        if (content.kind === 'preferences') gaps.push(content.chosen.length - content.rejected.length)
      }
      return {
        samples,
        images: store.sampleCounts.imageCount(filter),
        textLength: [...store.sampleCounts.histogram(filter, 'textLength', HISTOGRAM_BINS)],
        lengthGap: histogram(gaps, HISTOGRAM_BINS),
        imageSize: [...store.sampleCounts.histogram(filter, 'imageSize', HISTOGRAM_BINS)],
        categories: [...store.sampleCounts.categoryBalance(filter)],
        answers: [...answers]
          .map(([value, count]) => ({ value, count }))
          .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
          .slice(0, MOST_ANSWERS),
        words: { total: words, perSample: samples === 0 ? 0 : words / samples },
      }
    },
    /** The filter of all kept samples of a dataset. */
    filterOfDataset: (datasetId: string): SampleFilter => sampleFilterSchema.parse({ datasetId }),
  }
}

type Content = SampleDetail['content']

/** What is learnt or measured: the assistant's turns, the preferred answer, the expected answer. */
export function answersOf(content: Content): readonly string[] {
  switch (content.kind) {
    case 'conversations':
      return content.turns.filter(({ from }) => from === 'assistant').map(({ text }) => text)
    case 'preferences':
      return [content.chosen]
    case 'questions':
      return [content.answer]
    case 'objects':
      return []
  }
}

function questionsOf(content: Content): readonly string[] {
  switch (content.kind) {
    case 'conversations':
      return content.turns.filter(({ from }) => from === 'human').map(({ text }) => text)
    case 'preferences':
      return [content.prompt, content.rejected]
    case 'questions':
      return [content.question]
    case 'objects':
      return []
  }
}

const countWords = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + (text.match(/\S+/g)?.length ?? 0), 0)

/** Integers in at most `bins` bins of equal width. */
function histogram(values: readonly number[], bins: number): { from: number; to: number; count: number }[] {
  if (values.length === 0) return []
  let [low, high] = [Infinity, -Infinity]
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)]
  const width = Math.max(1, Math.ceil((high - low + 1) / bins))
  const counts = Array.from({ length: Math.floor((high - low) / width) + 1 }, (_, i) => ({
    from: low + i * width,
    to: low + (i + 1) * width - 1,
    count: 0,
  }))
  for (const value of values) counts[Math.floor((value - low) / width)]!.count += 1
  return counts
}
