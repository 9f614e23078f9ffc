// A tiny study's recipe, and the lab's own training of both arms, for run_recipe.py; then what came back, taken in again. Once
// with the weights themselves trained, and once with LoRA beside them.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { jobSchema, type Job, type JobEvent } from '../../src-main/domain/job.ts'
import { trainingSchema, type Training } from '../../src-main/domain/run-config.ts'
import { ARMS, type Arm } from '../../src-main/domain/study.ts'
import { newestCheckpoint, readCheckpoint } from '../../src-main/jobs/checkpoint.ts'
import { runJob } from '../../src-main/jobs/run-job.ts'
import { tinyProject } from '../jobs/evaluate/tiny-project.ts'
import type { PeerCheck } from './peers.ts'

export const SEED = 3

/** No setting at its default: one that is lost on the way shows. */
export const SHARED = {
  steps: 10,
  batchSize: 3,
  gradientAccumulation: 2,
  schedule: 'cosine',
  warmupRatio: 0.2,
  weightDecay: 0.05,
  adamBeta1: 0.85,
  adamBeta2: 0.95,
  adamEpsilon: 1e-7,
  maxGradientNorm: 0.7,
  seed: SEED,
  modules: { visionEncoder: { learningRate: 3e-4, lastBlock: 1 }, projector: { learningRate: 2e-3 }, languageModel: { firstBlock: 1 } },
}
/** Enough of each split to measure something. */
const SCENES = { train: 20, validation: 9, test: 18 }
type Trainings = Readonly<Record<Arm, Training>>
const WHOLE: Trainings = {
  sft: trainingSchema.parse({ ...SHARED, objective: { kind: 'sft' }, learningRate: 1e-3 }),
  dpo: trainingSchema.parse({ ...SHARED, objective: { kind: 'dpo', lossType: 'sigmoid', beta: 0.3, labelSmoothing: 0.1, rpoAlpha: 0.2 }, learningRate: 5e-4 }),
}

/** Blocks, ranks and both kinds of scale; the arms differ, and the projector is trained as a whole. */
const ADAPTED: Trainings = {
  sft: trainingSchema.parse({
    ...WHOLE.sft,
    modules: {
      visionEncoder: { learningRate: 5e-3, lastBlock: 1, lora: { rank: 3, alpha: 5, targets: 'q_proj fc1' } },
      projector: { learningRate: 2e-3 },
      languageModel: { learningRate: 1e-2, lora: { rank: 2, alpha: 7, rankStabilised: true } },
    },
  }),
  dpo: trainingSchema.parse({
    ...WHOLE.dpo,
    modules: { visionEncoder: { lora: { rank: 4, alpha: 9 }, learningRate: 1e-2 }, projector: { learningRate: 2e-3 }, languageModel: { firstBlock: 1, lora: { rank: 2, alpha: 7, targets: 'v_proj down_proj' }, learningRate: 5e-3 } },
  }),
}

/** What one peer run prepares and concludes. */
function recipePeer(trainings: Trainings) {
  const runConfig = (arm: Arm, snapshot: string, checkpoint: string) => ({ training: trainings[arm], snapshot, start: { kind: 'checkpoint', folder: checkpoint } })
  return { prepare: (folder: string) => writeRecipe(folder, trainings, runConfig), conclude: (folder: string) => takeIn(folder, runConfig) }
}

type RunConfigOf = (arm: Arm, snapshot: string, checkpoint: string) => object

export const wholeRecipe = recipePeer(WHOLE)
export const adaptedRecipe = recipePeer(ADAPTED)

export async function run(fields: object): Promise<readonly JobEvent[]> {
  const events: JobEvent[] = []
  for await (const event of runJob(jobSchema.parse(fields) as Job, { aborted: false })) events.push(event)
  return events
}

async function writeRecipe(folder: string, trainings: Trainings, runConfig: RunConfigOf): Promise<void> {
  const tiny = tinyProject(join(folder, 'project'), SCENES)
  const checkpoint = await tiny.checkpoint(5)
  const snapshot = tiny.snapshots.preferences
  const study = { id: 'study', name: 'Tiny study' }
  await run({ kind: 'export-recipe', project: tiny.project, folder: join(folder, 'recipe'), study, snapshot, seeds: [{ seed: SEED, checkpoint }], arms: trainings, images: null })
  const arms: Record<string, unknown> = {}
  for (const arm of ARMS) {
    const runFolder = join(folder, `lab-${arm}`)
    const events = await run({ kind: 'train', project: tiny.project, folder: runFolder, config: runConfig(arm, snapshot, checkpoint), execution: 'eager' })
    arms[arm] = { steps: events.flatMap((event) => (event.kind === 'step' ? [event.metrics] : [])) }
  }
  writeFileSync(join(folder, 'lab.json'), JSON.stringify({ seed: SEED, checkpoint, snapshot, arms }))
}

/** What the script left becomes a run of the lab, whose weights are compared with those that the lab trained. */
async function takeIn(folder: string, runConfig: RunConfigOf): Promise<readonly PeerCheck[]> {
  const { checkpoint, snapshot } = JSON.parse(readFileSync(join(folder, 'lab.json'), 'utf8')) as { checkpoint: string; snapshot: string }
  const checks: PeerCheck[] = []
  for (const arm of ARMS) {
    const [own, target] = [join(folder, `lab-${arm}`), join(folder, `imported-${arm}`)]
    checks.push(...(await takeInRun(arm, { source: join(folder, 'out', arm), target, own, checkpoint, config: runConfig(arm, snapshot, checkpoint) })))
    checks.push(...(await measuredAlike(arm, folder, own, target)))
  }
  return checks
}

/** What is measured on a run that came back is what is measured on the lab's own. */
async function measuredAlike(arm: Arm, folder: string, own: string, taken: string): Promise<readonly PeerCheck[]> {
  const { evaluateJob } = tinyProject(join(folder, 'project'), SCENES)
  const measured = async (runFolder: string) => {
    const events = await run(evaluateJob({ checkpoint: (await newestCheckpoint(runFolder))!, evaluators: ['questions', 'preferences', 'probe', 'alignment'] }))
    return new Map(events.flatMap((event) => (event.kind === 'result' ? [[event.metric, event.value] as const] : [])))
  }
  const [here, there] = [await measured(own), await measured(taken)]
  const worst = Math.max(...[...here].map(([metric, value]) => Math.abs(value - (there.get(metric) ?? NaN))))
  return [{ name: `${arm}: ${here.size} measurements of what came back`, difference: worst, tolerance: 1e-3, fault: here.size === 0 ? 'nothing was measured' : null }]
}

interface TakenIn {
  readonly source: string
  readonly target: string
  /** The folder of the lab's own run. */
  readonly own: string
  readonly checkpoint: string
  readonly config: object
}

export async function takeInRun(name: string, { source, target, own: ownFolder, checkpoint, config }: TakenIn, steps = SHARED.steps): Promise<readonly PeerCheck[]> {
  const checks: PeerCheck[] = []
  const events = await run({ kind: 'import-run', source, folder: target, config })
  checks.push({ name: `${name}: steps taken in`, difference: Math.abs(events.filter(({ kind }) => kind === 'step').length - steps), tolerance: 0, fault: null })
  const [own, theirs] = [await readCheckpoint((await newestCheckpoint(ownFolder))!), await readCheckpoint((await newestCheckpoint(target))!)]
  const start = await readCheckpoint(checkpoint)
  for (const module of ['visionEncoder', 'projector', 'languageModel'] as const) {
    let [apart, moved] = [0, 0]
    for (const [tensor, { values: mine }] of Object.entries(own.weights[module])) {
      const [other, first] = [theirs.weights[module][tensor]!.values, start.weights[module][tensor]!.values]
      mine.forEach((value, i) => {
        apart += (value - other[i]!) ** 2
        moved += (value - first[i]!) ** 2
      })
    }
    checks.push({ name: `${name}: ${module}, by how far it moved`, difference: Math.sqrt(apart / moved), tolerance: 1e-3, fault: null })
  }
  return checks
}
