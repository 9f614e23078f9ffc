// The transplant of any encoders: each candidate trained once a seed under the same rest, then asked the same questions. Runs and
// measurements are found again by the task and what they are of, so a task that broke off goes on where it was.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { LabError } from '../../domain/errors.ts'
import type { ExperimentOf, ExperimentResultOf } from '../../domain/experiment.ts'
import type { EvaluateJob } from '../../domain/job.ts'
import { parse } from '../../domain/parse.ts'
import { runConfigSchema } from '../../domain/run-config.ts'
import type { MeasurableEncoder } from '../encoders.ts'
import type { TaskPlan, TaskWork } from '../data-tasks.ts'
import type { Parts } from '../parts.ts'
import { asTransplantMetric, transplantStart } from '../transplants.ts'
import { inTurn } from '../work-queue.ts'
import { modelNamed, progressOf, type ExperimentServices } from './experiments.ts'

type Request = ExperimentOf<'transplant'>
type Candidate = ExperimentResultOf<'transplant'>['candidates'][number]

export function transplant(parts: Parts, services: ExperimentServices, request: Request): TaskPlan {
  const { datasets, runs } = services
  return {
    title: `${request.name}: ${request.encoders.length} encoders, ${request.seeds.length} ${request.seeds.length === 1 ? 'seed' : 'seeds'}`,
    async work(work) {
      const [snapshot, questions] = [await datasets.snapshotOf(request.dataset), await datasets.snapshotOf(request.questions)]
      const languageModelFolder = request.languageModel === null ? null : modelNamed(services, request.languageModel)
      const members = request.encoders.map((encoder) => ({ encoder, of: services.encoders.measurable([encoder]) }))
      if (languageModelFolder === null) assertSameLanguageModel(members.flatMap(({ of }) => of))
      const { modules } = request.training
      const training = { ...request.training, modules: { ...modules, visionEncoder: { ...modules.visionEncoder, train: !request.frozen, lora: request.frozen ? null : modules.visionEncoder.lora } } }
      const total = members.length * request.seeds.length
      const candidates: Candidate[] = []
      for (const [s, seed] of request.seeds.entries())
        for (const { encoder, of } of members) {
          // Of an arm the checkpoint of this very seed: its trainings are paired all the way through.
          const member = of.find((each) => each.seed === seed) ?? of[s % of.length]!
          const phaseId = `${work.taskId}/${encoder}/seed-${seed}`
          const about = `${candidates.length + 1} of ${total}: ${member.name}, seed ${seed}`
          const start = transplantStart({ folder: member.folder, projectorLayers: request.projectorLayers, languageModelFolder, seed })
          const config = parse(runConfigSchema, { training: { ...training, seed }, snapshot, start, images: null })
          const runId = await runs.trained({ name: `${request.name}: ${member.name}, seed ${seed}`, dataset: request.dataset, config, phaseId }, work.signal, (event) => {
            if (event.kind === 'step') work.progress(`training ${about}`, event.step, event.of)
          })
          const isShared = request.seeds.some((_, other) => other !== s && (of.find((each) => each.seed === request.seeds[other]) ?? of[other % of.length]!) === member)
          candidates.push(await measured(parts, { work, phaseId, about, runId, encoder, seed, member: isShared ? null : member, questions, request, checkpoint: runs.newestCheckpoint(runId) }))
        }
      return { kind: 'transplant', candidates: request.encoders.flatMap((encoder) => candidates.filter((each) => each.encoder === encoder)) }
    },
  }
}

interface Measured {
  readonly work: TaskWork
  readonly phaseId: string
  readonly about: string
  readonly runId: string
  readonly encoder: string
  readonly seed: number
  /** null: it stands for several seeds, so no one number is its own. */
  readonly member: MeasurableEncoder | null
  readonly questions: string
  readonly request: Request
  readonly checkpoint: string
}

async function measured({ store, project, runner, queue, now, newId }: Parts, of: Measured): Promise<Candidate> {
  const { work, phaseId, runId, encoder, seed } = of
  const known = store.evaluations.ofPhase(phaseId)
  const scores = known === null ? [] : store.evaluations.resultsOf(known)
  if (known !== null && scores.length > 0) return { encoder, seed, runId, evaluationId: known, scores: [...scores] }
  if (known !== null) store.evaluations.delete(known)
  const job: EvaluateJob = {
    kind: 'evaluate',
    project,
    checkpoint: of.checkpoint,
    baseline: null,
    evaluators: ['questions'],
    settings: of.request.evaluation,
    snapshots: { questions: of.questions, preferences: null, objects: null, captions: null },
  }
  const evaluationId = newId('evaluation')
  const tell = progressOf(work, of.about)
  await inTurn(queue, async () => {
    store.evaluations.insert({ id: evaluationId, studyId: null, phaseId, encoder: null, seed, encoderId: of.member?.id ?? null, protocol: work.taskId, job, createdAtMs: now() })
    for await (const event of runner(job, work.signal, { backend: store.settings.get().backend })) {
      if (event.kind === 'items') store.evaluations.insertItems(evaluationId, asTransplantMetric(event.metric), event.items)
      if (event.kind === 'result') store.evaluations.insertResult(evaluationId, asTransplantMetric(event.metric), event.value, event.n)
      tell(event)
    }
  })
  return { encoder, seed, runId, evaluationId, scores: [...store.evaluations.resultsOf(evaluationId)] }
}

const textConfigSchema = z.looseObject({ text_config: z.record(z.string(), z.unknown()).optional() })

/** Without a language model of its own a transplant takes each donor's sizes and tokenizer: they must be the same for all. */
function assertSameLanguageModel(donors: readonly MeasurableEncoder[]): void {
  const known = donors.map(({ name, folder }) => {
    const { text_config: text } = parse(textConfigSchema, JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')), 'corrupt-artifact', join(folder, 'config.json'))
    if (text === undefined) throw new LabError('invalid-input', `languageModel: ${name} has none whose sizes could be taken; choose one for all candidates`)
    return { name, identity: JSON.stringify([text, readFileSync(join(folder, 'tokenizer.json'), 'utf8')]) }
  })
  const other = known.find(({ identity }) => identity !== known[0]!.identity)
  if (other !== undefined)
    throw new LabError(
      'invalid-input',
      `languageModel: ${known[0]!.name} and ${other.name} have language models of different sizes or tokenizers, so their numbers could not be compared; choose one for all candidates`,
    )
}
