// The built-in sight test: written to the project by a job, in ordinary formats, and imported by the same path as a
// person's own data. Its folder is named by its settings, so equal settings are written once.

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ImportSummary } from '../domain/dataset-view.ts'
import type { AbortSignalLike, JobEvent, SightTest, SightTestJob } from '../domain/job.ts'
import type { ImportOptions } from '../domain/import-event.ts'
import type { DataRole, StudyConfig } from '../domain/study.ts'
import type { DatasetService } from './datasets.ts'
import type { Parts } from './parts.ts'

/** The sight test's files, and which role of a study each plays. `complete` is written last. */
const FILES: { readonly complete: string; readonly roles: Readonly<Record<DataRole, readonly { readonly path: string; readonly options: ImportOptions }[]>> } = {
  complete: 'sight-test.json',
  roles: {
    captions: [{ path: 'captions.json', options: { kind: 'conversations' } }],
    instructions: [{ path: 'instructions.json', options: { kind: 'conversations' } }],
    preferences: [{ path: 'preferences.jsonl', options: { kind: 'preferences' } }],
    heldOutPreferences: [{ path: 'preferences.jsonl', options: { kind: 'preferences' } }],
    questions: [{ path: 'questions.jsonl', options: { kind: 'questions' } }],
    objects: [{ path: 'objects.json', options: { kind: 'objects' } }],
  },
}

/** Names under which the sight test is imported when nobody asks for others. */
export const SIGHT_TEST_NAMES: StudyConfig['data'] = {
  captions: 'sight-test captions',
  instructions: 'sight-test instructions',
  preferences: 'sight-test preferences',
  heldOutPreferences: 'sight-test preferences',
  questions: 'sight-test questions',
  objects: 'sight-test objects',
}

export type SightTestService = ReturnType<typeof createSightTestService>

export function createSightTestService({ project, runner }: Parts, datasets: DatasetService) {
  function job(settings: SightTest): SightTestJob {
    const name = createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 16)
    return { kind: 'sight-test', folder: join(project, 'sight-test', name), settings }
  }

  return {
    job,
    /** Writes the files, unless they are there, and imports them under `names`. */
    async create(
      settings: SightTest,
      signal: AbortSignalLike = { aborted: false },
      observe: (event: JobEvent) => void = () => {},
      names: StudyConfig['data'] = SIGHT_TEST_NAMES,
    ): Promise<ImportSummary> {
      const asked = job(settings)
      if (!existsSync(join(asked.folder, FILES.complete))) for await (const event of runner(asked, signal)) observe(event)

      const roles = Object.entries(FILES.roles) as [DataRole, (typeof FILES.roles)[DataRole]][]
      const summaries: ImportSummary[] = []
      observe({ kind: 'part', name: 'importing', of: roles.length })
      for (const [done, [role, files]] of roles.entries()) {
        const isSeen = roles.slice(0, done).some(([earlier]) => names[earlier] === names[role])
        if (!isSeen) for (const { path, options } of files) summaries.push(await datasets.import({ path: join(asked.folder, path), name: names[role], options }, undefined, signal))
        observe({ kind: 'progress', done: done + 1, of: roles.length })
      }
      const ids = [...new Set(summaries.flatMap((summary) => summary.datasets.map(({ id }) => id)))]
      return {
        datasets: datasets.list().filter(({ id }) => ids.includes(id)),
        added: summaries.reduce((sum, { added }) => sum + added, 0),
        unchanged: summaries.reduce((sum, { unchanged }) => sum + unchanged, 0),
        problems: summaries.flatMap(({ problems }) => problems),
      }
    },
  }
}
