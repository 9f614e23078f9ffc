// What is counted of the samples of a filter: how many, by facet, by bin. Filters on what the kept counts (tables
// sample_counts and category_counts) tell are answered from those; others walk an index.

import type { Facets, SampleFilter } from '../domain/sample-query.ts'
import { SPLITS } from '../domain/sample.ts'
import type { Db } from './database.ts'
import { conditionOf, isOfCategoryCounts, isOfCounts } from './sample-filter.ts'

const MOST_FACET_VALUES = 100

/** The kept counts as if they were samples, for the conditions of a filter. */
const COUNTS = "(SELECT *, NULLIF(has_image, 0) AS width FROM sample_counts WHERE samples > 0) s"
const CATEGORY_COUNTS = '(SELECT * FROM category_counts WHERE samples > 0) s'

interface FacetCell {
  readonly kind: string
  readonly split: string
  readonly state: string
  readonly question_group: string | null
  readonly image_format: string | null
  readonly total: number
  readonly images: number
  readonly masks: number
}

interface Counted {
  readonly value: string
  readonly count: number
}

export type SampleCountStore = ReturnType<typeof createSampleCountStore>

export function createSampleCountStore(db: Db) {
  const ranked = 'GROUP BY 1 ORDER BY 2 DESC, 1'

  function cellsOf(filter: SampleFilter): readonly FacetCell[] {
    const { sql, parameters } = conditionOf(filter)
    if (isOfCounts(filter))
      return db
        .prepare(
          `SELECT kind, split, state, NULLIF(question_group, '') AS question_group, NULLIF(image_format, '') AS image_format,
            samples AS total, samples * has_image AS images, samples * has_mask AS masks FROM ${COUNTS} WHERE ${sql}`,
        )
        .all(parameters) as FacetCell[]
    // One walk over the index for all that stands in it; what is counted is added up by each value.
    return db
      .prepare(
        `SELECT s.kind, s.split, s.state, s.question_group, s.image_format, COUNT(*) AS total, COUNT(s.width) AS images,
          SUM(s.has_mask) AS masks FROM samples s WHERE ${sql} GROUP BY 1, 2, 3, 4, 5`,
      )
      .all(parameters) as FacetCell[]
  }

  /** @param from  of samples s and what has the value */
  function counted(value: string, from: string, filter: SampleFilter): Counted[] {
    const { sql, parameters } = conditionOf(filter)
    return db
      .prepare(`SELECT ${value} AS value, COUNT(*) AS count FROM ${from} WHERE ${sql} ${ranked} LIMIT ${MOST_FACET_VALUES}`)
      .all(parameters) as Counted[]
  }

  function categoriesOf(filter: SampleFilter): Counted[] {
    if (!isOfCategoryCounts(filter)) return counted('t.category', 'sample_categories t JOIN samples s ON s.row = t.row', filter)
    const { sql, parameters } = conditionOf(filter)
    return db
      .prepare(`SELECT category AS value, SUM(samples) AS count FROM ${CATEGORY_COUNTS} WHERE ${sql} ${ranked} LIMIT ${MOST_FACET_VALUES}`)
      .all(parameters) as Counted[]
  }

  return {
    count(filter: SampleFilter): number {
      const { sql, parameters } = conditionOf(filter)
      const query = isOfCounts(filter) ? `SELECT COALESCE(SUM(samples), 0) FROM ${COUNTS}` : 'SELECT COUNT(*) FROM samples s'
      return db.prepare(`${query} WHERE ${sql}`).pluck().get(parameters) as number
    },
    facets(filter: SampleFilter): Facets {
      const cells = cellsOf(filter)
      const sum = (of: 'total' | 'images' | 'masks') => cells.reduce((total, cell) => total + cell[of], 0)
      const by = (key: 'kind' | 'split' | 'state' | 'question_group' | 'image_format') => {
        const counts = new Map<string, number>()
        for (const cell of cells) if (cell[key] !== null) counts.set(cell[key], (counts.get(cell[key]) ?? 0) + cell.total)
        return [...counts]
          .map(([value, count]) => ({ value, count }))
          .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
          .slice(0, MOST_FACET_VALUES)
      }
      return {
        total: sum('total'),
        kinds: by('kind'),
        splits: by('split'),
        states: by('state'),
        // Few samples have tags: from those to the samples.
        tags: counted('t.tag', 'sample_tags t CROSS JOIN samples s ON s.row = t.row', filter),
        categories: categoriesOf(filter),
        groups: by('question_group'),
        imageFormats: by('image_format'),
        hasImage: sum('images'),
        hasMask: sum('masks'),
      }
    },
    /** Counts in ten to thirty bins of equal width; `of` is an expression on samples s. */
    histogram(filter: SampleFilter, of: 'textLength' | 'imageSize', bins: number): readonly { from: number; to: number; count: number }[] {
      const { sql, parameters } = conditionOf(filter)
      const expression = of === 'textLength' ? 's.text_length' : 'MAX(s.width, s.height)'
      const where = of === 'textLength' ? sql : `${sql} AND s.width IS NOT NULL`
      const ends = db
        .prepare(`SELECT MIN(v) AS low, MAX(v) AS high FROM (SELECT ${expression} AS v FROM samples s WHERE ${where})`)
        .get(parameters) as { low: number | null; high: number | null }
      if (ends.low === null || ends.high === null) return []
      const width = Math.max(1, Math.ceil((ends.high - ends.low + 1) / bins))
      const counts = new Map(
        (
          db
            .prepare(`SELECT (${expression} - @low) / @width AS bin, COUNT(*) AS count FROM samples s WHERE ${where} GROUP BY 1`)
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
      return db
        .prepare(
          `SELECT t.category AS value, ${SPLITS.map((split) => `SUM(s.split = '${split}') AS ${split}`).join(', ')}
          FROM sample_categories t JOIN samples s ON s.row = t.row WHERE ${sql} GROUP BY 1 ORDER BY COUNT(*) DESC, 1 LIMIT 500`,
        )
        .all(parameters) as { value: string; train: number; validation: number; test: number }[]
    },
    imageCount(filter: SampleFilter): number {
      const { sql, parameters } = conditionOf(filter)
      return db.prepare(`SELECT COUNT(DISTINCT s.image_sha256) FROM samples s WHERE ${sql}`).pluck().get(parameters) as number
    },
  }
}
