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
import type { TaskPlan } from '../data-tasks.ts'
import type { Parts } from '../parts.ts'
import { asTransplantMetric, transplantStart } from '../transplants.ts'
import { modelNamed, type ExperimentServices } from './experiments.ts'
import { measuredPhase } from './measured-phase.ts'

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
          work.piece(candidates.length + 1, total)
          const about = `${candidates.length + 1} of ${total}: ${member.name}, seed ${seed}`
          const start = transplantStart({ folder: member.folder, projectorLayers: request.projectorLayers, languageModelFolder, seed })
          const config = parse(runConfigSchema, { training: { ...training, seed }, snapshot, start, images: null })
          const runId = await runs.trained({ name: `${request.name}: ${member.name}, seed ${seed}`, dataset: request.dataset, config, phaseId }, work.signal, (event) => {
            if (event.kind === 'step') work.progress(`training, ${about}`, event.step, event.of)
          })
          const isShared = request.seeds.some((_, other) => other !== s && (of.find((each) => each.seed === request.seeds[other]) ?? of[other % of.length]!) === member)
          const job: EvaluateJob = {
            kind: 'evaluate',
            project: parts.project,
            checkpoint: runs.newestCheckpoint(runId),
            baseline: null,
            evaluators: ['questions'],
            settings: request.evaluation,
            snapshots: { questions, preferences: null, objects: null, captions: null },
          }
          // Standing for several seeds no one number is its own.
          const encoderId = isShared ? null : member.id
          const measured = await measuredPhase(parts, { work, phaseId, about, job, seed, encoderId, protocol: work.taskId, rename: asTransplantMetric })
          candidates.push({ encoder, seed, runId, ...measured })
        }
      return { kind: 'transplant', candidates: request.encoders.flatMap((encoder) => candidates.filter((each) => each.encoder === encoder)) }
    },
  }
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
