// What runs have logged, for other programs: TensorBoard's event files (a folder a run) or one table of comma-separated values.

import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { LabError } from '../../domain/errors.ts'
import type { ArtifactRow } from '../../domain/run-view.ts'
import type { RunLogFormat } from '../../domain/run-browser.ts'
import type { Parts } from '../parts.ts'
import { eventFile, type Scalar } from './tensorboard-events.ts'

/** More than a run has steps: nothing is thinned. */
const ALL_POINTS = Number.MAX_SAFE_INTEGER

export function createRunLogService({ store, project, now, newId }: Pick<Parts, 'store' | 'project' | 'now' | 'newId'>) {
  function logOf(runId: string) {
    const run = store.runs.find(runId) ?? store.runs.findImported(runId)
    if (run === null) throw new LabError('not-found', `there is no run "${runId}"; lab runs lists them`, { runId })
    const { row } = run
    const startedAt = (row.startedAtMs ?? row.createdAtMs) / 1000
    const seconds = new Map(store.runMetrics.clock(runId))
    // A run from before the clock was kept has no seconds of its own: its steps are laid evenly over the time it worked.
    const secondsAt = (step: number) => seconds.get(step) ?? (row.step === 0 ? 0 : ((row.workedMs / 1000) * step) / row.step)
    const scalars = store.runMetrics
      .names(runId)
      .flatMap((name) => store.runMetrics.series(runId, name, ALL_POINTS).points.map(([step, value]) => ({ tag: name, step, value, seconds: secondsAt(step) })))
      .toSorted((a, b) => a.step - b.step)
    return { row, startedAt, scalars }
  }

  return {
    /**
     * @param folder  where it is written, whole or not at all; null: a folder of its own in the project's exports
     * @throws LabError 'not-found' for a run that is none, 'conflict' for a folder that is there already
     */
    async write(runIds: readonly string[], format: RunLogFormat, folder: string | null): Promise<ArtifactRow> {
      const logs = runIds.map(logOf)
      const target = folder ?? join(project, 'exports', `runs-${format}-${new Date(now()).toISOString().replaceAll(/[:.]/g, '-')}`)
      const temporary = `${target}.partial`
      await rm(temporary, { recursive: true, force: true })
      await mkdir(temporary, { recursive: true })
      try {
        if (format === 'csv') await writeFile(join(temporary, 'runs.csv'), csvOf(logs))
        else
          for (const { row, startedAt, scalars } of logs) {
            const of = join(temporary, folderName(row.name, row.id))
            await mkdir(of)
            const timed = scalars.map(({ seconds, ...each }): Scalar => ({ ...each, wallTime: startedAt + seconds }))
            await writeFile(join(of, `events.out.tfevents.${Math.floor(startedAt)}.pivot-lab`), eventFile(timed, startedAt))
          }
        await mkdir(dirname(target), { recursive: true })
        await rename(temporary, target)
      } catch (thrown) {
        await rm(temporary, { recursive: true, force: true })
        const code = (thrown as { code?: string }).code
        if (code === 'ENOTEMPTY' || code === 'EEXIST') throw new LabError('conflict', `${target} is there already; choose another folder`, { folder: target }, thrown)
        throw thrown
      }
      const name = `logs of ${logs.length} ${logs.length === 1 ? 'run' : 'runs'} (${format})`
      return store.artifacts.insert({ id: newId('artifact'), studyId: null, phaseId: null, runId: runIds.length === 1 ? runIds[0]! : null, name, path: target, createdAtMs: now() })
    },
  }
}

interface Log {
  readonly row: { readonly id: string; readonly name: string }
  readonly scalars: readonly (Omit<Scalar, 'wallTime'> & { readonly seconds: number })[]
}

/** One line a number: run, name, metric, step, value, seconds worked. */
function csvOf(logs: readonly Log[]): string {
  const quoted = (text: string) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  const lines = logs.flatMap(({ row, scalars }) =>
    scalars.map(({ tag, step, value, seconds }) => [quoted(row.id), quoted(row.name), quoted(tag), step, value, seconds.toFixed(3)].join(',')),
  )
  return `${['run,name,metric,step,value,seconds', ...lines].join('\n')}\n`
}

/** A name that every file system takes; the id keeps runs of one name apart. */
function folderName(name: string, id: string): string {
  return `${name.replaceAll(/[^\p{L}\p{N}._ -]+/gu, '-').trim().slice(0, 80)} ${id}`
}
