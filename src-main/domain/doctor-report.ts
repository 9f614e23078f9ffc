// What the doctor found: one line a check, with the remedy beside each fault.

import { z } from 'zod'

export const doctorCheckSchema = z.strictObject({
  id: z.string(),
  title: z.string(),
  state: z.enum(['ok', 'warning', 'fault']),
  found: z.string(),
  /** What to do; null when nothing is wrong. */
  remedy: z.string().nullable(),
})
export type DoctorCheck = z.output<typeof doctorCheckSchema>

export const doctorReportSchema = z.strictObject({ healthy: z.boolean(), checks: z.array(doctorCheckSchema) })
export type DoctorReport = z.output<typeof doctorReportSchema>
