// What is counted of the samples of a filter: how many, by facet, by bin. Filters on what the kept counts (tables
// sample_counts and category_counts) tell are answered from those; others walk an index.

import type { Facets, SampleFilter, SampleMeasure } from '../domain/sample-query.ts'
import { SPLITS } from '../domain/sample.ts'
import type { Db } from './database.ts'
import { conditionOf, isOfCounts, partOfCounts, TOKENS } from './sample-filter.ts'
import { byFrequency } from './sql-functions.ts'

const MOST_FACET_VALUES = 100
const MOST_MEASURES = 1000

/** The kept counts as if they were samples, for the conditions of a filter. */
const COUNTS = "(SELECT *, NULLIF(has_image, 0) AS width FROM sample_counts WHERE samples > 0) s"
const CATEGORY_COUNTS = '(SELECT *, NULLIF(has_image, 0) AS width FROM category_counts WHERE samples > 0) s'

const FACET_COLUMNS = ['kind', 'split', 'state', 'question_group', 'image_format'] as const
type FacetColumn = (typeof FACET_COLUMNS)[number]
/** Of a column with more values than these each is read, and none has a sum of its own. */
const FEW_VALUES = 8

interface Tallies {
  readonly total: number
  readonly images: number
  readonly masks: number
  readonly by: Readonly<Record<FacetColumn, Map<string, number>>>
  readonly categories: ReadonlyMap<string, number>
}

interface Counted {
  readonly value: string
  readonly count: number
}

export type SampleCountStore = ReturnType<typeof createSampleCountStore>

export function createSampleCountStore(db: Db) {
  // As byFrequency.
  const ranked = 'GROUP BY 1 ORDER BY 2 DESC, natural_key(value), 1'

  /** For a filter that the kept counts can answer. */
  function keptTallies(filter: SampleFilter): Omit<Tallies, 'categories'> {
    const { sql, parameters } = conditionOf(filter)
    const cells = db
      .prepare(
        `SELECT ${FACET_COLUMNS.map((column) => `NULLIF(${column}, '') AS ${column}`).join(', ')},
          samples AS total, samples * has_image AS images, samples * has_mask AS masks FROM ${COUNTS} WHERE ${sql}`,
      )
      .all(parameters) as (Readonly<Record<FacetColumn, string | null>> & Readonly<Record<'total' | 'images' | 'masks', number>>)[]
    const sum = (of: 'total' | 'images' | 'masks') => cells.reduce((total, cell) => total + cell[of], 0)
    const by = Object.fromEntries(FACET_COLUMNS.map((column) => [column, new Map<string, number>()])) as Tallies['by']
    for (const cell of cells) for (const column of FACET_COLUMNS) if (cell[column] !== null) add(by[column], cell[column], cell.total)
    return { total: sum('total'), images: sum('images'), masks: sum('masks'), by }
  }

  function keptCategories(filter: SampleFilter): ReadonlyMap<string, number> {
    const { sql, parameters } = conditionOf(filter)
    const counts = db.prepare(`SELECT category AS value, SUM(samples) AS count FROM ${CATEGORY_COUNTS} WHERE ${sql} GROUP BY 1`).all(parameters) as Counted[]
    return new Map(counts.map(({ value, count }) => [value, count]))
  }

  /**
   * For any filter, in one walk over the index that holds all of it. A column of few values, which the kept counts know, is a sum for
   * each; of many, all of its values are listed as one text and counted here: SQLite groups by sorting, which takes longer.
   */
  function walkedTallies(filter: SampleFilter): Tallies {
    const { sql, parameters } = conditionOf(filter)
    const { by: possible } = keptTallies(partOfCounts(filter))
    // All have a kind, a split and a state: where one value is possible, it is that of all.
    const same = (['kind', 'split', 'state'] as const).filter((column) => possible[column].size === 1)
    const few = FACET_COLUMNS.filter((column) => possible[column].size <= FEW_VALUES && !(same as readonly string[]).includes(column)).flatMap((column) =>
      [...possible[column].keys()].map((value) => ({ column, value })),
    )
    const many = FACET_COLUMNS.filter((column) => possible[column].size > FEW_VALUES)
    const counted = db
      .prepare(
        `SELECT ${[
          ...['COUNT(*) AS total', 'COUNT(s.width) AS images', 'SUM(s.has_mask) AS masks', 'SUM(s.categories > 1) AS ofSeveral'],
          'json_group_array(s.sole_category) FILTER (WHERE s.sole_category IS NOT NULL) AS categories',
          ...few.map(({ column }, i) => `SUM(s.${column} = @v${i}) AS v${i}`),
          ...many.map((column) => `json_group_array(s.${column}) FILTER (WHERE s.${column} <> '') AS ${column}`),
        ].join(', ')} FROM samples s WHERE ${sql}`,
      )
      .get({ ...parameters, ...Object.fromEntries(few.map(({ value }, i) => [`v${i}`, value])) }) as Readonly<Record<string, unknown>>
    const number = (name: string) => (counted[name] as number | null) ?? 0
    const by = Object.fromEntries(FACET_COLUMNS.map((column) => [column, new Map<string, number>()])) as Tallies['by']
    for (const column of same) add(by[column], [...possible[column].keys()][0]!, number('total'))
    few.forEach(({ column, value }, i) => add(by[column], value, number(`v${i}`)))
    for (const column of many) for (const value of JSON.parse(counted[column] as string) as string[]) add(by[column], value, 1)
    const categories = new Map<string, number>()
    for (const value of JSON.parse(counted['categories'] as string) as string[]) add(categories, value, 1)
    if (number('ofSeveral') > 0)
      for (const { value, count } of db
        .prepare(`SELECT t.category AS value, COUNT(*) AS count FROM sample_categories t JOIN samples s ON s.row = t.row WHERE ${sql} AND s.categories > 1 GROUP BY 1`)
        .all(parameters) as Counted[])
        add(categories, value, count)
    return { total: number('total'), images: number('images'), masks: number('masks'), by, categories }
  }

  /** @param from  of samples s and what has the value */
  function counted(value: string, from: string, filter: SampleFilter): Counted[] {
    const { sql, parameters } = conditionOf(filter)
    return db
      .prepare(`SELECT ${value} AS value, COUNT(*) AS count FROM ${from} WHERE ${sql} ${ranked} LIMIT ${MOST_FACET_VALUES}`)
      .all(parameters) as Counted[]
  }

  return {
    count(filter: SampleFilter): number {
      const { sql, parameters } = conditionOf(filter)
      const query = isOfCounts(filter) ? `SELECT COALESCE(SUM(samples), 0) FROM ${COUNTS}` : 'SELECT COUNT(*) FROM samples s'
      return db.prepare(`${query} WHERE ${sql}`).pluck().get(parameters) as number
    },
    facets(filter: SampleFilter): Facets {
      const { total, images, masks, by, categories } = isOfCounts(filter) ? { ...keptTallies(filter), categories: keptCategories(filter) } : walkedTallies(filter)
      return {
        total,
        kinds: mostFrequent(by.kind),
        splits: mostFrequent(by.split),
        states: mostFrequent(by.state),
        // Few samples have tags: from those to the samples.
        tags: counted('t.tag', 'sample_tags t CROSS JOIN samples s ON s.row = t.row', filter),
        categories: mostFrequent(categories),
        groups: mostFrequent(by.question_group),
        imageFormats: mostFrequent(by.image_format),
        hasImage: images,
        hasMask: masks,
      }
    },
    /** Sources that begin with or hold `search`, the most frequent first. */
    sources(filter: SampleFilter, search: string, limit: number): readonly { value: string; count: number }[] {
      const { sql, parameters } = conditionOf(filter)
      return db
        .prepare(
          `SELECT s.source AS value, COUNT(*) AS count FROM samples s
          WHERE ${sql} AND s.source IS NOT NULL AND instr(lower(s.source), lower(@search)) > 0 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT @limit`,
        )
        .all({ ...parameters, search, limit }) as { value: string; count: number }[]
    },
    /** What was measured item by item on the filter's samples, the newest evaluation first. */
    measures(filter: SampleFilter): readonly SampleMeasure[] {
      const { sql, parameters } = conditionOf(filter)
      const rows = db
        .prepare(
          `SELECT i.evaluation_id AS evaluationId, i.metric, COUNT(*) AS samples, MIN(i.value) AS low, MAX(i.value) AS high,
            e.encoder, e.seed, e.checkpoint, t.name AS study
          FROM samples s JOIN item_results i ON i.item_id = s.id JOIN evaluations e ON e.id = i.evaluation_id
          LEFT JOIN studies t ON t.id = e.study_id
          WHERE ${sql} GROUP BY 1, 2 ORDER BY e.created_at_ms DESC, 1, 2 LIMIT ${MOST_MEASURES}`,
        )
        .all(parameters) as (Omit<SampleMeasure, 'subject'> & {
        encoder: string | null
        seed: number | null
        checkpoint: string
        study: string | null
      })[]
      return rows.map(({ encoder, seed, checkpoint, study, ...rest }) => ({
        ...rest,
        subject: encoder === null ? checkpoint.split(/[\\/]/).slice(-2).join('/') : `${encoder}${seed === null ? '' : `, seed ${seed}`}${study === null ? '' : ` of ${study}`}`,
      }))
    },
    /** Counts in at most `bins` bins of equal width; tokens are those of the tokenizer that the filter names. */
    histogram(filter: SampleFilter, of: 'textLength' | 'imageSize' | 'tokens', bins: number): readonly { from: number; to: number; count: number }[] {
      const { sql, parameters } = conditionOf(filter)
      const expression = { textLength: 's.text_length', imageSize: 'MAX(s.width, s.height)', tokens: TOKENS }[of]
      const where = of === 'imageSize' ? `${sql} AND s.width IS NOT NULL` : sql
      const ends = db
        .prepare(`SELECT MIN(v) AS low, MAX(v) AS high FROM (SELECT ${expression} AS v FROM samples s WHERE ${where})`)
        .get(parameters) as { low: number | null; high: number | null }
      if (ends.low === null || ends.high === null) return []
      const width = Math.max(1, Math.ceil((ends.high - ends.low + 1) / bins))
      // Numbers are bound as fractions: without the cast each value would be a bin of its own.
      const counts = new Map(
        (
          db
            .prepare(`SELECT CAST((${expression} - @low) / @width AS INTEGER) AS bin, COUNT(*) AS count FROM samples s WHERE ${where} GROUP BY 1`)
            .all({ ...parameters, low: ends.low, width }) as { bin: number; count: number }[]
        ).map(({ bin, count }) => [Math.floor(bin), count]),
      )
      const last = Math.floor((ends.high - ends.low) / width)
      return Array.from({ length: last + 1 }, (_, i) => ({
        from: ends.low! + i * width,
        to: ends.low! + (i + 1) * width - 1,
        count: counts.get(i) ?? 0,
      }))
    },
    categoryBalance(filter: SampleFilter): readonly { value: string; train: number; validation: number; test: number }[] {
      const { sql, parameters } = conditionOf(filter)
      const [from, each] = isOfCounts(filter) ? [CATEGORY_COUNTS, 'samples'] : ['sample_categories t JOIN samples s ON s.row = t.row', '1']
      return db
        .prepare(
          `SELECT category AS value, ${SPLITS.map((split) => `SUM((s.split = '${split}') * ${each}) AS ${split}`).join(', ')}
          FROM ${from} WHERE ${sql} GROUP BY 1 ORDER BY SUM(${each}) DESC, natural_key(value), 1 LIMIT 500`,
        )
        .all(parameters) as { value: string; train: number; validation: number; test: number }[]
    },
    imageCount(filter: SampleFilter): number {
      const { sql, parameters } = conditionOf(filter)
      return db.prepare(`SELECT COUNT(DISTINCT s.image_sha256) FROM samples s WHERE ${sql}`).pluck().get(parameters) as number
    },
  }
}

function add(counts: Map<string, number>, value: string, by: number): void {
  counts.set(value, (counts.get(value) ?? 0) + by)
}

function mostFrequent(counts: ReadonlyMap<string, number>): Counted[] {
  return byFrequency(counts)
    .filter(({ count }) => count > 0)
    .slice(0, MOST_FACET_VALUES)
}
