// Exporting one checkpoint: where it goes, what its card tells of the run that made it, and how it is loaded. The command
// line's `export` and the window's dialog.

import { join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import { exportCheckSchema, exportFault, loadingLines, type ExportCheck, type ExportRecord, type ExportSettings } from '../domain/export.ts'
import type { AbortSignalLike, ExportJob, JobEvent } from '../domain/job.ts'
import { exportTitle } from '../domain/progress.ts'
import type { ExportResult } from '../domain/run-view.ts'
import { ENCODERS, type EncoderName } from '../domain/study.ts'
import type { StoredRun } from '../store/runs.ts'
import { answerOf } from './answer-of.ts'
import { formatInterval, formatValue } from './number-text.ts'
import type { Parts } from './parts.ts'
import type { ResultService } from './results.ts'
import type { RunService } from './runs.ts'
import { inTurn } from './work-queue.ts'

export interface ExportRequest {
  /** A run's id, or a folder that holds a model. */
  readonly checkpoint: string
  readonly settings: ExportSettings
  /** The export's own folder; null: one named after run and format, in `parent`. */
  readonly folder: string | null
  /** null: the project's exports. */
  readonly parent: string | null
}

export type ExportService = ReturnType<typeof createExportService>

export function createExportService(parts: Parts, { runs, results }: { readonly runs: RunService; readonly results: ResultService }) {
  const { store, project, runner, queue, now, newId, announce } = parts
  /** By what is exported. */
  const underWay = new Map<string, AbortController>()

  /** What the run's card tells beside the checkpoint's own record. */
  function recordOf(run: StoredRun): ExportRecord {
    const { row, config } = run
    const study = row.studyId === null ? null : store.studies.find(row.studyId)
    return {
      run: row.name,
      study: study?.name ?? null,
      data: [
        { role: 'training', name: row.dataset ?? 'unnamed', sha256: config.snapshot },
        ...(study === null ? [] : measuredOn(study.config.data, study.snapshots)),
      ],
      results: study === null ? [] : resultsOf(study.id, row.phaseId),
    }
  }

  /** Every measure of the encoder that this phase trains, over the study's seeds. */
  function resultsOf(studyId: string, phaseId: string | null): ExportRecord['results'] {
    const encoder = encoderOfPhase(phaseId)
    if (encoder === null) return []
    return results.of(studyId).metrics.flatMap(({ label, unit, encoders }) =>
      encoders
        .filter((each) => each.encoder === encoder)
        .map(({ mean, low, high, n, perSeed }) => ({
          label,
          value: formatValue(mean, unit),
          interval: low === null || high === null ? null : formatInterval(low, high, unit),
          n,
          basis: perSeed.length === 1 ? `seed ${perSeed[0]!.seed}` : `mean of seeds ${perSeed.map(({ seed }) => seed).join(', ')}`,
        })),
    )
  }

  return {
    /** @throws LabError 'invalid-input' when the settings do not go together, 'not-found', and what the export job throws */
    async export(
      { checkpoint, settings, folder, parent }: ExportRequest,
      signal?: AbortSignalLike,
      observe: (event: JobEvent) => void = () => {},
    ): Promise<ExportResult> {
      const fault = exportFault(settings)
      if (fault !== null) throw new LabError('invalid-input', fault)
      const run = store.runs.find(checkpoint)
      const { part: what, format, dtype, projectorLayers } = settings
      const variant = [what === 'multimodal-lm' ? 'model' : 'encoder', format, ...(dtype === 'float32' ? [] : [dtype]), ...(projectorLayers === 0 ? [] : [`projector-${projectorLayers}`])]
      const job: ExportJob = {
        kind: 'export',
        project,
        checkpoint: runs.modelFolder(checkpoint),
        folder: folder ?? join(parent ?? join(project, 'exports'), `${run?.row.id ?? 'model'}-${variant.join('-')}`),
        ...settings,
        record: run === null ? null : recordOf(run),
      }
      if (underWay.has(checkpoint)) throw new LabError('conflict', 'an export of this model is under way; wait for it, or stop it', { checkpoint })
      const stop = new AbortController()
      underWay.set(checkpoint, stop)
      const startedAtMs = now()
      const tell = (part: string, done: number, of: number) =>
        announce({
          name: 'job.progress',
          value: {
            studyId: null,
            runId: run?.row.id ?? null,
            phaseId: null,
            title: exportTitle(run?.row.name ?? checkpoint),
            part,
            done,
            of,
            elapsedMs: now() - startedAtMs,
            leftMs: null,
            share: of === 0 ? 0 : done / of,
            totalLeftMs: null,
          },
        })
      return inTurn(queue, async () => {
        let verification = ''
        let part = ''
        let sha256: string | undefined
        for await (const event of runner(job, signal ?? stop.signal, { backend: store.settings.get().backend })) {
          if (event.kind === 'log') verification = event.message
          if (event.kind === 'artifact') sha256 = event.sha256
          if (event.kind === 'part') tell((part = event.name), 0, event.of)
          if (event.kind === 'progress') tell(part, event.done, event.of)
          observe(event)
        }
        if (sha256 === undefined) throw new LabError('internal', 'the export ended without a manifest')
        const artifact = store.artifacts.insert({
          id: newId('artifact'),
          studyId: null,
          phaseId: null,
          runId: run?.row.id ?? null,
          name: `${what === 'vision-encoder' ? 'vision encoder' : 'multimodal model'} of ${run?.row.name ?? checkpoint}, ${format} ${dtype}`,
          path: job.folder,
          createdAtMs: now(),
        })
        return { artifact, sha256, verification, loading: [...loadingLines(settings, job.folder)] }
      }).finally(() => underWay.delete(checkpoint))
    },
    /**
     * Reads an export back and compares every file with its manifest.
     * @param of  an artifact of the project, or the export's folder
     * @throws LabError 'not-found', 'corrupt-artifact' naming the file that is not what was exported
     */
    check: (of: string, signal: AbortSignalLike = { aborted: false }): Promise<ExportCheck> =>
      answerOf(runner({ kind: 'check-export', folder: store.artifacts.find(of)?.path ?? of }, signal), exportCheckSchema, 'the check of the export'),
    /** Stops the export of this model, if one is under way or waiting; nothing of it is left. */
    cancel: (checkpoint: string): void => underWay.get(checkpoint)?.abort(),
  }
}

/** "seed-0/instruction" trains the encoder stage-1, "seed-0/dpo" the encoder dpo; other phases train none that is measured. */
function encoderOfPhase(phaseId: string | null): EncoderName | null {
  const stage = phaseId?.split('/').at(-1)
  if (stage === 'instruction') return 'stage-1'
  return ENCODERS.find((encoder) => encoder === stage) ?? null
}

const MEASURED_ON = ['questions', 'heldOutPreferences', 'objects'] as const

function measuredOn(names: Readonly<Record<string, string>>, snapshots: Readonly<Record<string, string>>): ExportRecord['data'] {
  return MEASURED_ON.flatMap((role) => (snapshots[role] === undefined ? [] : [{ role: `measured on: ${role}`, name: names[role] ?? role, sha256: snapshots[role] }]))
}
