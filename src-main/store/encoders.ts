// Table encoders: the colour that each encoder has been given, and folders that were brought in. Arms and checkpoints of runs
// have a row for their colour alone: what they are stands with their study and run.

import { z } from 'zod'
import type { Db } from './database.ts'
import { readNullableJson } from './json-column.ts'

export interface StoredEncoder {
  readonly id: string
  readonly colour: number
  /** null, with folder and hash: an arm or a checkpoint. */
  readonly name: string | null
  readonly folder: string | null
  readonly sha256: string | null
  readonly preprocessing: readonly string[] | null
  readonly createdAtMs: number
}

export type EncoderStore = ReturnType<typeof createEncoderStore>

export function createEncoderStore(db: Db) {
  const all = db.prepare('SELECT id, colour, name, folder, sha256, preprocessing, created_at_ms AS createdAtMs FROM encoders ORDER BY colour')
  const insert = db.prepare(`
    INSERT INTO encoders (id, colour, name, folder, sha256, preprocessing, created_at_ms)
    VALUES (@id, @colour, @name, @folder, @sha256, @preprocessing, @createdAtMs)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, folder = excluded.folder, sha256 = excluded.sha256, preprocessing = excluded.preprocessing`)
  const rename = db.prepare('UPDATE encoders SET name = ? WHERE id = ? AND folder IS NOT NULL')
  const forget = db.prepare('UPDATE encoders SET name = NULL, folder = NULL WHERE id = ?')
  return {
    list: (): readonly StoredEncoder[] =>
      (all.all() as (StoredEncoder & { readonly preprocessing: string | null })[]).map((each) => ({
        ...each,
        preprocessing: readNullableJson(z.array(z.string()), each.preprocessing as unknown as string | null, 'encoders.preprocessing'),
      })),
    /** One that is there keeps its colour. */
    insert: (each: StoredEncoder): void => void insert.run({ ...each, preprocessing: each.preprocessing && JSON.stringify(each.preprocessing) }),
    rename: (id: string, name: string): boolean => rename.run(name, id).changes > 0,
    /** Its colour stays taken. */
    forget: (id: string): boolean => forget.run(id).changes > 0,
  }
}
