// What is known of the samples that items of a measurement come from, read for thousands at once: by what a difference between
// encoders is told apart. Reads tables samples, sample_contents and images; content is looked into by SQLite and not parsed here.

import { regionSchema, type Region } from '../domain/sample.ts'
import type { Db } from './database.ts'
import { readNullableJson } from './json-column.ts'

export interface ItemFacts {
  readonly sampleId: string
  readonly sha256: string | null
  readonly width: number | null
  readonly height: number | null
  readonly group: string | null
  readonly category: string | null
  /** What decides the answer; of an objects sample the boxes of its objects. */
  readonly region: Region
  /** Annotated objects in the picture, from any dataset; null: nobody has annotated it. */
  readonly objects: number | null
  /** Whether some question of the project asks about text in this picture. */
  readonly hasText: boolean
}

export type ItemFactStore = ReturnType<typeof createItemFactStore>

export function createItemFactStore(db: Db) {
  const columns = `
    s.id AS sampleId, s.image_sha256 AS sha256, s.width, s.height, s.question_group AS "group",
    json_extract(c.content, '$.category') AS category,
    COALESCE(json_extract(c.content, '$.region'), (SELECT json_group_array(json_extract(value, '$.box')) FROM json_each(c.content, '$.objects'))) AS region,
    (SELECT MAX(json_array_length(oc.content, '$.objects')) FROM samples o JOIN sample_contents oc ON oc.row = o.row
      WHERE o.image_sha256 = s.image_sha256 AND o.kind = 'objects' AND o.state = 'kept') AS objects,
    EXISTS (SELECT 1 FROM samples t WHERE t.image_sha256 = s.image_sha256 AND t.kind = 'questions' AND t.state = 'kept' AND t.question_group = 'text') AS hasText`
  const from = 'FROM samples s JOIN sample_contents c ON c.row = s.row'
  const ofSnapshot = db.prepare(`
    SELECT ${columns} ${from}
    WHERE s.dataset_id = (SELECT dataset_id FROM snapshots WHERE sha256 = ? LIMIT 1) AND s.id IN (SELECT value FROM json_each(?))`)
  const datasetOf = db.prepare('SELECT d.name FROM snapshots n JOIN datasets d ON d.id = n.dataset_id WHERE n.sha256 = ? ORDER BY n.created_at_ms DESC LIMIT 1').pluck()
  return {
    /** Of those samples of a snapshot's dataset that are still in the project. */
    of: (snapshot: string, sampleIds: readonly string[]): ReadonlyMap<string, ItemFacts> =>
      new Map(
        (ofSnapshot.all(snapshot, JSON.stringify(sampleIds)) as (Omit<ItemFacts, 'region' | 'hasText'> & { readonly region: string | null; readonly hasText: number })[]).map((each) => [
          each.sampleId,
          { ...each, hasText: each.hasText === 1, region: each.region === '[]' ? [] : (readNullableJson(regionSchema, each.region, 'sample_contents.content') ?? []) },
        ]),
      ),
    /** The name of the dataset that a snapshot was taken of; null: it is gone. */
    datasetOf: (snapshot: string): string | null => (datasetOf.get(snapshot) as string | undefined) ?? null,
  }
}
