// zod's verdict on unknown data, turned into one of our errors in this one place.

import type { z } from 'zod'
import { LabError, type ErrorCode } from './errors.ts'

/**
 * Returns `value` typed and with its defaults filled in.
 * @throws LabError `code`, naming the path of the first fault, what was expected there and what was found
 */
export function parse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  code: ErrorCode = 'invalid-input',
  where = '',
): z.output<Schema> {
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return result.data
  const fault = result.error.issues[0]!
  const path = fault.path.map(String).join('.') || 'value'
  // Only scalars are repeated, and of a long text its beginning: an object could be megabytes long.
  const found = Object(fault.input) === fault.input || fault.input === undefined ? '' : `, got ${shortened(fault.input)}`
  throw new LabError(code, `${where && `${where}: `}${path}: ${fault.message}${found}`, { path: fault.path.map(String) })
}

const LONGEST_REPEATED = 200

function shortened(scalar: unknown): string {
  if (typeof scalar === 'string' && scalar.length > LONGEST_REPEATED) return `${JSON.stringify(`${scalar.slice(0, LONGEST_REPEATED)}…`)} of ${scalar.length} characters`
  return JSON.stringify(scalar)
}
