// Tables datasets, images, samples and snapshots. A sample's id is the hash of its image and content, so adding it twice
// changes nothing.

import { z } from 'zod'
import type { DatasetRow } from '../domain/dataset-view.ts'
import { contentSchema, DATASET_KINDS, SPLITS, type DatasetKind, type ImageRef, type Sample } from '../domain/sample.ts'
import type { Db } from './database.ts'
import { readJson } from './json-column.ts'

export interface NewDataset {
  readonly id: string
  readonly name: string
  readonly kind: DatasetKind
  readonly source: string
  readonly createdAtMs: number
}

interface SampleColumns {
  readonly id: string
  readonly split: string
  readonly source: string | null
  readonly content: string
  readonly sha256: string | null
  readonly path: string
  readonly width: number
  readonly height: number
}

export type DatasetStore = ReturnType<typeof createDatasetStore>

export function createDatasetStore(db: Db) {
  const insert = db.prepare(
    'INSERT INTO datasets (id, name, kind, source, created_at_ms) VALUES (@id, @name, @kind, @source, @createdAtMs)',
  )
  const remove = db.prepare('DELETE FROM datasets WHERE id = ?')
  const select = `
    SELECT d.*,
      (SELECT COUNT(DISTINCT image_sha256) FROM samples WHERE dataset_id = d.id) AS images,
      (SELECT sha256 FROM snapshots WHERE dataset_id = d.id ORDER BY created_at_ms DESC LIMIT 1) AS snapshot
    FROM datasets d`
  const all = db.prepare(`${select} ORDER BY d.created_at_ms, d.name`)
  const byId = db.prepare(`${select} WHERE d.id = ?`)
  const byName = db.prepare(`${select} WHERE d.name = ?`)
  const splits = db.prepare('SELECT split, COUNT(*) AS samples FROM samples WHERE dataset_id = ? GROUP BY split')
  const insertImage = db.prepare(
    `INSERT INTO images (sha256, path, width, height, file_bytes)
     VALUES (@sha256, @path, @width, @height, @fileBytes) ON CONFLICT DO NOTHING`,
  )
  const image = db.prepare('SELECT sha256, path, width, height FROM images WHERE sha256 = ?')
  const nextOrdinal = db.prepare('SELECT COALESCE(MAX(ordinal) + 1, 0) FROM samples WHERE dataset_id = ?').pluck()
  const insertSample = db.prepare(`
    INSERT INTO samples (dataset_id, id, ordinal, split, source, image_sha256, content)
    VALUES (@datasetId, @id, @ordinal, @split, @source, @image, @content) ON CONFLICT DO NOTHING`)
  const samples = db.prepare(`
    SELECT s.id, s.split, s.source, s.content, i.sha256, i.path, i.width, i.height
    FROM samples s LEFT JOIN images i ON i.sha256 = s.image_sha256 WHERE s.dataset_id = ? ORDER BY s.ordinal`)
  const insertSnapshot = db.prepare(`
    INSERT INTO snapshots (dataset_id, sha256, samples, created_at_ms) VALUES (@datasetId, @sha256, @samples, @createdAtMs)
    ON CONFLICT DO UPDATE SET created_at_ms = excluded.created_at_ms`)

  const row = (columns: unknown): DatasetRow => {
    const each = rowSchema.parse(columns)
    const counts = new Map(
      (splits.all(each.id) as { split: string; samples: number }[]).map(({ split, samples }) => [split, samples]),
    )
    return {
      id: each.id,
      name: each.name,
      kind: each.kind,
      source: each.source,
      samples: Object.fromEntries(SPLITS.map((split) => [split, counts.get(split) ?? 0])) as DatasetRow['samples'],
      images: each.images,
      snapshot: each.snapshot,
      createdAtMs: each.created_at_ms,
    }
  }
  const optionalRow = (columns: unknown) => (columns === undefined ? null : row(columns))

  return {
    insert: (dataset: NewDataset): void => void insert.run(dataset),
    delete: (id: string): void => void remove.run(id),
    list: (): readonly DatasetRow[] => all.all().map(row),
    find: (id: string): DatasetRow | null => optionalRow(byId.get(id)),
    findNamed: (name: string): DatasetRow | null => optionalRow(byName.get(name)),
    insertImage: (each: ImageRef & { readonly fileBytes: number }): void => void insertImage.run(each),
    findImage: (sha256: string): ImageRef | null => (image.get(sha256) as ImageRef | undefined) ?? null,
    nextOrdinal: (datasetId: string): number => nextOrdinal.get(datasetId) as number,
    /** Returns false when the dataset holds this sample already. */
    insertSample(datasetId: string, ordinal: number, sample: Sample): boolean {
      const { changes } = insertSample.run({
        datasetId,
        id: sample.id,
        ordinal,
        split: sample.split,
        source: sample.source,
        image: sample.image?.sha256 ?? null,
        content: JSON.stringify(sample.content),
      })
      return changes === 1
    },
    /** In import order, one at a time: a dataset may be larger than memory. */
    *samples(datasetId: string): Generator<Sample> {
      for (const each of samples.iterate(datasetId) as IterableIterator<SampleColumns>)
        yield {
          id: each.id,
          split: z.enum(SPLITS).parse(each.split),
          source: each.source,
          image: each.sha256 === null ? null : { sha256: each.sha256, path: each.path, width: each.width, height: each.height },
          content: readJson(contentSchema, each.content, 'samples.content'),
        }
    },
    insertSnapshot: (snapshot: {
      readonly datasetId: string
      readonly sha256: string
      readonly samples: number
      readonly createdAtMs: number
    }): void => void insertSnapshot.run(snapshot),
  }
}

const rowSchema = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(DATASET_KINDS),
  source: z.string(),
  created_at_ms: z.number(),
  images: z.number(),
  snapshot: z.string().nullable(),
})
