// A JSON column read back: parsed by its schema, because what is on disk may be older or damaged.

import type { z } from 'zod'
import { LabError } from '../domain/errors.ts'
import { parse } from '../domain/parse.ts'

/** @throws LabError 'corrupt-artifact', naming the column and the field */
export function readJson<Schema extends z.ZodType>(schema: Schema, text: string, column: string): z.output<Schema> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new LabError('corrupt-artifact', `${column}: the database holds text that is not JSON`, { column })
  }
  return parse(schema, value, 'corrupt-artifact', column)
}

export function readNullableJson<Schema extends z.ZodType>(
  schema: Schema,
  text: string | null,
  column: string,
): z.output<Schema> | null {
  return text === null ? null : readJson(schema, text, column)
}
