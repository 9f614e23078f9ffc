// What main and a job process say to one another: plain values, numbered by request, so that a late word of one job is
// never taken for the next one's.

import type { BackendPreference } from '../domain/device.ts'
import type { DoctorReport } from '../domain/doctor-report.ts'
import type { Failure } from '../domain/errors.ts'
import type { Job, JobEvent } from '../domain/job.ts'
import type { Examination } from './doctor.ts'

/**
 * How many events a job may be ahead of who takes them. Without a bound a fast import fills main's queue, and whatever the window
 * asks waits behind all of it.
 */
export const EVENTS_AHEAD = 4

export type ToProcess =
  | { readonly kind: 'job'; readonly id: number; readonly job: Job; readonly backend: BackendPreference }
  | { readonly kind: 'diagnose'; readonly id: number; readonly examination: Examination }
  /** So many events were taken: as many more may come. */
  | { readonly kind: 'taken'; readonly id: number; readonly events: number }
  /** Stop at the next event; the answer is 'failed' with code cancelled. */
  | { readonly kind: 'cancel'; readonly id: number }
  /** No more jobs come: end when idle. */
  | { readonly kind: 'close' }

export type FromProcess =
  | { readonly kind: 'ready' }
  | { readonly kind: 'event'; readonly id: number; readonly event: JobEvent }
  | { readonly kind: 'diagnosed'; readonly id: number; readonly report: DoctorReport }
  | { readonly kind: 'finished'; readonly id: number }
  | { readonly kind: 'failed'; readonly id: number; readonly failure: Failure }
