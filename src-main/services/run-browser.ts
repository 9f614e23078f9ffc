// Runs side by side: notes and tags, the one that others are measured against, in what configurations differ, and where each comes
// from. The window's list and the command line's are this.

import { dirname } from 'node:path'
import { LabError } from '../domain/errors.ts'
import type { Lineage, LineageNode } from '../domain/lineage.ts'
import { configDifferences, groupRuns, matchesFilter, type ConfigDifference, type RunFilter, type RunGroup, type RunGrouping, type RunNotes } from '../domain/run-browser.ts'
import type { RunRow } from '../domain/run-view.ts'
import { studyPlan } from '../domain/study.ts'
import type { StoredRun } from '../store/runs.ts'
import type { Parts } from './parts.ts'
import type { RunService } from './runs.ts'

export type RunBrowserService = ReturnType<typeof createRunBrowserService>

export function createRunBrowserService({ store, announce }: Pick<Parts, 'store' | 'announce'>, runs: RunService) {
  /** @throws LabError 'not-found' */
  function found(runId: string): StoredRun {
    const run = store.runs.find(runId)
    if (run === null) throw new LabError('not-found', `there is no run "${runId}"; lab runs lists them`, { runId })
    return run
  }

  /** Also of another program. @throws LabError 'not-found' */
  const rowOf = (runId: string): RunRow => (store.runs.findImported(runId) ?? found(runId)).row

  /** The run that wrote a checkpoint folder; null: none of this project. */
  function runOfFolder(all: readonly StoredRun[], folder: string): StoredRun | null {
    return all.find((run) => folder === run.folder || dirname(folder) === run.folder) ?? null
  }

  /** The training whose encoder a phase of a study exported. */
  function runOfExport(studyId: string, phaseId: string | null): string | null {
    const study = store.studies.find(studyId)
    const planned = study === null ? undefined : studyPlan(study.config).find(({ id }) => id === phaseId)
    if (planned?.kind !== 'export') return null
    return store.studyPhases.ofStudy(studyId).find(({ id }) => id === planned.checkpointOf)?.runId ?? null
  }

  return {
    /** Newest first, under the heads asked for. */
    browse: (filter: RunFilter, by: RunGrouping): readonly RunGroup[] =>
      groupRuns(
        runs.list().filter((run) => matchesFilter(run, filter)),
        by,
        (studyId) => store.studies.find(studyId)?.name ?? null,
      ),

    /** Notes, tags and the name decide nothing about a run. @throws LabError 'not-found' */
    annotate(runId: string, { name, note, tags }: RunNotes): void {
      const row = rowOf(runId)
      store.runs.annotate(runId, { name: name ?? row.name, note: note ?? row.note, tags: tags === undefined ? row.tags : [...new Set(tags)].toSorted() })
      announce({ name: 'run.changed', value: { runId } })
    },

    /** The run whose values others are shown as differences to; null: none. @throws LabError 'not-found' */
    pin(runId: string | null): void {
      if (runId !== null) rowOf(runId)
      store.settings.set({ baselineRun: runId })
    },

    /** The last value of each metric, by run. */
    latest: (names: readonly string[]): Readonly<Record<string, Readonly<Record<string, number>>>> => store.runMetrics.latestOfAll(names),

    /** In what the runs' configurations differ. @throws LabError 'not-found', 'invalid-input' for fewer than two */
    differences(runIds: readonly string[]): readonly ConfigDifference[] {
      if (new Set(runIds).size < 2) throw new LabError('invalid-input', `comparing takes two or more runs, found ${new Set(runIds).size}`, { runIds })
      return configDifferences(runIds.map((runId) => (store.runs.findImported(runId) ?? found(runId)).config))
    },

    /** Everything that the run comes from, and everything that came of it. @throws LabError 'not-found' */
    lineage(runId: string): Lineage {
      const imported = store.runs.findImported(runId)
      if (imported !== null) {
        const { row, origin } = imported
        const log = { id: `folder:${origin.file}`, kind: 'folder', label: `${origin.kind}: ${origin.project}`, detail: origin.file, ref: origin.file } as const
        return { nodes: [log, { id: row.id, kind: 'run', label: row.name, detail: `logged by ${origin.kind}, ${row.step} steps, ${row.status}`, ref: row.id }], edges: [{ from: log.id, to: row.id }] }
      }
      found(runId)
      const all = store.runs.list()
      const datasets = store.datasets.list()
      const nodes = new Map<string, LineageNode>()
      const edges = new Map<string, { readonly from: string; readonly to: string }>()
      const connect = (from: string, to: string) => void edges.set(`${from} → ${to}`, { from, to })
      const put = (node: LineageNode): boolean => {
        const isNew = !nodes.has(node.id)
        nodes.set(node.id, node)
        return isNew
      }
      const putRun = ({ row }: StoredRun) =>
        put({ id: row.id, kind: 'run', label: row.name, detail: `${row.objective}, ${row.step} of ${row.steps} steps, ${row.status}`, ref: row.id })

      function sourcesOf(run: StoredRun): void {
        if (!putRun(run)) return
        const { config, row } = run
        const dataset = datasets.find(({ name }) => name === row.dataset)
        put({ id: `data:${config.snapshot}`, kind: 'data', label: row.dataset ?? 'unnamed data', detail: `snapshot ${config.snapshot.slice(0, 12)}`, ref: dataset?.id ?? null })
        connect(`data:${config.snapshot}`, row.id)
        const { start } = config
        const folders =
          start.kind === 'checkpoint'
            ? [start.folder, ...(start.adapter === undefined ? [] : [start.adapter])]
            : start.kind === 'transplant'
              ? [start.folder, ...(start.languageModelFolder === null ? [] : [start.languageModelFolder])]
              : start.kind === 'parts'
                ? [start.visionEncoderFolder, start.languageModelFolder]
                : []
        for (const folder of folders) {
          const source = runOfFolder(all, folder)
          if (source === null) put({ id: `folder:${folder}`, kind: 'folder', label: folder.split(/[\\/]/).at(-1) ?? folder, detail: folder, ref: folder })
          else sourcesOf(source)
          connect(source === null ? `folder:${folder}` : source.row.id, row.id)
        }
      }

      function outcomesOf(run: StoredRun): void {
        const { row } = run
        for (const next of all) {
          const { start } = next.config
          const starts = start.kind === 'checkpoint' || start.kind === 'transplant' ? [start.folder] : []
          if (!starts.some((folder) => runOfFolder(all, folder)?.row.id === row.id)) continue
          const isNew = !nodes.has(next.row.id)
          sourcesOf(next)
          connect(row.id, next.row.id)
          if (isNew) outcomesOf(next)
        }
        for (const each of store.evaluations.list()) {
          if (runOfFolder(all, each.checkpoint)?.row.id !== row.id) continue
          put({ id: each.id, kind: 'evaluation', label: each.phaseId ?? 'measured', detail: `${each.results} ${each.results === 1 ? 'result' : 'results'}`, ref: each.studyId })
          connect(row.id, each.id)
        }
        for (const artifact of store.artifacts.list()) {
          const of = artifact.runId ?? (artifact.studyId === null ? null : runOfExport(artifact.studyId, artifact.phaseId))
          if (of !== row.id) continue
          put({ id: artifact.id, kind: 'export', label: artifact.name, detail: artifact.path, ref: artifact.id })
          connect(row.id, artifact.id)
        }
      }

      sourcesOf(found(runId))
      outcomesOf(found(runId))
      return { nodes: [...nodes.values()], edges: [...edges.values()] }
    },
  }
}
