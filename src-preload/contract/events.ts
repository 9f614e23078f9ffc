// Every announcement that main makes. An announcement is a nudge: the window then asks for what it lacks. Only
// `job.progress` and `samples.changing` carry numbers, so that a bar can move without a question.

import { z } from 'zod'
import { changeProgressSchema } from '../../src-main/domain/curation.ts'
import { jobProgressSchema } from '../../src-main/domain/progress.ts'

export const events = {
  'run.changed': z.strictObject({ runId: z.string() }),
  'study.changed': z.strictObject({ studyId: z.string() }),
  'dataset.changed': z.strictObject({ datasetId: z.string().nullable() }),
  /** How far a change of samples is; null: it has ended, however it did. */
  'samples.changing': z.strictObject({ progress: changeProgressSchema.nullable() }),
  /** A queue of pairs to judge, or an audit of pairs; null: the list of them. */
  'labelling.changed': z.strictObject({ queueId: z.string().nullable() }),
  /** A question to a model: another piece of its answer, or its end. */
  'answer.changed': z.strictObject({ answerId: z.string() }),
  'task.changed': z.strictObject({ taskId: z.string() }),
  /** More of the newest look at a picture. */
  'maps.changed': z.strictObject({}),
  'job.progress': jobProgressSchema,
} satisfies Record<string, z.ZodType>

export type EventName = keyof typeof events
/** One announcement as it crosses: its name and its value. */
export type Announcement = {
  readonly [Name in EventName]: { readonly name: Name; readonly value: z.output<(typeof events)[Name]> }
}[EventName]
export type Announce = (announcement: Announcement) => void
