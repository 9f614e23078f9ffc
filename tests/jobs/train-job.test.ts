// A training job from its configuration to its checkpoint: it learns, it repeats itself bit for bit, it survives being
// stopped at any step, and it says what is wrong with what it was given.

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { TrainJob } from '../../src-main/domain/job.ts'
import { MODULES } from '../../src-main/domain/model-spec.ts'
import type { Start } from '../../src-main/domain/run-config.ts'
import { newestCheckpoint, readCheckpoint } from '../../src-main/jobs/checkpoint.ts'
import { readTensors } from '../../src-main/jobs/weight-files.ts'
import { startModel } from '../../src-main/jobs/start-model.ts'
import { runTrainJob } from '../../src-main/jobs/train-job.ts'
import { writeSafetensors } from '../../src-main/engine/weights/safetensors.ts'
import { expectClose } from '../support/all-close.ts'
import { tinyProject, type TinyProject } from './evaluate/tiny-project.ts'
import {
  aTrainJob,
  follow,
  openEngineWithOwnCache,
  readSamples,
  RESUMED,
  SMALL_SPEC,
  stepsOf,
  train,
  weightsOf,
  writeSnapshot,
  type TrainJobFields,
} from './tiny-training.ts'
import { plainArrays, plainModules } from '../support/plain-arrays.ts'

let tiny: TinyProject
let start: Start
let folders = 0
const root = mkdtempSync(join(tmpdir(), 'pivot-lab-train-'))
beforeAll(async () => {
  await openEngineWithOwnCache()
  tiny = tinyProject(root)
  start = { kind: 'checkpoint', folder: await tiny.checkpoint(1, SMALL_SPEC) }
})
afterAll(() => rmSync(root, { recursive: true, force: true }))
let tensorsBefore = 0
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors
  return () => expect(tf.memory().numTensors, 'tensors left alive by the jobs of this test').toBe(tensorsBefore)
})

const aJob = (fields: Partial<TrainJobFields> = {}): TrainJob =>
  aTrainJob(tiny, { folder: `runs/${++folders}`, start, ...fields })
const KINDS = ['sft', 'dpo'] as const

describe('training', () => {
  it('on one pair makes the chosen answer likelier, against the rejected one and against the start', async () => {
    const [pair] = readSamples(tiny, tiny.snapshots.preferences)
    const steps = await train(
      aJob({
        snapshot: writeSnapshot(tiny, [pair!]),
        training: { steps: 20, batchSize: 1, learningRate: 1e-2, objective: { kind: 'dpo' } },
      }),
    )
    const [first, last] = [steps[0]!, steps.at(-1)!]
    expect(first['loss']).toBeCloseTo(Math.LN2, 4)
    expect(Math.abs(first['rewards/margins']!)).toBeLessThan(1e-4)
    expect(last['rewards/accuracies']).toBe(1)
    expect(last['rewards/margins']).toBeGreaterThan(1)
    expect(last['loss']).toBeLessThan(0.3)
    const lead = (step: Readonly<Record<string, number>>) => step['logps/chosen']! - step['logps/rejected']!
    expect(lead(last)).toBeGreaterThan(lead(first) + 10)
  })

  it('on one chosen answer learns it by heart', async () => {
    const [pair] = readSamples(tiny, tiny.snapshots.preferences)
    const steps = await train(
      aJob({ snapshot: writeSnapshot(tiny, [pair!]), training: { steps: 40, batchSize: 1, learningRate: 3e-2 } }),
    )
    expect(steps[0]!['mean_token_accuracy']).toBeLessThan(0.5)
    expect(steps.at(-1)!['mean_token_accuracy']).toBe(1)
    expect(steps.at(-1)!['loss']).toBeLessThan(0.2)
  })

  it('says what it is, each step, and where the checkpoint lies', async () => {
    const job = aJob({ training: { steps: 3, checkpointEverySteps: 2 } })
    const { events, fault } = await follow(job)
    expect(fault).toBeNull()
    expect(
      events.map((event) => (event.kind === 'step' || event.kind === 'checkpoint' ? `${event.kind} ${event.step}` : event.kind)),
    ).toEqual(['log', 'log', 'part', 'execution', 'log', 'step 1', 'step 2', 'checkpoint 2', 'step 3', 'checkpoint 3', 'memory'])
    expect(events[0]).toMatchObject({
      message: expect.stringMatching(/visionEncoder [\d,]+ trained, projector [\d,]+ trained, languageModel [\d,]+ trained/),
    })
    const [last] = events.filter((event) => event.kind === 'checkpoint').slice(-1)
    const { checkpoint } = await readCheckpoint(last!.folder)
    expect(checkpoint).toMatchObject({ step: 3, config: job.config, sha256: last!.sha256, execution: 'eager' })
    expect(checkpoint.sha256).toBe(await weightsOf(job))
  })

  it('keeps frozen modules bit for bit, and trains the others', async () => {
    const modules = { visionEncoder: { train: false }, languageModel: { train: false } }
    const job = aJob({ training: { modules } })
    await train(job)
    const [before, after] = [
      await readCheckpoint((start as { folder: string }).folder),
      await readCheckpoint((await newestCheckpoint(job.folder))!),
    ]
    const [then, since] = [plainModules(before.weights), plainModules(after.weights)]
    expect(since.visionEncoder).toEqual(then.visionEncoder)
    expect(since.languageModel).toEqual(then.languageModel)
    expect(since.projector).not.toEqual(then.projector)
  })

  it('by DPO begins at ln 2 from a fresh projector too: the reference is the model of step 0', async () => {
    const { folder } = start as { folder: string }
    const transplant = { kind: 'transplant', folder, projectorLayers: 0, languageModelFolder: folder, seed: 3 } as const
    const { events, fault } = await follow(aJob({ start: transplant, training: { steps: 1, objective: { kind: 'dpo' } } }))
    expect(fault).toBeNull()
    const [first] = events.flatMap((event) => (event.kind === 'step' ? [event.metrics] : []))
    expect(first!['loss']).toBeCloseTo(Math.LN2, 5)
  })

  it('on text alone opens no image', async () => {
    const samples = readSamples(tiny, tiny.snapshots.captions).map((sample) => ({
      ...sample,
      image: { ...sample.image!, path: 'images/none.png' },
    }))
    await train(aJob({ snapshot: writeSnapshot(tiny, samples), training: { steps: 2, objective: { kind: 'text' } } }))
  })

  it('trains on questions, on conversations and on the words of captions', async () => {
    for (const [snapshot, kind] of [
      [tiny.snapshots.questions, 'sft'],
      [tiny.snapshots.captions, 'sft'],
      [tiny.snapshots.captions, 'caption-words'],
    ] as const) {
      const [first] = await train(aJob({ snapshot, training: { steps: 1, objective: { kind } } }))
      expect(first!['loss']).toBeGreaterThan(0)
    }
  })

  it('leaves out and counts samples that are too long, also when only the rejected answer is', async () => {
    const samples = readSamples(tiny, tiny.snapshots.preferences)
    const long = samples.map((sample, i) =>
      sample.content.kind === 'preferences' && i % 3 === 0
        ? { ...sample, content: { ...sample.content, rejected: 'word '.repeat(100) } }
        : sample,
    )
    const training = { steps: 1, maxLength: 120 }
    const trained = samples.filter(({ split }) => split === 'train').length
    const { events } = await follow(aJob({ snapshot: writeSnapshot(tiny, long), training }))
    expect(events).toContainEqual({
      kind: 'log',
      level: 'warning',
      message: expect.stringContaining(`${trained / 3} of ${trained} samples are longer than maxLength (120 tokens)`),
    })
  })
})

describe('the same configuration', () => {
  for (const kind of KINDS)
    it(`of ${kind} gives the same numbers and the same weights, bit for bit; another seed gives others`, async () => {
      const jobs = [0, 0, 1].map((seed) => aJob({ training: { objective: { kind }, seed } }))
      const curves = [await train(jobs[0]!), await train(jobs[1]!), await train(jobs[2]!)]
      expect(curves[1]).toEqual(curves[0])
      expect(await weightsOf(jobs[1]!)).toBe(await weightsOf(jobs[0]!))
      expect(curves[2]).not.toEqual(curves[0])
    })
})

describe('a run that is stopped and continued equals one that never was, bit for bit,', () => {
  for (const kind of KINDS)
    it(`${kind}: cancelled after step 3, killed after step 5`, async () => {
      const training = { ...RESUMED, objective: { kind }, gradientAccumulation: 2 }
      const whole = aJob({ training })
      const expected = await train(whole)
      const parts = aJob({ training })
      const first = await follow(parts, { stopAfter: 3 })
      expect(first.fault?.code).toBe('cancelled')
      expect(first.events.at(-1)).toMatchObject({ kind: 'checkpoint', step: 3 })
      const second = await follow(parts, { stopAfter: 5, how: 'kill' })
      expect(second.events).toContainEqual({ kind: 'log', level: 'info', message: 'continuing after step 3' })
      // The kill came after step 5; the newest checkpoint is that of step 4.
      const third = await follow(parts)
      expect(third.fault).toBeNull()
      const [a, b, c] = [first, second, third].map(({ events }) => stepsOf(events))
      expect(a).toEqual(expected.slice(0, 3))
      expect(b).toEqual(expected.slice(3, 5))
      expect(c).toEqual(expected.slice(4))
      expect(await weightsOf(parts)).toBe(await weightsOf(whole))
    })

  it('with adapters on one module, another trained whole, and a range of blocks', async () => {
    const modules = { visionEncoder: { lastBlock: 0 }, languageModel: { lora: { rank: 2 }, gradientCheckpointing: true } }
    const training = { ...RESUMED, objective: { kind: 'dpo' }, modules }
    const [whole, parts] = [aJob({ training }), aJob({ training })]
    const expected = await train(whole)
    const first = await follow(parts, { stopAfter: 3 })
    const rest = await follow(parts)
    expect([...stepsOf(first.events), ...stepsOf(rest.events)]).toEqual(expected)
    expect(await weightsOf(parts)).toBe(await weightsOf(whole))
  })

  it('and a finished one only says so again', async () => {
    const job = aJob()
    await train(job)
    const weights = await weightsOf(job)
    const { events, fault } = await follow(job)
    expect(fault).toBeNull()
    expect(stepsOf(events)).toEqual([])
    expect(events.at(-1)).toMatchObject({ kind: 'checkpoint', step: 4 })
    expect(await weightsOf(job)).toBe(weights)
  })
})

describe('adapters', () => {
  const modules = { visionEncoder: { train: false }, languageModel: { lora: { rank: 2, alpha: 8 } } }

  it('are merged in the checkpoint, and lie beside it for PEFT: merged into the start they are the checkpoint', async () => {
    const job = aJob({ training: { modules, learningRate: 3e-2 } })
    await train(job)
    const folder = (await newestCheckpoint(job.folder))!
    expect(readdirSync(join(folder, 'adapter')).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors'])
    const [before, after] = [await startModel(start), await readCheckpoint(folder)]
    const [then, since] = [plainModules(before.weights), plainModules(after.weights)]
    expect(since.languageModel).not.toEqual(then.languageModel)
    expect(since.visionEncoder).toEqual(then.visionEncoder)
    const adapted = await startModel({ ...(start as Extract<Start, { kind: 'checkpoint' }>), adapter: join(folder, 'adapter') })
    // The projector was trained whole: the adapter carries it.
    for (const module of MODULES)
      for (const [name, { values }] of Object.entries(after.weights[module])) expectClose(adapted.weights[module][name]!.values, values, 1e-6, name)
    expect(adapted.identity).not.toBe(before.identity)
  })

  it('change nothing before the first step: the reference of DPO is the model with its adapters off', async () => {
    const training = { steps: 1, objective: { kind: 'dpo' } }
    const [plain] = await train(aJob({ training }))
    const [adapted] = await train(aJob({ training: { ...training, modules } }))
    expect(adapted!['loss']).toBe(plain!['loss'])
    expect(Math.abs(adapted!['rewards/margins']!)).toBeLessThan(1e-4)
  })
})

describe('checkpoints', () => {
  it('only the newest stays, with the moments that go on; the last has none, and leftovers of a kill are swept', async () => {
    const job = aJob({ training: { steps: 3, checkpointEverySteps: 1 } })
    await follow(job, { stopAfter: 2 })
    expect(readdirSync(job.folder)).toEqual(['step-00000002'])
    expect(existsSync(join(job.folder, 'step-00000002', 'optimizer.safetensors'))).toBe(true)
    mkdirSync(join(job.folder, '.step-00000003.99.partial'))
    writeFileSync(join(job.folder, '.step-00000003.99.partial', 'model.safetensors'), 'half')
    await train(job)
    expect(readdirSync(job.folder)).toEqual(['step-00000003'])
    expect(existsSync(join(job.folder, 'step-00000003', 'optimizer.safetensors'))).toBe(false)
  })

  it('a folder without lab.json is none: the run goes on from the one before', async () => {
    const job = aJob({ training: { steps: 4, checkpointEverySteps: 2 } })
    const expected = await train(aJob({ training: { steps: 4, checkpointEverySteps: 2 } }))
    await follow(job, { stopAfter: 2 })
    cpSync(join(job.folder, 'step-00000002'), join(job.folder, 'step-00000003'), { recursive: true })
    rmSync(join(job.folder, 'step-00000003', 'lab.json'))
    const steps = await train(job)
    expect(steps).toEqual(expected.slice(2))
  })

  const corruptions: Record<string, (folder: string) => void> = {
    'truncated weights': (folder) => truncateSync(join(folder, 'model.safetensors'), 1000),
    'empty weights': (folder) => truncateSync(join(folder, 'model.safetensors'), 0),
    'a header that lies about its length': (folder) => {
      const bytes = readFileSync(join(folder, 'model.safetensors'))
      bytes.writeBigUInt64LE(1n << 60n)
      writeFileSync(join(folder, 'model.safetensors'), bytes)
    },
    'truncated moments': (folder) => truncateSync(join(folder, 'optimizer.safetensors'), 1000),
    'lab.json that is not JSON': (folder) => writeFileSync(join(folder, 'lab.json'), '{"step": '),
    'lab.json with another format': (folder) => writeFileSync(join(folder, 'lab.json'), '{"formatVersion": 2}'),
    'a tokenizer that is not JSON': (folder) => writeFileSync(join(folder, 'tokenizer.json'), 'no'),
    'a weight that is missing': (folder) => {
      const file = join(folder, 'model.safetensors')
      writeFileSync(file, writeSafetensors({ 'language_model.model.norm.weight': { shape: [16], values: new Float32Array(16) } }))
    },
  }
  for (const [name, corrupt] of Object.entries(corruptions))
    it(`that are corrupt are refused with the file's name: ${name}`, async () => {
      const job = aJob({ training: { steps: 4, checkpointEverySteps: 2 } })
      await follow(job, { stopAfter: 2 })
      corrupt(join(job.folder, 'step-00000002'))
      const { fault } = await follow(job)
      expect(fault?.code).toBe('corrupt-artifact')
      expect(fault?.message).toMatch(/step-00000002|model\.embed_tokens|patch_embedding/)
    })
})

describe('the reference', () => {
  const references = () => readdirSync(join(tiny.project, 'cache', 'reference-log-probs'))
  const hasComputed = ({ events }: Awaited<ReturnType<typeof follow>>) =>
    events.some((event) => event.kind === 'part' && event.name === 'reference log-probabilities')

  it('is computed once for a start and its pairs, and again where the file is damaged', async () => {
    rmSync(join(tiny.project, 'cache'), { recursive: true, force: true })
    const dpo = { objective: { kind: 'dpo' } }
    const first = await follow(aJob({ training: dpo }))
    expect(hasComputed(first)).toBe(true)
    expect(references().length).toBe(1)
    const again = await follow(aJob({ training: dpo }))
    expect(hasComputed(again)).toBe(false)
    expect(stepsOf(again.events)).toEqual(stepsOf(first.events))

    const file = join(tiny.project, 'cache', 'reference-log-probs', references()[0]!)
    const good = readFileSync(file, 'utf8')
    const damages = [
      '',
      '{',
      '[]',
      good.replace(/:\[[-\d.]+/, ':["x"'),
      good.replace(/"[0-9a-f]{64}"/, '"other"'),
      good.replace(/,[-\d.]+\]/, ']'),
    ]
    for (const damaged of damages) {
      expect(damaged).not.toBe(good)
      writeFileSync(file, damaged)
      const repaired = await follow(aJob({ training: dpo }))
      expect(hasComputed(repaired), damaged.slice(0, 40)).toBe(true)
      expect(stepsOf(repaired.events)).toEqual(stepsOf(first.events))
      expect(readFileSync(file, 'utf8')).toBe(good)
    }
  })

  it('is that of the start and not of a stopped run: continuing computes nothing', async () => {
    const job = aJob({ training: { objective: { kind: 'dpo' } } })
    await follow(job, { stopAfter: 2 })
    expect(hasComputed(await follow(job))).toBe(false)
  })

  it('of another model is another', async () => {
    const before = references().length
    await train(
      aJob({
        start: { kind: 'checkpoint', folder: await tiny.checkpoint(2, SMALL_SPEC) },
        training: { steps: 1, objective: { kind: 'dpo' } },
      }),
    )
    expect(references().length).toBe(before + 1)
  })

  it('that is cancelled half way leaves no file', async () => {
    const before = references().length
    const job = aJob({
      start: { kind: 'checkpoint', folder: await tiny.checkpoint(3, SMALL_SPEC) },
      training: { objective: { kind: 'dpo' } },
    })
    const signal = { aborted: false }
    const events: string[] = []
    await expect(
      (async () => {
        for await (const { kind } of runTrainJob(job, signal)) {
          events.push(kind)
          signal.aborted = kind === 'progress'
        }
      })(),
    ).rejects.toMatchObject({ code: 'cancelled' })
    expect(events.filter((kind) => kind === 'progress').length).toBe(1)
    expect(references().length).toBe(before)
  })
})

describe('what cannot be trained on is refused with what is wrong and what to do:', () => {
  const faultOfJob = async (fields: Partial<TrainJobFields>) => {
    const { fault, events } = await follow(aJob(fields))
    expect(fault, 'the job finished').not.toBeNull()
    return { code: fault!.code, message: fault!.message, steps: stepsOf(events).length }
  }
  const pairs = () => readSamples(tiny, tiny.snapshots.preferences).filter(({ split }) => split === 'train')
  const withImagePath = (path: string) =>
    writeSnapshot(
      tiny,
      pairs().map((sample) => ({ ...sample, image: { ...sample.image!, path, sha256: 'f'.repeat(64) } })),
    )

  it('an image that is not there', async () => {
    const { code, message } = await faultOfJob({ snapshot: withImagePath('images/gone.png') })
    expect([code, /gone\.png.*(restore|import)/.test(message)]).toEqual(['not-found', true])
  })

  it('an image that is cut off', async () => {
    const whole = readFileSync(join(tiny.project, pairs()[0]!.image!.path))
    writeFileSync(join(tiny.project, 'images', 'cut.png'), whole.subarray(0, whole.length / 2))
    const { code, message } = await faultOfJob({ snapshot: withImagePath('images/cut.png') })
    expect([code, /cut\.png/.test(message)]).toEqual(['invalid-input', true])
  })

  it('an empty dataset, and one with nothing to train on', async () => {
    expect(await faultOfJob({ snapshot: writeSnapshot(tiny, []) })).toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining('import'),
    })
    const held = pairs().map((sample) => ({ ...sample, split: 'test' as const }))
    expect(await faultOfJob({ snapshot: writeSnapshot(tiny, held) })).toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining('"train"'),
    })
  })

  it('a dataset whose every sample is too long', async () => {
    expect(await faultOfJob({ training: { maxLength: 8 } })).toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining('maxLength'),
    })
  })

  it('a snapshot that is missing or was changed', async () => {
    expect(await faultOfJob({ snapshot: '0'.repeat(64) })).toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('import'),
    })
    const name = writeSnapshot(tiny, pairs().slice(0, 2))
    writeFileSync(join(tiny.project, 'snapshots', `${name}.jsonl`), JSON.stringify(pairs()[0]))
    expect((await faultOfJob({ snapshot: name })).code).toBe('corrupt-artifact')
  })

  it('no module to train', async () => {
    const modules = Object.fromEntries(
      ['visionEncoder', 'projector', 'languageModel'].map((module) => [module, { train: false }]),
    )
    expect(await faultOfJob({ training: { modules } })).toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining('frozen'),
    })
  })

  it('objects for any objective, and anything but pairs for DPO', async () => {
    expect(await faultOfJob({ snapshot: tiny.snapshots.objects })).toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining('objects'),
    })
    for (const snapshot of [tiny.snapshots.questions, tiny.snapshots.captions])
      expect(await faultOfJob({ snapshot, training: { objective: { kind: 'dpo' } } })).toMatchObject({
        code: 'invalid-input',
        message: expect.stringContaining('preference'),
      })
  })

  it('a start that does not exist', async () => {
    expect(await faultOfJob({ start: { kind: 'checkpoint', folder: join(tiny.project, 'nowhere') } })).toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('lab.json'),
    })
  })

  for (const kind of KINDS)
    it(`weights that are not numbers, by ${kind}: at step 1, with nothing written`, async () => {
      const folder = join(tiny.project, `spoiled-${kind}`)
      cpSync((start as { folder: string }).folder, folder, { recursive: true })
      const file = join(folder, 'model.safetensors')
      const tensors = plainArrays(readTensors(file))
      tensors['multi_modal_projector.linear_1.weight']!.values.fill(Number.NaN)
      writeFileSync(file, writeSafetensors(tensors))
      const job = aJob({ start: { kind: 'checkpoint', folder }, training: { objective: { kind } } })
      const { fault, events } = await follow(job)
      expect(fault?.code).toBe('loss-not-finite')
      expect(fault?.details).toMatchObject({ step: 1 })
      expect(fault?.message).toContain('learningRate')
      expect(stepsOf(events)).toEqual([])
      expect(await newestCheckpoint(job.folder)).toBeNull()
    })

  it('a rate at which the loss explodes: the last good step is kept, and its weights are numbers', async () => {
    const job = aJob({
      training: {
        steps: 60,
        learningRate: 1,
        maxGradientNorm: 1e30,
        adamBeta1: 0,
        adamBeta2: 0,
        adamEpsilon: 1e-30,
        weightDecay: 1,
      },
    })
    const { fault, events } = await follow(job)
    const taken = stepsOf(events).length
    expect(taken).toBeGreaterThan(0)
    expect([fault?.code, fault?.details['step']]).toEqual(['loss-not-finite', taken + 1])
    const kept = (await newestCheckpoint(job.folder))!
    expect((await readCheckpoint(kept)).checkpoint.step).toBe(taken)
    for (const { values } of Object.values(readTensors(join(kept, 'model.safetensors'))))
      expect(values.every(Number.isFinite)).toBe(true)
  })
})
