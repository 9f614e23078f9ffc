// What is wrong with one row. Thrown while a row is read, caught once per row, and told as an ImportFault: the rest goes on.

/** Fields are read from unknown JSON, so this is the type of a row before it is trusted. */
export type Row = Readonly<Record<string, unknown>>

export class RowFault extends Error {
  override readonly name = 'RowFault'
  readonly field: string
  readonly expected: string
  readonly found: string

  /** @param description  what was found, in words; without it `found` is quoted */
  constructor(field: string, expected: string, found: unknown, description = inWords(found)) {
    super(`${field}: expected ${expected}, found ${description}`)
    this.field = field
    this.expected = expected
    this.found = description
  }
}

/** A value short enough to stand in a message. */
export function inWords(value: unknown): string {
  if (value === undefined) return 'nothing'
  const json = JSON.stringify(value) ?? String(value)
  return json.length > 80 ? `${json.slice(0, 77)}…` : json
}

export function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @throws RowFault unless the field holds text with something in it */
export function textOf(row: Row, field: string): string {
  const value = row[field]
  if (typeof value !== 'string' || value.trim() === '') throw new RowFault(field, 'text', value)
  return value
}

/** @throws RowFault unless the field is absent, null or text */
export function optionalTextOf(row: Row, field: string): string | null {
  const value = row[field]
  if (value === undefined || value === null || value === '') return null
  if (typeof value !== 'string') throw new RowFault(field, 'text or nothing', value)
  return value
}
