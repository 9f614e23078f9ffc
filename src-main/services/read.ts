// Asks the process for data to read very many samples, so that main stays free for whoever is looking.

import type { z } from 'zod'
import type { AbortSignalLike, JobEvent } from '../domain/job.ts'
import type { Reading } from '../domain/reading.ts'
import { answerOf } from './answer-of.ts'
import type { Parts } from './parts.ts'

const NEVER: AbortSignalLike = { aborted: false }

export function createReader({ dataRunner, database }: Pick<Parts, 'dataRunner' | 'database'>) {
  return <Schema extends z.ZodType>(
    reading: Reading,
    schema: Schema,
    signal: AbortSignalLike = NEVER,
    observe: (event: JobEvent) => void = () => {},
  ): Promise<z.output<Schema>> => answerOf(dataRunner({ kind: 'read', database, reading }, signal), schema, `reading (${reading.kind})`, observe)
}
