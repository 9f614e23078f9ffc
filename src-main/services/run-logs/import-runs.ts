// Runs that Weights & Biases logged offline, taken in beside the lab's own: curves, configuration, name, notes and tags. Taken in again they
// are read anew, and what was written beside them stays. A file that cannot be read is named, and the others go in.

import { readdir, readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { toFailure, LabError } from '../../domain/errors.ts'
import type { Failure } from '../../domain/errors.ts'
import { TRAINING_METRICS } from '../../domain/metric.ts'
import type { ImportedRuns } from '../../domain/run-view.ts'
import type { Parts } from '../parts.ts'
import { readWandbRun, type WandbRun } from './wandb-file.ts'

/** How deep offline runs lie below the folder that is named: a project, its folder "wandb", a run, its log. */
const DEEPEST = 3
const LOG = /^run-.+\.wandb$/
const OURS: ReadonlySet<string> = new Set(TRAINING_METRICS.map(({ name }) => name))

export function createRunImportService({ store, now, announce }: Pick<Parts, 'store' | 'now' | 'announce'>) {
  function take(run: WandbRun, file: string): { readonly id: string; readonly isNew: boolean } {
    const id = `wandb-${run.id}`
    const isNew = store.runs.findImported(id) === null
    const seconds = run.rows.reduce((most, row) => Math.max(most, row.seconds ?? 0), 0)
    const unknown = new Set<string>()
    store.transaction(() => {
      store.runs.insertImported({
        id,
        name: run.name.slice(0, 120),
        origin: { kind: 'wandb', file, project: run.project, group: run.group, runId: run.id },
        config: run.config,
        step: run.rows.reduce((last, { step }) => Math.max(last, step), 0),
        note: run.notes,
        tags: [...run.tags],
        createdAtMs: run.startedAtMs ?? now(),
        workedMs: Math.round(seconds * 1000),
        failure: failureOf(run, file),
      })
      store.runMetrics.deleteAll(id)
      for (const { step, seconds: at, values } of run.rows) {
        store.runMetrics.insertStep(id, step, Object.fromEntries(Object.entries(values).map(([name, value]) => [nameOf(name, unknown), value])))
        if (at !== null) store.runMetrics.insertClock(id, step, Math.round(at * 1000))
      }
      if (isNew) for (const message of wordsOf(run, [...unknown])) store.runLog.append(id, now(), 'info', message)
    })
    return { id, isNew }
  }

  return {
    /**
     * @param folder  an offline run's, or one above it
     * @throws LabError 'not-found' where there is no log of an offline run
     */
    async import(folder: string): Promise<ImportedRuns> {
      const files = await logsIn(resolve(folder))
      if (files.length === 0)
        throw new LabError('not-found', `${folder}: expected offline runs of wandb (offline-run-…/run-….wandb), found none; choose the folder "wandb" of a training, or one run in it`, { folder })
      const result: ImportedRuns = { added: [], renewed: [], faults: [] }
      for (const file of files)
        try {
          const { id, isNew } = take(readWandbRun(await readFile(file), file), file)
          ;(isNew ? result.added : result.renewed).push(id)
          announce({ name: 'run.changed', value: { runId: id } })
        } catch (thrown) {
          result.faults.push({ file, message: toFailure(thrown).message })
        }
      return result
    },
  }
}

/** "train/loss" of Hugging Face's trainers is what the lab calls loss: drawn together they can be compared. */
function nameOf(name: string, renamed: Set<string>): string {
  const bare = name.replace(/^train\//, '')
  if (bare === name || !OURS.has(bare)) return name
  renamed.add(name)
  return bare
}

function failureOf({ exitCode, brokenAt, rows }: WandbRun, file: string): Failure | null {
  if (exitCode === 0) return null
  const message =
    exitCode !== null
      ? `the training ended with exit code ${exitCode}`
      : `${file}: the log has no ending${brokenAt === null ? '' : `, and breaks off within a record at byte ${brokenAt}`}; ${rows.length} rows before it were read. The training was killed, or still goes on: import it again later`
  return { code: 'process-died', message, details: { file } }
}

function wordsOf({ notFinite, leftOut, id, project }: WandbRun, renamed: readonly string[]): readonly string[] {
  const shown = (names: readonly string[]) => `${names.slice(0, 12).join(', ')}${names.length > 12 ? ` and ${names.length - 12} more` : ''}`
  return [
    `imported from wandb: project ${project === '' ? 'unnamed' : project}, run ${id}`,
    ...(renamed.length === 0 ? [] : [`shown under the lab’s own names, without "train/": ${shown(renamed)}`]),
    ...(leftOut.length === 0 ? [] : [`left out, for they are no numbers: ${shown(leftOut)}`]),
    ...(notFinite === 0 ? [] : [`left out: ${notFinite} ${notFinite === 1 ? 'value that is' : 'values that are'} not finite`]),
  ]
}

/** Logs of offline runs at or below a folder, each once: wandb links its latest run a second time. */
async function logsIn(folder: string, depth = 0): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT' || thrown.code === 'ENOTDIR') throw new LabError('not-found', `${folder} is no folder; choose the folder of an offline run`, { folder })
    throw thrown
  })
  const found: string[] = []
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name)
    if (entry.isFile() && LOG.test(entry.name)) found.push(path)
    if (entry.isDirectory() && depth < DEEPEST && !['files', 'logs', 'tmp'].includes(basename(path))) found.push(...(await logsIn(path, depth + 1)))
  }
  return found
}
