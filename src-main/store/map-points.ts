// Table map_points: where a map puts images, what they are coloured by, and which of them a selection of samples means. A
// point stands for an image and is named by the row of the first sample about it, of the mapped dataset if there is one.

import type { Selection } from '../domain/curation.ts'
import type { MapColour, MapPoints, MapValues } from '../domain/feature-map.ts'
import type { Split } from '../domain/sample.ts'
import { conditionOfSelection } from './curation.ts'
import type { Db } from './database.ts'
import { byFrequency } from './sql-functions.ts'

/** Expressions on the first sample `s` about an image, and on what was seen in it, `f`. */
const CLASSES: Readonly<Record<Extract<MapColour, { by: 'class' }>['field'], string>> = {
  category: '(SELECT category FROM sample_categories WHERE row = s.row ORDER BY category LIMIT 1)',
  split: 's.split',
  dataset: '(SELECT name FROM datasets WHERE id = s.dataset_id)',
  group: 's.question_group',
  kind: 's.kind',
  tag: '(SELECT tag FROM sample_tags WHERE row = s.row ORDER BY tag LIMIT 1)',
  format: 's.image_format',
  source: 's.source',
}
const AMOUNTS: Readonly<Record<Extract<MapColour, { by: 'amount' }>['field'], string>> = {
  pixels: 's.pixels',
  textLength: 's.text_length',
  brightness: 'f.brightness',
  contrast: 'f.contrast',
}
/** `@dataset` is the one that was mapped; null: all. */
const FIRST_ROW = `(SELECT row FROM samples WHERE image_sha256 = p.sha256 AND state <> 'deleted'
  ORDER BY dataset_id IS @dataset DESC, row LIMIT 1)`

export type MapPointStore = ReturnType<typeof createMapPointStore>

export function createMapPointStore(db: Db) {
  const insert = db.prepare('INSERT INTO map_points (task_id, sha256, x, y) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING')
  const mapped = db.prepare("SELECT json_extract(request, '$.filter.datasetId') FROM data_tasks WHERE id = ?").pluck()
  const points = db.prepare(`
    SELECT p.sha256, p.x, p.y, s.row, s.split, ${CLASSES.category} AS category
    FROM map_points p JOIN samples s ON s.row = ${FIRST_ROW} WHERE p.task_id = @taskId ORDER BY s.row`)
  const images = db.prepare('SELECT json_group_array(sha256) FROM map_points WHERE task_id = ?').pluck()
  const rowsOf = db.prepare(`
    SELECT p.sha256, s.row FROM map_points p JOIN samples s ON s.row = ${FIRST_ROW}
    WHERE p.task_id = @taskId AND p.sha256 IN (SELECT value FROM json_each(@of))`)
  const named = (taskId: string) => ({ taskId, dataset: (mapped.get(taskId) as string | null | undefined) ?? null })

  function valuesOf(taskId: string, expression: string, more: object = {}): readonly { readonly row: number; readonly value: unknown }[] {
    return db
      .prepare(
        `SELECT s.row, ${expression} AS value FROM map_points p JOIN samples s ON s.row = ${FIRST_ROW}
        LEFT JOIN image_facts f ON f.sha256 = p.sha256 WHERE p.task_id = @taskId ORDER BY s.row`,
      )
      .all({ ...named(taskId), ...more }) as { row: number; value: unknown }[]
  }

  return {
    insert(taskId: string, images: readonly string[], x: readonly number[], y: readonly number[]): void {
      db.transaction(() => images.forEach((sha256, i) => insert.run(taskId, sha256, x[i], y[i])))()
    },
    images: (taskId: string): readonly string[] => JSON.parse(images.get(taskId) as string) as string[],
    /** The first sample about each of these images; those that no sample is about any more are left out. */
    rowsOf: (taskId: string, of: readonly string[]): ReadonlyMap<string, number> =>
      new Map((rowsOf.all({ of: JSON.stringify(of), ...named(taskId) }) as { sha256: string; row: number }[]).map(({ sha256, row }) => [sha256, row])),
    points(taskId: string): MapPoints {
      const rows = points.all(named(taskId)) as { sha256: string; x: number; y: number; row: number; split: Split; category: string | null }[]
      return {
        images: rows.map(({ sha256 }) => sha256),
        x: rows.map(({ x }) => x),
        y: rows.map(({ y }) => y),
        rows: rows.map(({ row }) => row),
        categories: rows.map(({ category }) => category),
        splits: rows.map(({ split }) => split),
      }
    },
    values(taskId: string, colour: MapColour): MapValues {
      switch (colour.by) {
        case 'class':
          return classes(valuesOf(taskId, CLASSES[colour.field]) as { row: number; value: string | null }[])
        case 'amount':
          return amounts(valuesOf(taskId, AMOUNTS[colour.field]))
        case 'measured': {
          const measured = 'SELECT value FROM item_results WHERE evaluation_id = @evaluationId AND metric = @metric AND item_id = s.id'
          return amounts(valuesOf(taskId, `(${measured})`, { evaluationId: colour.evaluationId, metric: colour.metric }))
        }
        case 'finding': {
          const found = 'SELECT 1 FROM samples o JOIN findings g ON g.row = o.row AND g.task_id = @check WHERE o.image_sha256 = p.sha256'
          const rows = valuesOf(taskId, `EXISTS (${found})`, { check: colour.taskId })
          return classes(rows.map(({ row, value }) => ({ row, value: value === 1 ? 'found' : 'not found' })))
        }
      }
    },
    /** Rows of the points whose image any selected sample is about. */
    marked(taskId: string, selection: Selection): readonly number[] {
      const { sql, parameters } = conditionOfSelection(selection)
      return db
        .prepare(
          `SELECT ${FIRST_ROW} AS row FROM map_points p WHERE p.task_id = @taskId AND row IS NOT NULL
          AND p.sha256 IN (SELECT s.image_sha256 FROM samples s WHERE ${sql})`,
        )
        .pluck()
        .all({ ...parameters, ...named(taskId) }) as number[]
    },
  }
}

function classes(rows: readonly { readonly row: number; readonly value: string | null }[]): MapValues {
  const counts = new Map<string, number>()
  for (const { value } of rows) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1)
  const names = byFrequency(counts).map(({ value }) => value)
  const places = new Map(names.map((name, i) => [name, i]))
  return { kind: 'classes', rows: rowsOf(rows), names, of: Int32Array.from(rows, ({ value }) => (value === null ? -1 : places.get(value)!)) }
}

const amounts = (rows: readonly { readonly row: number; readonly value: unknown }[]): MapValues => ({
  kind: 'amounts',
  rows: rowsOf(rows),
  of: Float64Array.from(rows, ({ value }) => (value as number | null) ?? Number.NaN),
})

const rowsOf = (rows: readonly { readonly row: number }[]) => Uint32Array.from(rows, ({ row }) => row)
