// Samples as they are browsed: pages by key (never by offset, so the thousandth page costs what the first does), one sample
// in full, and what checks and exports read. What is counted of them is in sample-counts.ts.

import { z } from 'zod'
import { SAMPLE_STATES, sampleFilterSchema, type Cursor, type OrderRequest, type PageRequest, type SampleFilter, type SampleRow, type SampleSort } from '../domain/sample-query.ts'
import { textOfContent } from '../domain/sample-facts.ts'
import { contentSchema, DATASET_KINDS, SPLITS, type Content, type DatasetKind, type ImageRef, type Sample, type Split } from '../domain/sample.ts'
import type { Db } from './database.ts'
import { readJson } from './json-column.ts'
import type { SampleCountStore } from './sample-counts.ts'
import { conditionOf, isOfCounts, placesOf, tokenizerId, TOKENS, type Condition } from './sample-filter.ts'

const SORT_COLUMNS: Readonly<Record<SampleSort, string>> = {
  imported: 's.row',
  textLength: 's.text_length',
  pixels: 's.pixels',
  imageBytes: 's.image_bytes',
  source: "COALESCE(s.source, '')",
  tokens: TOKENS,
}
const IS_UNCOUNTED = `NOT EXISTS (SELECT 1 FROM token_counts WHERE row = s.row AND tokenizer_id = ${tokenizerId('@counter')})`
/** So many samples are looked up one by one. */
const FEW_ROWS = 5000
/** Characters of the text in a list. */
const EXCERPT = 240

/** What a check looks at: a sample and its image, without the content. */
export interface ExaminedSample {
  readonly row: number
  readonly id: string
  readonly datasetId: string
  readonly split: Split
  readonly source: string | null
  readonly sha256: string | null
  readonly pixels: number
  readonly width: number
  readonly height: number
}

export type SampleStore = ReturnType<typeof createSampleStore>

export function createSampleStore(db: Db, counts: SampleCountStore) {
  const listed = `s.row, s.id, s.dataset_id, s.kind, s.split, s.state, s.source, s.image_sha256, s.image_format, s.width, s.height,
    s.image_bytes, s.text_length, c.content,
    (SELECT json_group_array(tag) FROM (SELECT tag FROM sample_tags WHERE row = s.row ORDER BY tag)) AS tags,
    (SELECT json_group_array(category) FROM (SELECT category FROM sample_categories WHERE row = s.row ORDER BY category)) AS categories`
  const byRow = db.prepare(`SELECT ${listed} FROM samples s JOIN sample_contents c ON c.row = s.row WHERE s.row = ?`)
  const inRows = db.prepare(`SELECT ${listed} FROM samples s JOIN sample_contents c ON c.row = s.row WHERE s.row IN (SELECT value FROM json_each(?))`)
  const datasetIds = db.prepare('SELECT id FROM datasets WHERE is_deleted = 0 ORDER BY id').pluck()
  const rowOf = db.prepare('SELECT row FROM samples WHERE dataset_id = ? AND id = ?').pluck()
  const rowOfItem = db.prepare("SELECT row FROM samples WHERE id = ? ORDER BY state = 'deleted', row LIMIT 1").pluck()
  const rowOfImage = db.prepare("SELECT row FROM samples WHERE dataset_id = ? AND image_sha256 = ? AND state = 'kept' ORDER BY row LIMIT 1").pluck()
  const sameImage = db.prepare(`
    SELECT s.row, d.name AS dataset, s.kind, s.split FROM samples s JOIN datasets d ON d.id = s.dataset_id
    WHERE s.image_sha256 = (SELECT image_sha256 FROM samples WHERE row = @row) AND s.row <> @row AND s.state <> 'deleted'
    ORDER BY s.row LIMIT 200`)
  const runsOf = db.prepare(
    'SELECT r.id, r.name FROM runs r JOIN datasets d ON d.name = r.dataset JOIN samples s ON s.dataset_id = d.id WHERE s.row = ? ORDER BY r.created_at_ms DESC LIMIT 50',
  )
  const measured = db.prepare(
    'SELECT evaluation_id AS evaluationId, metric, value FROM item_results WHERE item_id = (SELECT id FROM samples WHERE row = ?) ORDER BY evaluation_id, metric LIMIT 200',
  )
  const findingsOf = db.prepare(`
    SELECT f.task_id AS taskId, t.title, f.score, f.detail FROM findings f JOIN data_tasks t ON t.id = f.task_id WHERE f.row = ?
    ORDER BY t.created_at_ms DESC`)

  /** What a query gives as `row`. As one text: a hundred thousand results of a statement take longer than the search. */
  const rowsIn = ({ sql, parameters }: Condition) =>
    JSON.parse(db.prepare(`SELECT json_group_array(row) FROM (${sql})`).pluck().get(parameters) as string) as number[]
  const rowsOf = ({ sql, parameters }: Condition) => rowsIn({ sql: `SELECT s.row AS row FROM samples s WHERE ${sql}`, parameters })

  /** Equal values keep the order of import. */
  const orderBy = (sort: SampleSort, direction: OrderRequest['direction'], { value, row } = { value: SORT_COLUMNS[sort], row: 's.row' }) => {
    const way = direction === 'ascending' ? 'ASC' : 'DESC'
    return `ORDER BY ${sort === 'imported' ? '' : `${value} ${way}, `}${row} ${way}`
  }

  /** `beyond`: an SQL condition more. The columns are row and value. */
  function ordered({ filter, sort, direction }: OrderRequest, beyond = ''): Condition {
    const { sqls, parameters } = placesOf(filter, datasetIds.all() as string[], sort === 'imported' ? 'imported' : 'by value')
    const columns = `s.row AS row, ${SORT_COLUMNS[sort]} AS value`
    if (sqls.length === 1) return { sql: `SELECT ${columns} FROM samples s WHERE ${sqls[0]} ${beyond} ${orderBy(sort, direction)}`, parameters }
    const places = sqls.map((sql) => `SELECT ${columns} FROM samples s WHERE ${sql} ${beyond}`)
    return { sql: `${places.join(' UNION ALL ')} ${orderBy(sort, direction, { value: 'value', row: 'row' })}`, parameters }
  }

  /** These rows, with the columns of `ordered`. */
  function sorted(rows: readonly number[], { filter, sort, direction }: OrderRequest, beyond = ''): Condition {
    const from = `FROM samples s WHERE s.row IN (SELECT value FROM json_each(@found)) ${beyond}`
    return {
      sql: `SELECT s.row AS row, ${SORT_COLUMNS[sort]} AS value ${from} ${orderBy(sort, direction)}`,
      parameters: { found: JSON.stringify(rows), ...(sort === 'tokens' ? { tokenizer: filter.tokens!.tokenizer } : {}) },
    }
  }

  /** Without a tokenizer there are no tokens to sort by. */
  const sortOf = ({ filter, sort }: OrderRequest): SampleSort => (sort === 'tokens' && filter.tokens === null ? 'imported' : sort)

  /** In the order of `rows`; those that are gone are left out. */
  function list(rows: readonly number[]): readonly SampleRow[] {
    const found = new Map(inRows.all(JSON.stringify(rows)).map((each) => [(each as { row: number }).row, listedRow(each)]))
    return rows.flatMap((row) => found.get(row) ?? [])
  }

  function* examined(filter: SampleFilter): Generator<ExaminedSample & { readonly content: Content }> {
    const { sql, parameters } = conditionOf(filter)
    const rows = db
      .prepare(
        `SELECT s.row, s.id, s.dataset_id AS datasetId, s.split, s.source, s.image_sha256 AS sha256, s.pixels,
          COALESCE(s.width, 0) AS width, COALESCE(s.height, 0) AS height, c.content
        FROM samples s JOIN sample_contents c ON c.row = s.row WHERE ${sql} ORDER BY s.row`,
      )
      .iterate(parameters) as IterableIterator<ExaminedSample & { readonly content: string }>
    for (const each of rows) yield { ...each, content: readJson(contentSchema, each.content, 'sample_contents.content') }
  }

  return {
    page({ after, limit, ...request }: PageRequest): { readonly rows: readonly SampleRow[]; readonly next: Cursor | null } {
      const { filter, direction } = request
      const sort = sortOf(request)
      const compare = direction === 'ascending' ? '>' : '<'
      const beyond = after === null ? '' : sort === 'imported' ? `AND s.row ${compare} @row` : `AND (${SORT_COLUMNS[sort]}, s.row) ${compare} (@value, @row)`
      // Few of many are far apart in the order of all.
      const isFew = isOfCounts(filter) && counts.count(filter) <= FEW_ROWS
      const { sql, parameters } = isFew ? sorted(rowsOf(conditionOf(filter)), { filter, sort, direction }, beyond) : ordered({ filter, sort, direction }, beyond)
      const places = db.prepare(`${sql} LIMIT @limit`).all({
        ...parameters,
        ...(after === null ? {} : { row: after.row, ...(sort === 'imported' ? {} : { value: after.value }) }),
        limit: limit + 1,
      }) as { row: number; value: number | string | null }[]
      const last = places[limit - 1]
      return { rows: list(places.slice(0, limit).map(({ row }) => row)), next: places.length > limit && last !== undefined ? last : null }
    },
    /**
     * Rows of all samples of the filter, in order. Few are found and sorted; many are picked out of the order of all, whatever
     * their state, which an index holds: to look each of them up would take longer than both walks. Where the kept counts know
     * that nothing is left out, that order is the answer.
     */
    order(request: OrderRequest): readonly number[] {
      const { filter, direction } = request
      const sort = sortOf(request)
      const directed = (rows: number[]) => (direction === 'ascending' ? rows : rows.reverse())
      const tokens = sort === 'tokens' ? { tokenizer: filter.tokens!.tokenizer } : null
      const everything = sampleFilterSchema.parse({ datasetId: filter.datasetId, states: [...SAMPLE_STATES], tokens })
      const inOrder = () => rowsIn(ordered({ filter: everything, sort, direction }))
      if (sort !== 'imported' && isOfCounts(filter) && counts.count(filter) === counts.count(everything)) return inOrder()
      const found = rowsOf(conditionOf(filter))
      if (sort === 'imported') return directed(inRowOrder(found))
      if (found.length <= FEW_ROWS) return rowsIn(sorted(found, { filter, sort, direction }))
      const all = inOrder()
      if (all.length === found.length) return all
      const isFound = new Uint8Array(found.reduce((most, row) => Math.max(most, row), 0) + 1)
      for (const row of found) isFound[row] = 1
      return all.filter((row) => isFound[row] === 1)
    },
    list,
    /** null: there is no such sample. */
    find(row: number): { readonly row: SampleRow; readonly content: Content } | null {
      const found = byRow.get(row)
      return found === undefined ? null : { row: listedRow(found), content: contentOf(found) }
    },
    /** Of the first dataset that holds a sample of this id. */
    rowOfItem: (id: string): number | null => (rowOfItem.get(id) as number | undefined) ?? null,
    rowOf: (datasetId: string, id: string): number | null => (rowOf.get(datasetId, id) as number | undefined) ?? null,
    /** Of the first sample of a dataset that is about an image. */
    rowOfImage: (datasetId: string, sha256: string): number | null => (rowOfImage.get(datasetId, sha256) as number | undefined) ?? null,
    sameImage: (row: number) =>
      sameImage.all({ row }) as { readonly row: number; readonly dataset: string; readonly kind: DatasetKind; readonly split: Split }[],
    runsOf: (row: number) => runsOf.all(row) as { readonly id: string; readonly name: string }[],
    measured: (row: number) =>
      measured.all(row) as { readonly evaluationId: string; readonly metric: string; readonly value: number }[],
    findingsOf: (row: number) =>
      findingsOf.all(row) as {
        readonly taskId: string
        readonly title: string
        readonly score: number | null
        readonly detail: string
      }[],
    examined,
    /** Images of the filter's samples, each once, in the order of their first sample. */
    images(filter: SampleFilter): readonly ImageRef[] {
      const { sql, parameters } = conditionOf(filter)
      return db
        .prepare(
          `SELECT i.sha256, i.path, i.width, i.height FROM
            (SELECT s.image_sha256 AS sha256, MIN(s.row) AS row FROM samples s WHERE ${sql} AND s.width IS NOT NULL GROUP BY 1) u
          JOIN images i ON i.sha256 = u.sha256 ORDER BY u.row`,
        )
        .all(parameters) as ImageRef[]
    },
    /** Samples of the filter that a tokenizer has not counted. */
    countUncounted(filter: SampleFilter, counter: string): number {
      const { sql, parameters } = conditionOf(filter)
      return db.prepare(`SELECT COUNT(*) FROM samples s WHERE ${sql} AND ${IS_UNCOUNTED}`).pluck().get({ ...parameters, counter }) as number
    },
    *uncounted(filter: SampleFilter, counter: string): Generator<{ readonly row: number; readonly sample: Pick<Sample, 'image' | 'content'> }> {
      const { sql, parameters } = conditionOf(filter)
      const rows = db
        .prepare(
          `SELECT s.row, s.image_sha256 AS sha256, i.path, s.width, s.height, c.content FROM samples s JOIN sample_contents c ON c.row = s.row
          LEFT JOIN images i ON i.sha256 = s.image_sha256 WHERE ${sql} AND ${IS_UNCOUNTED} ORDER BY s.row`,
        )
        .iterate({ ...parameters, counter }) as IterableIterator<{ row: number; content: string } & (ImageRef | Record<keyof ImageRef, null>)>
      for (const { row, content, ...image } of rows)
        yield { row, sample: { image: image.sha256 === null ? null : (image as ImageRef), content: readJson(contentSchema, content, 'sample_contents.content') } }
    },
    /** What an export writes. */
    *forExport(filter: SampleFilter): Generator<{ readonly sample: Sample; readonly tags: readonly string[] }> {
      const { sql, parameters } = conditionOf(filter)
      const rows = db
        .prepare(
          `SELECT ${listed}, i.path FROM samples s JOIN sample_contents c ON c.row = s.row
          LEFT JOIN images i ON i.sha256 = s.image_sha256 WHERE ${sql} ORDER BY s.row`,
        )
        .iterate(parameters)
      for (const each of rows) {
        const { id, split, source, image, tags } = listedRow(each)
        const path = (each as { path: string | null }).path
        yield {
          sample: {
            id,
            split,
            source,
            image: image === null ? null : { sha256: image.sha256, path: path!, width: image.width, height: image.height },
            content: contentOf(each),
          },
          tags,
        }
      }
    },
  }
}

/** Those of one dataset and state come in order already. */
function inRowOrder(rows: number[]): number[] {
  return rows.every((row, i) => i === 0 || rows[i - 1]! < row) ? rows : Array.from(Int32Array.from(rows).sort())
}

const listedColumns = z.object({
  row: z.number(),
  id: z.string(),
  dataset_id: z.string(),
  kind: z.enum(DATASET_KINDS),
  split: z.enum(SPLITS),
  state: z.enum(SAMPLE_STATES),
  source: z.string().nullable(),
  image_sha256: z.string().nullable(),
  image_format: z.string().nullable(),
  width: z.number().nullable(),
  height: z.number().nullable(),
  image_bytes: z.number(),
  text_length: z.number(),
  content: z.string(),
  tags: z.string(),
  categories: z.string(),
})

const contentOf = (columns: unknown): Content =>
  readJson(contentSchema, (columns as { content: string }).content, 'sample_contents.content')

function listedRow(columns: unknown): SampleRow {
  const each = listedColumns.parse(columns)
  return {
    row: each.row,
    id: each.id,
    datasetId: each.dataset_id,
    kind: each.kind,
    split: each.split,
    state: each.state,
    source: each.source,
    image:
      each.image_sha256 === null
        ? null
        : {
            sha256: each.image_sha256,
            width: each.width!,
            height: each.height!,
            format: each.image_format,
            bytes: each.image_bytes,
          },
    text: textOfContent(contentOf(each)).slice(0, EXCERPT),
    textLength: each.text_length,
    categories: JSON.parse(each.categories) as string[],
    tags: JSON.parse(each.tags) as string[],
  }
}
