// Laws of a recipe: every number of the study is in it, the pairs lie there in the study's order with the study's tokens, and
// what its script leaves is taken in as the run that it was, or refused by name.

import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { jobSchema, type Job, type JobEvent } from '../../src-main/domain/job.ts'
import { numImageTokens } from '../../src-main/domain/model-spec.ts'
import { recipeSchema } from '../../src-main/domain/recipe.ts'
import { trainingSchema, type Training } from '../../src-main/domain/run-config.ts'
import { adaptersOf, trainableModel } from '../../src-main/engine/train-step.ts'
import { toPeft } from '../../src-main/engine/weights/peft.ts'
import { readSafetensors, writeSafetensors } from '../../src-main/engine/weights/safetensors.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { batchOrder, chooseBuckets, encodeSamples } from '../../src-main/jobs/batches.ts'
import { newestCheckpoint, readAdapter, readCheckpoint } from '../../src-main/jobs/checkpoint.ts'
import { resourceFolder } from '../../src-main/jobs/resource-folder.ts'
import { runJob } from '../../src-main/jobs/run-job.ts'
import { readSnapshot } from '../../src-main/jobs/samples.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { TINY_SPEC, tinyProject } from './evaluate/tiny-project.ts'

beforeAll(() => openBackend())

const ARMS: Readonly<Record<'sft' | 'dpo', Training>> = {
  sft: trainingSchema.parse({ objective: { kind: 'sft' }, steps: 7, batchSize: 3, gradientAccumulation: 2, learningRate: 0.004, seed: 5 }),
  dpo: trainingSchema.parse({ objective: { kind: 'dpo', beta: 0.25 }, steps: 7, batchSize: 3, gradientAccumulation: 2, learningRate: 0.0007, seed: 5, modules: { visionEncoder: { learningRate: 0.1 } } }),
}

async function run(fields: object): Promise<readonly JobEvent[]> {
  const events: JobEvent[] = []
  for await (const event of runJob(jobSchema.parse(fields) as Job, { aborted: false })) events.push(event)
  return events
}

async function aRecipe(arms: Readonly<Record<'sft' | 'dpo', Training>> = ARMS) {
  const tiny = tinyProject(temporaryFolder(), { train: 9, validation: 0, test: 2 })
  const checkpoint = await tiny.checkpoint(2)
  const folder = join(tiny.project, 'recipe')
  const snapshot = tiny.snapshots.preferences
  const job = { kind: 'export-recipe', project: tiny.project, folder, study: { id: 's', name: 'A study' }, snapshot, seeds: [{ seed: 5, checkpoint }], arms }
  return { tiny, checkpoint, folder, snapshot, job }
}

it('holds every setting of both arms, the start of each seed, and a card that says how to run it', async () => {
  const { folder, job, checkpoint } = await aRecipe()
  await run(job)
  const recipe = recipeSchema.parse(JSON.parse(readFileSync(join(folder, 'recipe.json'), 'utf8')))
  expect(recipe.arms).toEqual(ARMS)
  expect(recipe).toMatchObject({ pairs: 9, tooLong: 0, seeds: [{ seed: 5, model: (await readCheckpoint(checkpoint)).checkpoint.sha256 }] })
  expect(readFileSync(join(folder, 'model', 'seed-5', 'model.safetensors'))).toEqual(readFileSync(join(checkpoint, 'model.safetensors')))
  const card = readFileSync(join(folder, 'README.md'), 'utf8')
  for (const text of ['--arm sft --seed 5', '--arm dpo --seed 5', '0.0007', 'lab import-run']) expect(card).toContain(text)
  expect(card).not.toContain(folder)
  expect(readdirSync(join(folder, 'accelerate')).sort()).toEqual(['ddp.yaml', 'deepspeed.yaml', 'fsdp.yaml'])
  // Written again it replaces itself.
  await run(job)
})

it('has LoRA’s adapters of each arm as the lab’s own training of that seed begins with, in PEFT’s layout', async () => {
  const modules = {
    visionEncoder: { lora: { rank: 3, alpha: 5, targets: 'q_proj fc1' }, lastBlock: 0 },
    languageModel: { lora: { rank: 2, alpha: 8, rankStabilised: true } },
  }
  const arms = { ...ARMS, dpo: trainingSchema.parse({ ...ARMS.dpo, seed: 0, modules }) }
  const { folder, job, checkpoint } = await aRecipe(arms)
  await run(job)
  expect(readdirSync(join(folder, 'adapter'))).toEqual(['dpo-seed-5'])
  const { config, tensors } = await readAdapter(join(folder, 'adapter', 'dpo-seed-5'))
  const { checkpoint: about, weights } = await readCheckpoint(checkpoint)
  const trainable = trainableModel(about.model, weights, { ...arms.dpo, seed: 5 })
  const own = toPeft(adaptersOf(trainable), {}, arms.dpo, null)!
  expect(config).toEqual(own.config)
  expect(Object.keys(tensors).sort()).toEqual(Object.keys(own.tensors).sort())
  for (const [name, { shape, values }] of Object.entries(own.tensors)) expect(tensors[name]).toMatchObject({ shape, values: Float32Array.from(values) })
  trainable.dispose()
  expect(config).toMatchObject({
    r: 3,
    lora_alpha: 5,
    rank_pattern: { 'model\\.language_model\\..*': 2 },
    alpha_pattern: { 'model\\.language_model\\..*': (8 / Math.sqrt(2)) * 2 },
    modules_to_save: null,
  })
  expect((config as { target_modules: string[] }).target_modules.filter((name) => name.includes('vision_tower'))).toHaveLength(2)
})

it('has the pairs in TRL’s form, their images, the lab’s own tokens and order', async () => {
  const { folder, job, tiny, checkpoint, snapshot } = await aRecipe()
  await run(job)
  const rows = readFileSync(join(folder, 'data', 'preferences.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as { images: string[]; prompt: unknown; prompt_ids: number[]; chosen_ids: number[]; rejected_ids: number[] })
  const samples = (await readSnapshot(tiny.project, snapshot)).filter(({ split }) => split === 'train')
  const { tokenizer } = await readCheckpoint(checkpoint)
  const encoded = encodeSamples(samples, tokenizer, numImageTokens(TINY_SPEC), 512)
  rows.forEach((row, i) => {
    const [image] = row.images
    expect(existsSync(join(folder, 'data', image!))).toBe(true)
    expect(row.prompt).toMatchObject([{ role: 'user', content: [{ type: 'image' }, { type: 'text' }] }])
    for (const [which, name] of (['chosen_ids', 'rejected_ids'] as const).entries()) {
      const { ids, isAnswer } = encoded.samples[i]!.rows[which]!
      expect([...row.prompt_ids, ...row[name]]).toEqual(ids.slice(0, isAnswer.lastIndexOf(true) + 1))
      expect(row[name]).toEqual(ids.filter((_, at) => isAnswer[at]))
    }
  })
  const plans = batchOrder(encoded.samples, chooseBuckets(encoded.samples), 6, 5)
  const order = JSON.parse(readFileSync(join(folder, 'data', 'order-seed-5.json'), 'utf8')) as number[]
  expect(order).toEqual(Array.from({ length: 7 }, () => plans.next().value.indices).flat())
})

it('its script is Python', () => {
  const script = join(resourceFolder('recipe'), 'train.py')
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore' })
  } catch {
    console.warn('the script is not parsed: there is no python3')
    return
  }
  execFileSync('python3', ['-c', 'import ast, sys; ast.parse(open(sys.argv[1], encoding="utf-8").read())', script])
})

it('refuses by name what TRL would not carry over, and a folder of somebody else', async () => {
  const { folder, job, tiny } = await aRecipe()
  const refused = async (dpo: object) => (await faultOfPromise(run({ ...job, arms: { ...ARMS, dpo: trainingSchema.parse({ ...ARMS.dpo, ...dpo }) } }))).message
  expect(await refused({ objective: { kind: 'mpo', lossType: ['sigmoid', 'robust'], lossWeights: [1, 1], labelSmoothing: 0.1 } })).toContain('found sigmoid and robust at 0.1')
  expect(await refused({ objective: { kind: 'simpo' } })).toContain('objective.kind')
  expect(await refused({ modules: { languageModel: { lora: { targets: 'nowhere' } } } })).toContain('modules.languageModel.lora.targets: "nowhere" matches none')
  expect(existsSync(folder)).toBe(false)
  mkdirSync(join(tiny.project, 'mine'))
  writeFileSync(join(tiny.project, 'mine', 'file'), '')
  expect((await faultOfPromise(run({ ...job, folder: join(tiny.project, 'mine') }))).code).toBe('conflict')
})

/** What train.py would leave: the start's weights, a log. */
async function anOutput() {
  const { tiny, checkpoint, snapshot } = await aRecipe()
  const source = join(tiny.project, 'out')
  cpSync(checkpoint, source, { recursive: true })
  rmSync(join(source, 'lab.json'))
  const log = Array.from({ length: 7 }, (_, i) => ({ step: i + 1, loss: 1 / (i + 1), grad_norm: 2, learning_rate: 0.1, 'rewards/margins': i, unknown: 3 }))
  const write = (state: object) => writeFileSync(join(source, 'trainer_state.json'), JSON.stringify(state))
  write({ global_step: 7, log_history: [...log, { step: 7, train_runtime: 1 }] })
  const job = { kind: 'import-run', source, folder: join(tiny.project, 'run'), config: { training: ARMS.dpo, snapshot, start: { kind: 'checkpoint', folder: checkpoint } } }
  return { source, job, log, write, checkpoint }
}

it('what comes back is a run: each logged step, and a checkpoint of the same weights with the start’s tokenizer', async () => {
  const { job, checkpoint } = await anOutput()
  const events = await run(job)
  const steps = events.filter((event) => event.kind === 'step')
  expect(steps.map(({ metrics }) => metrics['loss'])).toEqual(Array.from({ length: 7 }, (_, i) => 1 / (i + 1)))
  expect(steps[3]!.metrics).toEqual({ loss: 0.25, grad_norm: 2, learning_rate: 0.1, 'rewards/margins': 3 })
  const taken = await readCheckpoint((await newestCheckpoint(job.folder))!)
  const start = await readCheckpoint(checkpoint)
  expect(taken.checkpoint).toMatchObject({ step: 7, model: start.checkpoint.model, config: { training: ARMS.dpo } })
  for (const module of ['visionEncoder', 'projector', 'languageModel'] as const)
    for (const [name, { values }] of Object.entries(start.weights[module])) expect(taken.weights[module][name]!.values).toEqual(values)
  expect(taken.tokenizerFiles).toEqual(start.tokenizerFiles)
})

it('is refused when it ended early, diverged, or holds another model', async () => {
  const { job, write, log, source } = await anOutput()
  write({ global_step: 3, log_history: log })
  expect((await faultOfPromise(run(job))).message).toContain('global_step: expected 7, which is the study\'s, found 3')
  write({ global_step: 7, log_history: log })
  const tensors = readSafetensors(readFileSync(join(source, 'model.safetensors')))
  const [name] = Object.keys(tensors).filter((each) => each.includes('linear_1.weight'))
  const { [name!]: lost, ...others } = tensors
  writeFileSync(join(source, 'model.safetensors'), writeSafetensors({ ...others, 'multi_modal_projector.linear_9.weight': lost! }))
  const fault = await faultOfPromise(run(job))
  expect(fault.code).toBe('corrupt-artifact')
  expect(fault.message).toContain('projector/linear_1.weight is missing')
  expect(fault.message).toContain('projector/linear_9.weight is not a tensor')
  expect(existsSync(job.folder)).toBe(false)
})
