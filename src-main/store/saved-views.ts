// Table saved_views: filters that were given a name.

import { savedViewSchema, type SavedView } from '../domain/sample-query.ts'
import type { Db } from './database.ts'
import { readJson } from './json-column.ts'

export type SavedViewStore = ReturnType<typeof createSavedViewStore>

export function createSavedViewStore(db: Db) {
  const all = db.prepare('SELECT view FROM saved_views ORDER BY name').pluck()
  const upsert = db.prepare(`
    INSERT INTO saved_views (id, name, view, created_at_ms) VALUES (@id, @name, @view, @createdAtMs)
    ON CONFLICT (name) DO UPDATE SET view = excluded.view, id = excluded.id`)
  const remove = db.prepare('DELETE FROM saved_views WHERE id = ?')
  return {
    list: (): readonly SavedView[] => (all.all() as string[]).map((view) => readJson(savedViewSchema, view, 'saved_views.view')),
    /** A view of the same name is replaced. */
    save: (view: SavedView): void =>
      void upsert.run({ id: view.id, name: view.name, view: JSON.stringify(view), createdAtMs: view.createdAtMs }),
    delete: (id: string): void => void remove.run(id),
  }
}
