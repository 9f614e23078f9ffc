// Tables datasets, images, samples and snapshots. A sample's id is the hash of its image and content, so adding it twice
// changes nothing.

import { z } from 'zod'
import type { DatasetRow } from '../domain/dataset-view.ts'
import { categoriesOfContent, groupOfContent, hasMask, textOfContent } from '../domain/sample-facts.ts'
import { contentSchema, DATASET_KINDS, SPLITS, type DatasetKind, type ImageRef, type Sample, type Split } from '../domain/sample.ts'
import type { Db } from './database.ts'
import { readJson } from './json-column.ts'

export interface NewDataset {
  readonly id: string
  readonly name: string
  readonly kind: DatasetKind
  readonly source: string
  readonly createdAtMs: number
  /** The import that makes it. */
  readonly taskId: string | null
}

export interface StoredImage extends ImageRef {
  readonly bytes: number
  readonly format: string | null
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
    'INSERT INTO datasets (id, name, kind, source, created_at_ms, task_id) VALUES (@id, @name, @kind, @source, @createdAtMs, @taskId)',
  )
  const remove = db.prepare('DELETE FROM datasets WHERE id = ?')
  const rename = db.prepare('UPDATE datasets SET name = ? WHERE id = ?')
  const select = `
    SELECT d.*,
      (SELECT sha256 FROM snapshots WHERE dataset_id = d.id ORDER BY created_at_ms DESC LIMIT 1) AS snapshot
    FROM datasets d WHERE d.is_deleted = 0`
  const all = db.prepare(`${select} ORDER BY d.created_at_ms, d.name`)
  const byId = db.prepare(`${select} AND d.id = ?`)
  const byName = db.prepare(`${select} AND d.name = ?`)
  const splits = db.prepare("SELECT split, SUM(samples) AS samples FROM sample_counts WHERE dataset_id = ? AND state = 'kept' GROUP BY split")
  const insertImage = db.prepare(
    `INSERT INTO images (sha256, path, width, height, file_bytes, format, task_id)
     VALUES (@sha256, @path, @width, @height, @bytes, @format, @taskId) ON CONFLICT DO NOTHING`,
  )
  const image = db.prepare('SELECT sha256, path, width, height FROM images WHERE sha256 = ?')
  const isEmpty = db.prepare('SELECT NOT EXISTS (SELECT 1 FROM samples WHERE dataset_id = ?)').pluck()
  const insertSample = db.prepare(`
    INSERT INTO samples (dataset_id, id, kind, split, source, image_sha256, image_format, width, height, pixels, image_bytes,
      question_group, has_mask, has_pair, text_length, categories, sole_category, task_id)
    VALUES (@datasetId, @id, @kind, @split, @source, @sha256, @format, @width, @height, @pixels, @bytes, @group, @hasMask,
      @sha256 IS NOT NULL AND (@kind = 'preferences' OR EXISTS (
        SELECT 1 FROM samples WHERE image_sha256 = @sha256 AND kind = 'preferences' AND state = 'kept')),
      @textLength, @categories, @soleCategory, @taskId)
    ON CONFLICT DO NOTHING`)
  const insertContent = db.prepare('INSERT INTO sample_contents (row, content) VALUES (?, ?)')
  const insertText = db.prepare('INSERT INTO sample_text (rowid, text) VALUES (?, ?)')
  const insertCategory = db.prepare('INSERT INTO sample_categories (category, row) VALUES (?, ?)')
  const insertTag = db.prepare('INSERT INTO sample_tags (tag, row) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const revive = db.prepare("UPDATE samples SET state = 'kept' WHERE dataset_id = ? AND id = ? AND state = 'deleted'")
  const samples = db.prepare(`
    SELECT s.id, s.split, s.source, c.content, i.sha256, i.path, i.width, i.height
    FROM samples s JOIN sample_contents c ON c.row = s.row LEFT JOIN images i ON i.sha256 = s.image_sha256
    WHERE s.dataset_id = ? AND s.state = 'kept' ORDER BY s.row`)
  const samplesById = db.prepare(`
    SELECT s.id, s.split, s.source, c.content, i.sha256, i.path, i.width, i.height
    FROM samples s JOIN sample_contents c ON c.row = s.row LEFT JOIN images i ON i.sha256 = s.image_sha256
    WHERE s.dataset_id = ? AND s.state = 'kept' AND s.id IN (SELECT value FROM json_each(?)) ORDER BY s.row`)
  const idsWithImage = db
    .prepare(
      `SELECT json_group_array(id) FROM (SELECT id FROM samples WHERE dataset_id = ? AND state = 'kept' AND split = ? AND image_sha256 IS NOT NULL ORDER BY row)`,
    )
    .pluck()
  const idsTagged = db.prepare('SELECT s.id FROM sample_tags t JOIN samples s ON s.row = t.row WHERE s.dataset_id = ? AND t.tag = ?').pluck()
  const insertSnapshot = db.prepare(`
    INSERT INTO snapshots (dataset_id, sha256, samples, created_at_ms) VALUES (@datasetId, @sha256, @samples, @createdAtMs)
    ON CONFLICT DO UPDATE SET created_at_ms = excluded.created_at_ms`)
  const snapshotsOf = db.prepare(
    'SELECT sha256, samples, created_at_ms AS createdAtMs FROM snapshots WHERE dataset_id = ? ORDER BY created_at_ms DESC, sha256',
  )
  const setChanged = db.prepare('UPDATE datasets SET changes = changes + 1 WHERE id = ?')
  const setSnapshot = db.prepare('UPDATE datasets SET snapshot_changes = ? WHERE id = ?')
  const changes = db.prepare('SELECT changes FROM datasets WHERE id = ?').pluck()
  const isChanged = db.prepare('SELECT changes <> snapshot_changes FROM datasets WHERE id = ?').pluck()
  const doom = db.prepare("UPDATE datasets SET is_deleted = 1, name = 'deleted ' || id WHERE id = ?")
  const doomed = db.prepare('SELECT id FROM datasets WHERE is_deleted = 1').pluck()
  const removeSome = db.prepare('DELETE FROM samples WHERE row IN (SELECT row FROM samples WHERE dataset_id = ? LIMIT ?)')
  const ofTask = db.prepare('SELECT id FROM datasets WHERE task_id = ?').pluck()
  const addedBy = db.prepare('SELECT COUNT(*) FROM samples WHERE task_id = ?').pluck()
  const datasetsTouchedBy = db.prepare('SELECT DISTINCT dataset_id FROM samples WHERE task_id = ?').pluck()
  const removeSomeAddedBy = db.prepare('DELETE FROM samples WHERE row IN (SELECT row FROM samples WHERE task_id = ? LIMIT ?)')
  const unusedImagesOf = db.prepare(
    'SELECT sha256, path FROM images i WHERE task_id = ? AND NOT EXISTS (SELECT 1 FROM samples WHERE image_sha256 = i.sha256)',
  )
  const removeImage = db.prepare('DELETE FROM images WHERE sha256 = ?')

  const sampleOf = (each: SampleColumns): Sample => ({
    id: each.id,
    split: z.enum(SPLITS).parse(each.split),
    source: each.source,
    image: each.sha256 === null ? null : { sha256: each.sha256, path: each.path, width: each.width, height: each.height },
    content: readJson(contentSchema, each.content, 'sample_contents.content'),
  })
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
    /** For a dataset of few samples, or none. */
    delete: (id: string): void => void remove.run(id),
    /** From here on nobody is shown it; `deleteSome` takes its samples away. */
    doom: (id: string): void => void doom.run(id),
    /** Those whose deletion has begun and not ended. */
    doomed: (): readonly string[] => doomed.all() as string[],
    /** Deletes at most `limit` of its samples, and the dataset when none are left: true. */
    deleteSome(id: string, limit: number): boolean {
      if (removeSome.run(id, limit).changes > 0) return false
      remove.run(id)
      return true
    },
    rename: (id: string, name: string): void => void rename.run(name, id),
    list: (): readonly DatasetRow[] => all.all().map(row),
    find: (id: string): DatasetRow | null => optionalRow(byId.get(id)),
    findNamed: (name: string): DatasetRow | null => optionalRow(byName.get(name)),
    isEmpty: (id: string): boolean => isEmpty.get(id) === 1,
    insertImage: (each: StoredImage, taskId: string | null = null): void => void insertImage.run({ ...each, taskId }),
    findImage: (sha256: string): ImageRef | null => (image.get(sha256) as ImageRef | undefined) ?? null,
    /** 'known' when the dataset holds this sample already. A deleted sample that comes again is 'revived'. */
    insertSample(
      datasetId: string,
      sample: Sample,
      image: StoredImage | null,
      { tags = [], taskId = null }: { readonly tags?: readonly string[]; readonly taskId?: string | null } = {},
    ): 'added' | 'revived' | 'known' {
      const { content } = sample
      const text = textOfContent(content)
      const categories = categoriesOfContent(content)
      const { changes, lastInsertRowid } = insertSample.run({
        datasetId,
        id: sample.id,
        kind: content.kind,
        split: sample.split,
        source: sample.source,
        sha256: image?.sha256 ?? null,
        format: image?.format ?? null,
        width: image?.width ?? null,
        height: image?.height ?? null,
        pixels: image === null ? 0 : image.width * image.height,
        bytes: image?.bytes ?? 0,
        group: groupOfContent(content),
        hasMask: hasMask(content) ? 1 : 0,
        textLength: text.length,
        categories: categories.length,
        soleCategory: categories.length === 1 ? categories[0]! : null,
        taskId,
      })
      if (changes === 0) return revive.run(datasetId, sample.id).changes === 1 ? 'revived' : 'known'
      insertContent.run(lastInsertRowid, JSON.stringify(content))
      if (text !== '') insertText.run(lastInsertRowid, text)
      for (const category of categories) insertCategory.run(category, lastInsertRowid)
      for (const tag of tags) insertTag.run(tag, lastInsertRowid)
      return 'added'
    },
    /** What a snapshot holds, in import order, one at a time: a dataset may be larger than memory. */
    *samples(datasetId: string): Generator<Sample> {
      for (const each of samples.iterate(datasetId) as IterableIterator<SampleColumns>) yield sampleOf(each)
    },
    /** Kept samples by id, in import order; those that are gone are left out. */
    samplesOf: (datasetId: string, ids: readonly string[]): readonly Sample[] =>
      (samplesById.all(datasetId, JSON.stringify(ids)) as SampleColumns[]).map(sampleOf),
    /** Ids of the kept samples of a split that have an image, in import order. */
    idsWithImage: (datasetId: string, split: Split): readonly string[] => JSON.parse(idsWithImage.get(datasetId, split) as string) as string[],
    idsTagged: (datasetId: string, tag: string): readonly string[] => idsTagged.all(datasetId, tag) as string[],
    /** @param snapshot.changes  what `changesOf` said when its samples were read: what came after is not in it */
    insertSnapshot({ changes, ...snapshot }: {
      readonly datasetId: string
      readonly sha256: string
      readonly samples: number
      readonly createdAtMs: number
      readonly changes: number
    }): void {
      db.transaction(() => {
        insertSnapshot.run(snapshot)
        setSnapshot.run(changes, snapshot.datasetId)
      })()
    },
    /** How often its samples, splits or states have changed. */
    changesOf: (datasetId: string): number => changes.get(datasetId) as number,
    snapshotsOf: (datasetId: string) =>
      snapshotsOf.all(datasetId) as { readonly sha256: string; readonly samples: number; readonly createdAtMs: number }[],
    /** Whether its samples, splits or states changed since its newest snapshot. */
    isChanged: (datasetId: string): boolean => isChanged.get(datasetId) === 1,
    setChanged: (datasetId: string): void => void setChanged.run(datasetId),

    /** Tells the query planner how many samples share a source, a tag, a category: it chooses indexes by that. */
    analyze: (): void => void db.exec('PRAGMA analysis_limit = 1000; ANALYZE'),
    /** Samples that an import has added so far. */
    addedBy: (taskId: string): number => addedBy.get(taskId) as number,
    /** Deletes at most `limit` of the samples that an import has added; false: none are left. */
    removeSomeAddedBy(taskId: string, limit: number): boolean {
      return db.transaction(() => {
        for (const id of datasetsTouchedBy.all(taskId) as string[]) setChanged.run(id)
        return removeSomeAddedBy.run(taskId, limit).changes > 0
      })()
    },
    /**
     * Once its samples are gone: removes the datasets that an import made and that are empty, and the images that it placed and
     * that nothing is about; returns the paths of those.
     */
    removeLeftOf(taskId: string): readonly string[] {
      return db.transaction(() => {
        for (const id of ofTask.all(taskId) as string[]) if (isEmpty.get(id) === 1) remove.run(id)
        const unused = unusedImagesOf.all(taskId) as { readonly sha256: string; readonly path: string }[]
        for (const { sha256 } of unused) removeImage.run(sha256)
        return unused.map(({ path }) => path)
      })()
    },
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
