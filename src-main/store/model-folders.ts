// Table model_folders: folders with models that were looked into, the newest first.

import type { ModelFolder } from '../domain/model-view.ts'
import type { Db } from './database.ts'

export type StoredModelFolder = Omit<ModelFolder, 'isThere'>
export type ModelFolderStore = ReturnType<typeof createModelFolderStore>

export function createModelFolderStore(db: Db) {
  const upsert = db.prepare(`
    INSERT INTO model_folders (folder, kind, model_type, parameters, bytes, used_at_ms)
    VALUES (@folder, @kind, @modelType, @parameters, @bytes, @usedAtMs)
    ON CONFLICT DO UPDATE SET kind = excluded.kind, model_type = excluded.model_type, parameters = excluded.parameters,
      bytes = excluded.bytes, used_at_ms = excluded.used_at_ms`)
  const remove = db.prepare('DELETE FROM model_folders WHERE folder = ?')
  const all = db.prepare(`
    SELECT folder, kind, model_type AS modelType, parameters, bytes, used_at_ms AS usedAtMs
    FROM model_folders ORDER BY used_at_ms DESC, folder`)
  return {
    /** A folder that is there already comes to the front. */
    put: (folder: StoredModelFolder): void => void upsert.run(folder),
    delete: (folder: string): void => void remove.run(folder),
    list: (): readonly StoredModelFolder[] => all.all() as StoredModelFolder[],
  }
}
