// The one answer of a job that answers a question.

import type { z } from 'zod'
import { LabError } from '../domain/errors.ts'
import type { JobEvent } from '../domain/job.ts'
import { parse } from '../domain/parse.ts'

/** @throws LabError 'internal' when the job ended without one */
export async function answerOf<Schema extends z.ZodType>(
  events: AsyncIterable<JobEvent>,
  schema: Schema,
  what: string,
  observe: (event: JobEvent) => void = () => {},
): Promise<z.output<Schema>> {
  let answer: z.output<Schema> | undefined
  for await (const event of events) {
    if (event.kind === 'answer') answer = parse(schema, event.value, 'internal', what)
    else observe(event)
  }
  if (answer === undefined) throw new LabError('internal', `${what}: the job ended without an answer`)
  return answer
}
