// Laws of a recipe: every number of the study is in it, the pairs lie there in the study's order with the study's tokens, and
// what its script leaves is taken in as the run that it was, or refused by name.

import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { jobSchema, type Job, type JobEvent } from '../../src-main/domain/job.ts'
import { numImageTokens } from '../../src-main/domain/model-spec.ts'
import { recipeSchema, type RecipeOrder } from '../../src-main/domain/recipe.ts'
import { trainingSchema, type Training } from '../../src-main/domain/run-config.ts'
import { verifiableReward } from '../../src-main/engine/objectives/rewards.ts'
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
  const met = Array.from({ length: 7 }, () => plans.next().value)
  for (const [arm, rows] of [['sft', 1], ['dpo', 2]] as const) {
    const order = JSON.parse(readFileSync(join(folder, 'data', `order-${arm}-seed-5.json`), 'utf8')) as RecipeOrder
    expect(order.pairs).toEqual(met.flatMap(({ indices }) => indices))
    expect(order.steps.map(({ epoch }) => epoch)).toEqual(met.map(({ epoch }) => epoch))
    const tokens = order.pairs.flatMap((pair) => encoded.samples[pair]!.rows.slice(0, rows).map(({ ids }) => ids.length))
    expect(order.steps.at(-1)!.num_tokens).toBe(tokens.reduce((sum, length) => sum + length, 0))
  }
})

it('has for KTO each prompt’s other answers, for GRPO what counts as right, and an order for each arm', async () => {
  const { folder, job, tiny, checkpoint, snapshot } = await aRecipe()
  const rowsOf = async (objective: object) => {
    await run({ ...job, arms: { ...ARMS, dpo: trainingSchema.parse({ ...ARMS.dpo, objective }) } })
    return readFileSync(join(folder, 'data', 'preferences.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
  }
  const samples = (await readSnapshot(tiny.project, snapshot)).filter(({ split }) => split === 'train')
  const { tokenizer } = await readCheckpoint(checkpoint)
  const encoded = encodeSamples(samples, tokenizer, numImageTokens(TINY_SPEC), 512, { needsPairs: true, needsMismatched: true })
  const kto = await rowsOf({ kind: 'kto' })
  kto.forEach((row, i) => {
    for (const [which, name] of (['mismatched_chosen_ids', 'mismatched_rejected_ids'] as const).entries())
      expect([...(row['prompt_ids'] as number[]), ...(row[name] as number[])]).toEqual(encoded.samples[i]!.mismatched![which]!.ids)
  })
  const grpo = await rowsOf({ kind: 'grpo', numIterations: 2 })
  expect(grpo[0]!['accepted']).toEqual([(samples[0]!.content as { chosen: string }).chosen])
  expect(grpo[0]).not.toHaveProperty('mismatched_chosen_ids')
  const orderOf = (arm: string) => JSON.parse(readFileSync(join(folder, 'data', `order-${arm}-seed-5.json`), 'utf8')) as RecipeOrder
  // Two updates learn from the answers to the same prompts: seven steps meet four batches.
  expect(orderOf('dpo').pairs).toEqual(orderOf('sft').pairs.slice(0, 4 * 6))
  expect(orderOf('dpo').steps).toEqual([0, 0, 1, 1, 2, 2, 3].map((batch) => ({ epoch: orderOf('sft').steps[batch]!.epoch })))
})

/** What the folder's own Python says; null where there is no python3. */
function python(code: string, argument: unknown): unknown {
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore' })
  } catch {
    console.warn('the scripts are not run: there is no python3')
    return null
  }
  return JSON.parse(execFileSync('python3', ['-B', '-c', code, resourceFolder('recipe'), JSON.stringify(argument)], { encoding: 'utf8' }))
}

it('its scripts are Python', () => {
  const names = python('import ast, glob, json, sys; print(json.dumps([ast.parse(open(path, encoding="utf-8").read()) and path for path in glob.glob(sys.argv[1] + "/*.py")]))', null)
  if (names !== null) expect(names).toHaveLength(readdirSync(resourceFolder('recipe')).filter((name) => name.endsWith('.py')).length)
})

it('judges answers as the lab does', () => {
  const answers = ['Red.', 'the answer is (red)', '', '5', '5.2', '5.3', '1,234', '5 %', '[1, 2, 3, 4]', '(0,0,2,3)', '[3, 2, 1, 4]']
  const accepted = [['red'], ['5'], ['1234', '0.05'], ['[1, 2, 3, 4]']]
  for (const reward of ['exact-match', 'number', 'box-iou'] as const) {
    const table = answers.flatMap((answer) => accepted.map((right) => [answer, right] as const))
    const code = 'import json, sys; sys.path.insert(0, sys.argv[1]); import rewards; asked = json.loads(sys.argv[2]); print(json.dumps(rewards.reward_of(asked["rule"])(asked["answers"], asked["accepted"])))'
    const found = python(code, { rule: { reward, numberTolerance: 0.05 }, answers: table.map(([answer]) => answer), accepted: table.map(([, right]) => right) }) as number[] | null
    found?.forEach((value, i) => expect([...table[i]!, value]).toEqual([...table[i]!, expect.closeTo(verifiableReward({ reward, numberTolerance: 0.05 }, ...table[i]!), 12)]))
  }
})

describe('on several devices', () => {
  type Case = readonly [objective: object, devices: number, perDevice?: number]
  /** Pairs a device and passes an update, or why not; one of each case, of 4 passes of 6 pairs. */
  const splits = (cases: readonly Case[]) => {
    const code = `import json, sys; sys.path.insert(0, sys.argv[1]); import devices
def split(case):
    try: return devices.pairs_per_device(*case)
    except SystemExit as fault: return str(fault)
print(json.dumps([split(case) for case in json.loads(sys.argv[2])]))`
    const asked = cases.map(([objective, devices, perDevice = null]) => [trainingSchema.parse({ objective, batchSize: 6, gradientAccumulation: 4 }), devices, perDevice])
    return (python(code, asked) ?? []) as readonly (string | readonly [number, number])[]
  }

  it('the effective batch is the study’s', () => {
    const devices = [1, 2, 3, 4, 8, 12, 24]
    splits(devices.map((count) => [{ kind: 'dpo' }, count])).forEach((found, i) => {
      const [perDevice, passes] = found as readonly [number, number]
      expect(perDevice * passes * devices[i]!).toBe(24)
      expect(perDevice).toBeLessThanOrEqual(6)
    })
  })

  it('a loss that looks across pairs meets the study’s forward passes, and what is impossible is refused with what is possible', () => {
    const ofPass = [{ kind: 'dpo', rpoAlpha: 1 }, { kind: 'dpo', lossType: 'aot' }, { kind: 'mpo' }, { kind: 'orpo' }, { kind: 'cpo' }]
    const ofPairs = [{ kind: 'kto', lossType: 'apo_zero_unpaired' }, { kind: 'simpo' }, { kind: 'cpo', cpoAlpha: 0 }, { kind: 'sft' }, { kind: 'grpo' }]
    const including = (words: string) => expect.stringContaining(words) as unknown
    const laws: readonly (readonly [Case, unknown])[] = [
      ...ofPass.flatMap((objective): (readonly [Case, unknown])[] => [
        [[objective, 4], [6, 1]],
        [[objective, 3], including('1, 2, 4 processes')],
        [[objective, 2, 3], including('--per-device 6')],
      ]),
      // TRL takes KTO's drift over the devices: together they hold one pass.
      [[{ kind: 'kto' }, 3], [2, 4]],
      [[{ kind: 'kto' }, 4], including('1, 2, 3, 6 processes')],
      ...ofPairs.map((objective): readonly [Case, unknown] => [[objective, 8], [3, 1]]),
      [[{ kind: 'dpo' }, 5], including('1, 2, 3, 4, 6, 8, 12, 24 processes')],
    ]
    splits(laws.map(([given]) => given)).forEach((found, i) => expect([laws[i]![0], found]).toEqual(laws[i]))
  })
})

it('refuses settings that do not fit, and a folder of somebody else', async () => {
  const { folder, job, tiny } = await aRecipe()
  const refused = async (dpo: object) => (await faultOfPromise(run({ ...job, arms: { ...ARMS, dpo: trainingSchema.parse({ ...ARMS.dpo, ...dpo }) } }))).message
  expect(await refused({ objective: { kind: 'grpo', reward: 'box-iou' } })).toContain('objective.reward: the rule box-iou finds nothing to check')
  expect(await refused({ objective: { kind: 'grpo', maxCompletionLength: 510 } })).toContain('maxCompletionLength')
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

it('comes back in shards, or as an adapter on its start', async () => {
  const { job, source, checkpoint } = await anOutput()
  const tensors = readSafetensors(readFileSync(join(source, 'model.safetensors')))
  const names = Object.keys(tensors)
  const shards = [names.slice(0, 5), names.slice(5)].map((own, i) => [`model-0000${i + 1}-of-00002.safetensors`, own] as const)
  for (const [file, own] of shards) writeFileSync(join(source, file), writeSafetensors(Object.fromEntries(own.map((name) => [name, tensors[name]!]))))
  const map = Object.fromEntries(shards.flatMap(([file, own]) => own.map((name) => [name, file])))
  writeFileSync(join(source, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }))
  rmSync(join(source, 'model.safetensors'))
  const start = await readCheckpoint(checkpoint)
  const takenIn = async () => {
    rmSync(job.folder, { recursive: true, force: true })
    await run(job)
    return (await readCheckpoint((await newestCheckpoint(job.folder))!)).weights
  }
  expect((await takenIn()).languageModel['model.norm.weight']!.values).toEqual(start.weights.languageModel['model.norm.weight']!.values)

  for (const [file] of shards) rmSync(join(source, file))
  rmSync(join(source, 'model.safetensors.index.json'))
  const layer = 'model.layers.0.self_attn.q_proj.weight'
  const [rows, columns] = start.weights.languageModel[layer]!.shape as [number, number]
  const ones = (shape: readonly number[]) => ({ shape, values: new Float32Array(shape[0]! * shape[1]!).fill(0.5) })
  const path = 'base_model.model.model.language_model.layers.0.self_attn.q_proj'
  writeFileSync(join(source, 'adapter_config.json'), JSON.stringify({ peft_type: 'LORA', r: 2, lora_alpha: 6, target_modules: ['q_proj'] }))
  writeFileSync(join(source, 'adapter_model.safetensors'), writeSafetensors({ [`${path}.lora_A.weight`]: ones([2, columns]), [`${path}.lora_B.weight`]: ones([rows, 2]) }))
  const { languageModel } = await takenIn()
  // s·B·A = 6/2 · (0.5·0.5 + 0.5·0.5)
  languageModel[layer]!.values.forEach((value, i) => expect(value).toBeCloseTo(start.weights.languageModel[layer]!.values[i]! + 1.5, 5))
  expect(languageModel['model.norm.weight']!.values).toEqual(start.weights.languageModel['model.norm.weight']!.values)
})

it('what cannot be taken in is named: shards of other tools, no log, a log that is not JSON, a loss that is not a number', async () => {
  const { job, source, log } = await anOutput()
  const state = (text: string) => writeFileSync(join(source, 'trainer_state.json'), text)
  state(JSON.stringify({ global_step: 7, log_history: log }).replace('"loss":0.25', '"loss": NaN'))
  const diverged = await faultOfPromise(run(job))
  expect(diverged.code).toBe('loss-not-finite')
  expect(diverged.message).toContain('the loss of step 4 is NaN')
  // What only describes may well be no number.
  state(JSON.stringify({ global_step: 7, log_history: log }).replace('"grad_norm":2', '"grad_norm": Infinity'))
  expect((await run(job)).find((event) => event.kind === 'step')!.metrics).not.toHaveProperty('grad_norm')
  state('{')
  expect((await faultOfPromise(run(job))).message).toContain('trainer_state.json is not JSON')
  rmSync(join(source, 'trainer_state.json'))
  expect((await faultOfPromise(run(job))).message).toContain('choose the folder that train.py of a recipe wrote')
  state(JSON.stringify({ global_step: 7, log_history: log }))
  rmSync(join(source, 'model.safetensors'))
  for (const [name, words] of [['checkpoint-7', 'train.py'], ['global_step7', 'zero_to_fp32'], ['pytorch_model_fsdp_0', 'merge-weights']] as const) {
    mkdirSync(join(source, name))
    const fault = await faultOfPromise(run(job))
    expect(fault.code).toBe('not-found')
    expect(fault.message).toContain(`found ${name}`)
    expect(fault.message).toContain(words)
    rmSync(join(source, name), { recursive: true })
  }
})

it('a checkpoint that comes back reads files as its study does', async () => {
  const { job } = await anOutput()
  await run({ ...job, config: { ...job.config, images: { orientation: 'apply', alpha: 'white' } } })
  expect((await readCheckpoint((await newestCheckpoint(job.folder))!)).preprocess[0]).toEqual({ op: 'decode', orientation: 'apply', alpha: 'white' })
})
