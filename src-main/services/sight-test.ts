// The built-in sight test: written to the project by a job, in ordinary formats, and imported by the same path as a
// person's own data. Its folder is named by its settings, so equal settings are written once.

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ImportSummary } from '../domain/dataset-view.ts'
import type { AbortSignalLike, JobEvent, SightTest, SightTestJob } from '../domain/job.ts'
import { SIGHT_TEST_FILES } from '../domain/sight-test-files.ts'
import type { DataRole, StudyConfig } from '../domain/study.ts'
import type { DatasetService } from './datasets.ts'
import type { Parts } from './parts.ts'

/** Names under which the sight test is imported when nobody asks for others. */
export const SIGHT_TEST_NAMES: StudyConfig['data'] = {
  texts: 'sight-test texts',
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
    /** Writes the files to a folder of the person's choice and imports nothing. */
    async write(settings: SightTest, folder: string, signal: AbortSignalLike, observe: (event: JobEvent) => void): Promise<void> {
      for await (const event of runner({ kind: 'sight-test', folder, settings }, signal)) observe(event)
    },
    /** Writes the files, unless they are there, and imports them under `names`. */
    async create(
      settings: SightTest,
      signal: AbortSignalLike = { aborted: false },
      observe: (event: JobEvent) => void = () => {},
      names: StudyConfig['data'] = SIGHT_TEST_NAMES,
    ): Promise<ImportSummary> {
      const asked = job(settings)
      if (!existsSync(join(asked.folder, SIGHT_TEST_FILES.complete)))
        for await (const event of runner(asked, signal)) observe(event)

      const roles = Object.entries(SIGHT_TEST_FILES.roles) as [DataRole, (typeof SIGHT_TEST_FILES.roles)[DataRole]][]
      const summaries: ImportSummary[] = []
      observe({ kind: 'part', name: 'importing', of: roles.length })
      for (const [done, [role, files]] of roles.entries()) {
        for (const { path, options } of files) {
          // Roles may share a name and files: the pairs that are trained on and those held out are one dataset by split.
          const isRead = roles.slice(0, done).some(([other, those]) => names[other] === names[role] && those.some((each) => each.path === path))
          if (isRead) continue
          summaries.push(await datasets.import({ path: join(asked.folder, path), name: names[role], options }, signal))
        }
        observe({ kind: 'progress', done: done + 1, of: roles.length })
      }
      const ids = [...new Set(summaries.flatMap((summary) => summary.datasets.map(({ id }) => id)))]
      return {
        datasets: datasets.list().filter(({ id }) => ids.includes(id)),
        added: summaries.reduce((sum, { added }) => sum + added, 0),
        unchanged: summaries.reduce((sum, { unchanged }) => sum + unchanged, 0),
        problems: summaries.flatMap(({ problems }) => problems),
        taskId: summaries.at(-1)!.taskId,
      }
    },
  }
}
