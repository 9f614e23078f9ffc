// How far work under way has come: counted work of the current part, and an estimate of the time left for all of it.

import { z } from 'zod'

/** Titles by which whoever asked for a piece of work knows its progress. */
export const recipeTitle = (study: string): string => `Writing the recipe of ${study}`
export const exportTitle = (model: string): string => `Exporting ${model}`

export const jobProgressSchema = z.strictObject({
  studyId: z.string().nullable(),
  runId: z.string().nullable(),
  phaseId: z.string().nullable(),
  /** Of the phase or run: "Seed 0: stage 2, DPO on the pairs". */
  title: z.string(),
  part: z.string(),
  done: z.number(),
  of: z.number(),
  /** Of the phase or run. */
  elapsedMs: z.number(),
  leftMs: z.number().nullable(),
  /** Of the whole study (or run): share done and time left. */
  share: z.number(),
  totalLeftMs: z.number().nullable(),
})
export type JobProgress = z.output<typeof jobProgressSchema>
