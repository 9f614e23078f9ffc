// What every service is given: the store, the project's folder, a runner, and time, ids and announcements from outside,
// so that a test's run is reproducible to the bit.

import type { ChangeProgress } from '../domain/curation.ts'
import type { Runner } from '../domain/job.ts'
import type { JobProgress } from '../domain/progress.ts'
import type { Store } from '../store/store.ts'
import type { WorkQueue } from './work-queue.ts'

/** The same announcements as the contract's events; services do not know who listens. */
export type Announcement =
  | { readonly name: 'run.changed'; readonly value: { readonly runId: string } }
  | { readonly name: 'study.changed'; readonly value: { readonly studyId: string } }
  | { readonly name: 'dataset.changed'; readonly value: { readonly datasetId: string | null } }
  | { readonly name: 'samples.changing'; readonly value: { readonly progress: ChangeProgress | null } }
  | { readonly name: 'labelling.changed'; readonly value: { readonly queueId: string | null } }
  | { readonly name: 'answer.changed'; readonly value: { readonly answerId: string } }
  | { readonly name: 'task.changed'; readonly value: { readonly taskId: string } }
  | { readonly name: 'maps.changed'; readonly value: Readonly<Record<never, never>> }
  | { readonly name: 'job.progress'; readonly value: JobProgress }

export interface Parts {
  readonly store: Store
  /** Absolute; holds lab.sqlite, images, snapshots, runs, studies and exports. */
  readonly project: string
  /** The project's database file: what a reader opens beside its writer. */
  readonly database: string
  /** Where the presets' JSON files lie. */
  readonly presetFolder: string
  readonly runner: Runner
  /** Does the work on files and pictures that needs no engine, beside whatever trains. */
  readonly dataRunner: Runner
  readonly queue: WorkQueue
  readonly now: () => number
  readonly newId: (kind: 'run' | 'study' | 'dataset' | 'evaluation' | 'artifact' | 'queue' | 'judgement' | 'audit' | 'task' | 'view' | 'answer') => string
  readonly announce: (announcement: Announcement) => void
}
