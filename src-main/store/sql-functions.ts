// Functions of ours that SQL calls: what a filter asks and SQLite has no word for.

import { isInside, type Outline } from '../domain/feature-map.ts'
import type { Db } from './database.ts'

export function registerFunctions(db: Db): void {
  // A line is parsed once and asked about a hundred thousand points.
  let parsed: { readonly text: string; readonly outline: Outline } = { text: '', outline: [] }
  db.function('is_inside', { deterministic: true }, (text: unknown, x: unknown, y: unknown) => {
    if (parsed.text !== text) parsed = { text: text as string, outline: JSON.parse(text as string) as Outline }
    return isInside(parsed.outline, x as number, y as number) ? 1 : 0
  })
}
