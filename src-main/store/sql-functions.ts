// Functions of ours that SQL calls: what a filter asks and how names are ordered, for which SQLite has no word.

import { isInside, type Outline } from '../domain/feature-map.ts'
import type { Db } from './database.ts'

export function registerFunctions(db: Db): void {
  // A line is parsed once and asked about a hundred thousand points.
  let parsed: { readonly text: string; readonly outline: Outline } = { text: '', outline: [] }
  db.function('is_inside', { deterministic: true }, (text: unknown, x: unknown, y: unknown) => {
    if (parsed.text !== text) parsed = { text: text as string, outline: JSON.parse(text as string) as Outline }
    return isInside(parsed.outline, x as number, y as number) ? 1 : 0
  })
  db.function('natural_key', { deterministic: true }, (text: unknown) => naturalKey(String(text)))
}

/** Texts in the order of these are in the order of people: the numbers in them count as numbers, class 2 before class 10. */
export const naturalKey = (text: string): string =>
  text.replaceAll(/\d+/g, (run) => {
    const digits = run.replace(/^0+(?=\d)/, '')
    // Of two numbers the longer one is the greater.
    return String.fromCharCode(48 + digits.length) + digits
  })

/** The frequent before the rare, and of equally frequent values as people order their names. */
export const byFrequency = (counts: ReadonlyMap<string, number>): { value: string; count: number }[] =>
  [...counts]
    .map(([value, count]) => ({ value, count, key: naturalKey(value) }))
    .sort((a, b) => b.count - a.count || (a.key === b.key ? (a.value < b.value ? -1 : 1) : a.key < b.key ? -1 : 1))
    .map(({ value, count }) => ({ value, count }))
