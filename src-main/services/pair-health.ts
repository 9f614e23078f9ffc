// The health of a set of preference pairs: what its texts say by themselves, and the audit of whether its margins need the
// image, which a model computes in its turn.

import { LabError } from '../domain/errors.ts'
import type { PairScoresJob } from '../domain/job.ts'
import { IMAGE_CONDITIONS, imageUse, teachesLanguageOnly } from '../domain/labelling/image-use.ts'
import type { AuditRequest, AuditRow, AuditView } from '../domain/labelling/pair-audit.ts'
import { pairHealthSchema, type PairHealth } from '../domain/labelling/pair-health.ts'
import type { DatasetRow } from '../domain/dataset-view.ts'
import { createRandom } from '../domain/random.ts'
import type { SampleOf } from '../domain/sample.ts'
import type { DatasetService } from './datasets.ts'
import type { Parts } from './parts.ts'
import { createReader } from './read.ts'
import type { RunService } from './runs.ts'
import { timeLeftOfPart } from './time-left.ts'
import { createStopRequest, endingOf, type StopRequest } from './stop-request.ts'

const BATCH_SIZE = 16

export type PairHealthService = ReturnType<typeof createPairHealthService>

export function createPairHealthService(parts: Parts, datasets: DatasetService, runs: RunService) {
  const { store, project, runner, queue, now, newId, announce } = parts
  const { pairAudits } = store
  const read = createReader(parts)
  const underWay = new Map<string, { readonly stop: StopRequest; readonly ended: Promise<void> }>()

  /** @throws LabError 'not-found', 'invalid-input' when the dataset holds something else */
  function ofPairs(name: string): DatasetRow {
    const dataset = datasets.named(name)
    if (dataset.kind !== 'preferences')
      throw new LabError('invalid-input', `dataset: expected preferences, "${name}" holds ${dataset.kind}`, { dataset: name })
    return dataset
  }

  /** Pairs by id. */
  function pairsOf(name: string, ids: readonly string[]): ReadonlyMap<string, SampleOf<'preferences'>> {
    return new Map(store.datasets.samplesOf(ofPairs(name).id, ids).map((sample) => [sample.id, sample as SampleOf<'preferences'>]))
  }

  function found(auditId: string): AuditRow {
    const audit = pairAudits.find(auditId)
    if (audit === null) throw new LabError('not-found', `there is no audit "${auditId}"`, { auditId })
    const { partSinceMs, ...row } = audit
    return { ...row, leftMs: timeLeftOfPart(row.progress, partSinceMs, now()) }
  }

  async function work(auditId: string, job: PairScoresJob, stop: StopRequest): Promise<void> {
    try {
      for await (const event of runner(job, stop.signal, { backend: store.settings.get().backend })) {
        if (event.kind === 'items') pairAudits.insertMargins(auditId, event.metric.replace('margin/', ''), event.items)
        if (event.kind === 'part') pairAudits.setProgress(auditId, { part: event.name, done: 0, of: event.of }, now())
        if (event.kind === 'progress') pairAudits.setProgress(auditId, { part: found(auditId).progress?.part ?? 'scoring', done: event.done, of: event.of }, now())
        announce({ name: 'labelling.changed', value: { queueId: null } })
      }
      pairAudits.end(auditId, 'finished', null)
    } catch (thrown) {
      const ending = endingOf(thrown, stop)
      if (ending.status === 'failed') pairAudits.end(auditId, 'failed', ending.failure)
      else pairAudits.delete(auditId)
    }
    announce({ name: 'labelling.changed', value: { queueId: null } })
  }

  return {
    health: (dataset: string): Promise<PairHealth> => read({ kind: 'pair-health', datasetId: ofPairs(dataset).id }, pairHealthSchema),
    audits: (): readonly AuditRow[] => pairAudits.list().map(({ id }) => found(id)),
    audit(auditId: string): AuditView {
      const row = found(auditId)
      const audited = pairAudits.margins(auditId)
      const isThere = audited.length > 0 && store.datasets.findNamed(row.request.dataset) !== null
      const samples = isThere ? pairsOf(row.request.dataset, audited.map(({ sampleId }) => sampleId)) : new Map<string, never>()
      const pairs = audited.flatMap((each) => {
        const sample = samples.get(each.sampleId)
        if (sample === undefined) return []
        const { prompt, chosen, rejected } = sample.content
        return [{ ...each, imageSha256: sample.image?.sha256 ?? null, prompt, chosen, rejected, languageOnly: teachesLanguageOnly(each) }]
      })
      return { row, use: imageUse(audited), pairs }
    },
    /** Answers at once; the audit's row tells how far it is. */
    startAudit(request: AuditRequest): { auditId: string } {
      const all = store.datasets.idsWithImage(ofPairs(request.dataset).id, request.split)
      if (all.length < 2)
        throw new LabError('invalid-input', `split: expected at least two pairs with images in ${request.split} of "${request.dataset}", found ${all.length}`, {
          dataset: request.dataset,
        })
      const ids = createRandom(request.seed, 'audit').shuffle(all).slice(0, request.limit)
      const pairs = pairsOf(request.dataset, ids)
      const drawn = ids.map((id) => pairs.get(id)!)
      const auditId = newId('audit')
      const job: PairScoresJob = {
        kind: 'pair-scores',
        project,
        checkpoint: runs.newestCheckpoint(request.runId),
        reference: request.referenceRunId === null ? null : runs.newestCheckpoint(request.referenceRunId),
        beta: request.beta,
        pairs: drawn.map(({ id, image, content: { prompt, chosen, rejected } }) => ({ id, image, prompt, first: chosen, second: rejected })),
        images: [...IMAGE_CONDITIONS],
        diversity: false,
        seed: request.seed,
        batchSize: BATCH_SIZE,
      }
      pairAudits.insert({
        id: auditId,
        request,
        model: runs.get(request.runId).row.name,
        reference: request.referenceRunId === null ? null : runs.get(request.referenceRunId).row.name,
        createdAtMs: now(),
      })
      const stop = createStopRequest()
      const ended = queue.add(() => work(auditId, job, stop))
      underWay.set(auditId, { stop, ended })
      void ended.finally(() => underWay.delete(auditId))
      announce({ name: 'labelling.changed', value: { queueId: null } })
      return { auditId }
    },
    cancelAudit(auditId: string): void {
      found(auditId)
      const active = underWay.get(auditId)
      if (active === undefined) throw new LabError('conflict', 'the audit is not under way: there is nothing to cancel', { auditId })
      active.stop.ask('cancel')
    },
    deleteAudit(auditId: string): void {
      if (underWay.has(auditId)) throw new LabError('conflict', 'the audit is under way: cancel it first', { auditId })
      found(auditId)
      pairAudits.delete(auditId)
      announce({ name: 'labelling.changed', value: { queueId: null } })
    },
    async ended(auditId: string): Promise<AuditRow> {
      await underWay.get(auditId)?.ended
      return found(auditId)
    },
    stopAll(): void {
      for (const { stop } of underWay.values()) stop.ask('cancel')
    },
    /** Audits that a process left behind when it died. For the only writer, at its start. */
    recover(): void {
      for (const auditId of pairAudits.running())
        pairAudits.end(auditId, 'failed', { code: 'process-died', message: 'the lab was closed while this audit was under way; start it again', details: {} })
    },
  }
}
