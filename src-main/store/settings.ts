// Table settings: one row a field, so that a field added later simply has its default.

import { settingsSchema, type Settings, type SettingsChange } from '../domain/settings.ts'
import type { Db } from './database.ts'

export type SettingsStore = ReturnType<typeof createSettingsStore>

export function createSettingsStore(db: Db) {
  const all = db.prepare('SELECT name, value FROM settings')
  const write = db.prepare('INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value')
  const get = (): Settings =>
    settingsSchema.parse(
      Object.fromEntries((all.all() as { name: string; value: string }[]).map(({ name, value }) => [name, JSON.parse(value)])),
    )
  return {
    get,
    set(change: SettingsChange): Settings {
      db.transaction(() => {
        for (const [name, value] of Object.entries(change)) write.run(name, JSON.stringify(value))
      })()
      return get()
    },
  }
}
