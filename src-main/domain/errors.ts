// The one error type of the lab. A code says what a caller can do about it; the message says what was expected,
// what was found and where. Codes cross process boundaries as plain values (Failure), never as class instances.

export const ERROR_CODES = [
  'invalid-input', // a field, file or argument is wrong: change it
  'not-found', // a file, run, dataset or encoder does not exist
  'conflict', // another writer, a status that forbids the request, arms that must not differ
  'cancelled', // somebody asked for it
  'out-of-memory', // lower a setting; the message says which
  'out-of-disk', // free space or choose another folder
  'loss-not-finite', // training stopped before the weights were touched
  'corrupt-artifact', // a file that the lab wrote cannot be read back
  'engine-missing', // no backend could be opened; the message says the remedy
  'process-died', // the job process ended without an answer
  'internal', // a bug
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

/** What is left of an error when it has to cross a process or be stored: no stack, no class. */
export interface Failure {
  readonly code: ErrorCode
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

export class LabError extends Error {
  override readonly name = 'LabError'
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.details = details
  }
}

/** Any thrown value as a Failure. System errors get the code that tells what to do; the unknown is `internal`. */
export function toFailure(thrown: unknown): Failure {
  if (thrown instanceof LabError) return { code: thrown.code, message: thrown.message, details: thrown.details }
  const error = thrown as { code?: unknown; message?: unknown; path?: unknown } | null | undefined
  const message = typeof error?.message === 'string' ? error.message : String(thrown)
  if (error?.code === 'ENOSPC' || error?.code === 'EDQUOT' || error?.code === 'SQLITE_FULL')
    return { code: 'out-of-disk', message: `${message}. Free space on that disk or choose another project folder, then resume.`, details: {} }
  if (typeof error?.code === 'string' && error.code.startsWith('SQLITE_BUSY'))
    return { code: 'conflict', message: `The project's database is held by another program (${message}). Close what else has the project open, then do it again.`, details: {} }
  if (typeof error?.path === 'string') {
    const { path } = error
    if (error.code === 'ENOENT') return { code: 'not-found', message: `${path} is not there: it was moved, renamed or deleted. Put it back, or choose another. (${message})`, details: { path } }
    if (error.code === 'EISDIR') return { code: 'invalid-input', message: `${path}: expected a file, found a folder; choose a file. (${message})`, details: { path } }
    if (error.code === 'ENOTDIR') return { code: 'invalid-input', message: `${path}: expected only folders on the way there, found a file; choose another place. (${message})`, details: { path } }
    if (error.code === 'EROFS' || error.code === 'EACCES' || error.code === 'EPERM')
      return { code: 'invalid-input', message: `${path} is not yours to use as it is. Change its permissions, or choose a place that can be read and written to. (${message})`, details: { path } }
  }
  if (isOutOfMemory(message))
    return {
      code: 'out-of-memory',
      message: `${message}. Lower batchSize (and raise gradientAccumulation by the same factor), or switch on gradientCheckpointing.`,
      details: {},
    }
  return { code: 'internal', message, details: {} }
}

export function fromFailure(failure: Failure): LabError {
  return new LabError(failure.code, failure.message, failure.details)
}

/** TensorFlow says "OOM when allocating" or RESOURCE_EXHAUSTED; WebAssembly and V8 say the rest. */
function isOutOfMemory(message: string): boolean {
  return /\bOOM\b|RESOURCE_EXHAUSTED|out of memory|Array buffer allocation failed|memory access out of bounds|Cannot enlarge memory/i.test(message)
}
