// A recipe of a tiny study for every objective that its second arm may have, and the lab's own training of it, for
// run_objectives.py; the rewards of answers by the lab's rules; pictures as the lab reads them. Then each run is taken in again.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PAIR_LOSSES, type ObjectiveOf } from '../../src-main/domain/objective-config.ts'
import { trainingSchema, type Training } from '../../src-main/domain/run-config.ts'
import type { Decoding } from '../../src-main/domain/preprocess-spec.ts'
import { verifiableReward } from '../../src-main/engine/objectives/rewards.ts'
import { readImage } from '../../src-main/jobs/images/codec.ts'
import { jobSchema, type Job, type JobEvent } from '../../src-main/domain/job.ts'
import { newestCheckpoint } from '../../src-main/jobs/checkpoint.ts'
import { runJob } from '../../src-main/jobs/run-job.ts'
import { DRAWN_ANSWERS_FILE, type DrawnAnswers } from '../../src-main/jobs/sampled-batches.ts'
import { tinyProject } from '../jobs/evaluate/tiny-project.ts'
import type { PeerCheck } from './peers.ts'
import { run, SEED, SHARED, takeInRun } from './recipe.ts'

const STEPS = 4
const SMOOTHING = 0.1

/** By name; no setting at its default. */
const OBJECTIVES: Readonly<Record<string, object>> = {
  ...Object.fromEntries(PAIR_LOSSES.map((lossType) => [lossType, { kind: 'dpo', lossType, beta: 0.3, ...(lossType === 'exo_pair' || lossType === 'robust' ? { labelSmoothing: SMOOTHING } : {}), ...(lossType === 'discopop' ? { discopopTau: 0.2 } : {}) }])),
  cdpo: { kind: 'dpo', beta: 0.3, labelSmoothing: SMOOTHING, rpoAlpha: 0.4, ldAlpha: 0.6 },
  'smoothed aot': { kind: 'dpo', lossType: 'aot', beta: 0.3, labelSmoothing: SMOOTHING },
  'forward_kl': { kind: 'dpo', lossType: 'hinge', beta: 0.3, fDivergenceType: 'forward_kl' },
  'js_divergence': { kind: 'dpo', lossType: 'ipo', beta: 0.3, fDivergenceType: 'js_divergence' },
  'alpha_divergence': { kind: 'dpo', labelSmoothing: SMOOTHING, beta: 0.3, fDivergenceType: 'alpha_divergence', fAlphaDivergenceCoef: 0.7 },
  mpo: { kind: 'mpo', beta: 0.3 },
  'mpo of losses that smooth': { kind: 'mpo', lossType: ['sigmoid', 'robust', 'exo_pair', 'sft'], lossWeights: [0.7, 0.3, 0.2, 0.5], beta: 0.3, labelSmoothing: SMOOTHING },
  simpo: { kind: 'simpo', beta: 1.5, simpoGamma: 0.4, labelSmoothing: SMOOTHING, cpoAlpha: 0.2 },
  cpo: { kind: 'cpo', beta: 0.2, labelSmoothing: SMOOTHING, cpoAlpha: 0.7 },
  'cpo hinge': { kind: 'cpo', lossType: 'hinge', beta: 0.2, cpoAlpha: 0 },
  'cpo ipo': { kind: 'cpo', lossType: 'ipo', beta: 0.2, cpoAlpha: 0.7 },
  orpo: { kind: 'orpo', beta: 0.3 },
  kto: { kind: 'kto', beta: 0.3, desirableWeight: 1.3, undesirableWeight: 0.8 },
  'kto apo_zero_unpaired': { kind: 'kto', lossType: 'apo_zero_unpaired', beta: 0.3, desirableWeight: 1.3 },
  ...Object.fromEntries((['grpo', 'dapo', 'dr_grpo'] as const).map((lossType, i) => [`grpo of ${lossType}`, aGrpo({ lossType, scaleRewards: (['group', 'batch', 'none'] as const)[i]!, useBiasCorrectionKl: i > 0 })])),
  'grpo without kl': aGrpo({ beta: 0, epsilonHigh: 0.02, epsilon: 0.01 }),
}

/** Two updates on the same answers: the first checkpoint of each pair then holds the answers, and the second update clips. */
function aGrpo(settings: Partial<ObjectiveOf<'grpo'>>): object {
  return { kind: 'grpo', numGenerations: 4, maxCompletionLength: 8, temperature: 1.1, topP: 0.95, numIterations: 2, beta: 0.1, ...settings }
}

function trainingOf(objective: object): Training {
  return trainingSchema.parse({ ...SHARED, steps: STEPS, checkpointEverySteps: 1, objective, learningRate: 5e-4 })
}

const configOf = (objective: object, snapshot: string, checkpoint: string) => ({ training: trainingOf(objective), snapshot, start: { kind: 'checkpoint', folder: checkpoint } })

export const everyObjective = { prepare, conclude }

async function prepare(folder: string): Promise<void> {
  const { project, snapshots, checkpoint: fresh } = tinyProject(join(folder, 'project'), { train: 20, validation: 0, test: 1 })
  const snapshot = snapshots.preferences
  const sft = trainingOf({ kind: 'sft' })
  const beginning = await fresh(5)
  const cases: object[] = []
  for (const [name, objective] of Object.entries(OBJECTIVES)) {
    const checkpoint = 'numGenerations' in objective ? await ableToAnswer(join(folder, 'able'), project, snapshot, beginning) : beginning
    await run({ kind: 'export-recipe', project, folder: join(folder, name, 'recipe'), study: { id: 'study', name: 'Tiny study' }, snapshot, seeds: [{ seed: SEED, checkpoint }], arms: { sft, dpo: trainingOf(objective) }, images: null })
    const { steps, drawn } = await trainHere({ kind: 'train', project, folder: join(folder, name, 'lab'), config: configOf(objective, snapshot, checkpoint), execution: 'eager' })
    cases.push({ name, steps, drawn: drawn.map((answers) => inTrlOrder(answers)), checkpoint, snapshot })
  }
  writeFileSync(join(folder, 'lab.json'), JSON.stringify({ seed: SEED, cases, rewards: rewardTables(), numberTolerance: NUMBER_TOLERANCE, pictures: await picturesIn(folder) }))
}

/** A model that is sometimes right: of one that never is nothing could be learned. Trained once. */
async function ableToAnswer(folder: string, project: string, snapshot: string, beginning: string): Promise<string> {
  const training = trainingSchema.parse({ objective: { kind: 'sft' }, steps: 80, batchSize: 10, learningRate: 1e-2 })
  return (await newestCheckpoint(folder)) ?? (await run({ kind: 'train', project, folder, config: { training, snapshot, start: { kind: 'checkpoint', folder: beginning } }, execution: 'eager' }), (await newestCheckpoint(folder))!)
}

async function conclude(folder: string): Promise<readonly PeerCheck[]> {
  const { cases } = JSON.parse(readFileSync(join(folder, 'lab.json'), 'utf8')) as { cases: readonly { name: string; checkpoint: string; snapshot: string }[] }
  const checks: PeerCheck[] = []
  for (const { name, checkpoint, snapshot } of cases)
    checks.push(...(await takeInRun(name, { source: join(folder, name, 'out'), target: join(folder, name, 'imported'), own: join(folder, name, 'lab'), checkpoint, config: configOf(OBJECTIVES[name]!, snapshot, checkpoint) }, STEPS)))
  return checks
}

/** The steps of a training, and of GRPO the answers of every draw. */
async function trainHere(fields: object): Promise<{ readonly steps: readonly unknown[]; readonly drawn: readonly DrawnAnswers[] }> {
  const steps: unknown[] = []
  const drawn: DrawnAnswers[] = []
  for await (const event of runJob(jobSchema.parse(fields) as Job, { aborted: false }) as AsyncIterable<JobEvent>) {
    if (event.kind === 'step') steps.push(event.metrics)
    if (event.kind !== 'checkpoint') continue
    const file = join(event.folder, DRAWN_ANSWERS_FILE)
    if (existsSync(file)) drawn.push(JSON.parse(readFileSync(file, 'utf8')) as DrawnAnswers)
  }
  return { steps, drawn }
}

/** Row r of a pass answers its prompt r mod B; TRL has all answers of a prompt beside each other. */
function inTrlOrder({ answers }: DrawnAnswers): readonly (readonly number[])[] {
  const B = SHARED.batchSize
  return answers.flatMap((rows) => Array.from({ length: B }, (_, b) => rows.filter((_row, r) => r % B === b)).flat())
}

const NUMBER_TOLERANCE = 0.05

/** Answers, what is accepted, and what the lab gives. */
function rewardTables(): Readonly<Record<string, readonly (readonly [string, readonly string[], number])[]>> {
  const answers = [
    'Red', ' red. ', '(red)', 'The answer is: red,', 'answer: no\nanswer is RED', '', ' ', '\ufeffred\u00a0', 'ÄRGER', 'red:.,', '((red))', 'red)', '\x1cred', 'İ',
    '5', '5.2', '5.3', '-5', '5%', '0.05', '1,234', '1,23', '.5e1', '5.', '٥', '1e400', 'five', '5 %',
    '[1, 2, 3, 4]', '(1,2,3,4)', 'it is [ .5, +1, 3.5 , 4.] or [0,0,9,9]', '[3, 2, 1, 4]', '[1, 2, 3]', '[1,2,3,4', '[2, 3, 4, 5]', '[-1, -2, 3, 4]',
  ]
  const accepted = [['red'], ['Red', 'ärger'], ['5'], ['0'], ['5%', '1234'], ['[1, 2, 3, 4]'], ['none', '[0, 0, 2, 3]'], ['inf', '1e400']]
  return Object.fromEntries(
    (['exact-match', 'number', 'box-iou'] as const).map((reward) => [
      reward,
      answers.flatMap((answer) => accepted.map((right) => [answer, right, verifiableReward({ reward, numberTolerance: NUMBER_TOLERANCE }, answer, right)] as const)),
    ]),
  )
}

/** A picture with transparent pixels under each way of reading it. */
async function picturesIn(folder: string): Promise<readonly object[]> {
  const file = 'transparent.png'
  writeFileSync(join(folder, file), Buffer.from(TRANSPARENT_PNG, 'base64'))
  const decodings: readonly Decoding[] = (['drop', 'white', 'black'] as const).map((alpha) => ({ orientation: 'apply', alpha }))
  return Promise.all(decodings.map(async (decoding) => ({ file, decoding, levels: 0, pixels: [...(await readImage(join(folder, file), decoding)).data] })))
}

/** 5 × 6 pixels of random colours and opacities. */
const TRANSPARENT_PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAUAAAAGCAYAAAAL+1RLAAAAiUlEQVR4nAF+AIH/Af/kIgD02eT/c+tMwlXu/zISgpsVAfak5yTcy8Wu3EEuIPvC8033vQcQBFLMkbr9sOeO3/5C2Q/kCpSXC+ZuAExGwWgq+tGkAiyyjGIC8xUyHQ4HBOns1nUEQk/jonCuMvYmEf3m1zxIAgUa0nfcmfyzBNpX86tX9pbclFR8yV1B6TualJcAAAAASUVORK5CYII='
