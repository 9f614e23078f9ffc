// Every setting of a training: refused by name outside its range, and one that is changed changes something. The settings
// are walked off the schema, so that a new one without a case fails here.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from '../../src-main/domain/parse.ts'
import { objectiveSchema } from '../../src-main/domain/objective-config.ts'
import { runConfigSchema, startSchema, trainingSchema } from '../../src-main/domain/run-config.ts'
import type { Start } from '../../src-main/domain/run-config.ts'
import { tinyProject, type TinyProject } from '../jobs/evaluate/tiny-project.ts'
import { aTrainJob, follow, openEngineWithOwnCache, SMALL_SPEC, weightsOf } from '../jobs/tiny-training.ts'
import { faultOf } from '../support/fault-of.ts'

type Json = Readonly<Record<string, unknown>>
const MODULE_NAMES = ['visionEncoder', 'projector', 'languageModel'] as const

/** A run in which everything is at work: decay, clipping, warm-up, accumulation, both buckets. */
const BASE: Json = {
  objective: { kind: 'dpo', beta: 0.1, labelSmoothing: 0 },
  learningRate: 3e-3,
  steps: 3,
  batchSize: 2,
  gradientAccumulation: 1,
  schedule: 'cosine',
  warmupRatio: 0,
  weightDecay: 0.05,
  adamBeta1: 0.9,
  adamBeta2: 0.99,
  adamEpsilon: 1e-6,
  maxGradientNorm: 1,
  maxLength: 512,
  seed: 0,
  checkpointEverySteps: 10,
}

/** Another value of each setting. */
const CHANGES: Readonly<Record<string, Json>> = {
  'objective.kind': { objective: { kind: 'sft' } },
  'objective.beta': { objective: { kind: 'dpo', beta: 0.4 } },
  learningRate: { learningRate: 1e-3 },
  steps: { steps: 2 },
  batchSize: { batchSize: 3 },
  gradientAccumulation: { gradientAccumulation: 2 },
  schedule: { schedule: 'constant' },
  warmupRatio: { warmupRatio: 0.5 },
  weightDecay: { weightDecay: 0.5 },
  adamBeta1: { adamBeta1: 0.5 },
  adamBeta2: { adamBeta2: 0.5 },
  adamEpsilon: { adamEpsilon: 0.1 },
  maxGradientNorm: { maxGradientNorm: 0.01 },
  maxLength: { maxLength: 64 },
  seed: { seed: 1 },
  checkpointEverySteps: { checkpointEverySteps: 2 },
  ...Object.fromEntries(
    MODULE_NAMES.flatMap((module): [string, Json][] => [
      [`modules.${module}.train`, { modules: { [module]: { train: false } } }],
      [`modules.${module}.learningRate`, { modules: { [module]: { learningRate: 1e-4 } } }],
      [`modules.${module}.gradientCheckpointing`, { modules: { [module]: { gradientCheckpointing: true } } }],
      [`modules.${module}.lora`, { modules: { [module]: { lora: { rank: 2 } } } }],
    ]),
  ),
  'modules.visionEncoder.firstBlock': { modules: { visionEncoder: { firstBlock: 0 } } },
  'modules.visionEncoder.lastBlock': { modules: { visionEncoder: { lastBlock: 0 } } },
  'modules.languageModel.firstBlock': { modules: { languageModel: { firstBlock: 0 } } },
  'modules.languageModel.lastBlock': { modules: { languageModel: { lastBlock: 0 } } },
}

const flat = (value: object, path = ''): string[] =>
  Object.entries(value).flatMap(([key, each]) =>
    typeof each === 'object' && each !== null ? flat(each as object, `${path}${key}.`) : [path + key],
  )

describe('every setting that is changed changes something', () => {
  let tiny: TinyProject
  let start: Start
  let base: Awaited<ReturnType<typeof runWith>>
  const root = mkdtempSync(join(tmpdir(), 'pivot-lab-settings-'))
  beforeAll(async () => {
    await openEngineWithOwnCache()
    tiny = tinyProject(root, { train: 9, validation: 1, test: 1 })
    start = { kind: 'checkpoint', folder: await tiny.checkpoint(1, SMALL_SPEC) }
    base = await runWith({}, 'base')
  })
  afterAll(() => rmSync(root, { recursive: true, force: true }))

  /** What the run said, what it left, and how many kernels it ran. */
  async function runWith(change: Json, folder: string) {
    const job = aTrainJob(tiny, { folder: `runs/${folder}`, start, training: { ...BASE, ...change } })
    const engine = tf.engine()
    const runKernel = engine.runKernel.bind(engine)
    let kernels = 0
    engine.runKernel = ((...args: Parameters<typeof runKernel>) => {
      kernels++
      return runKernel(...args)
    }) as typeof engine.runKernel
    try {
      const { events, fault } = await follow(job)
      if (fault !== null) throw fault
      const said = events.filter(({ kind }) => kind !== 'memory').map((event) => (event.kind === 'checkpoint' ? { kind: 'checkpoint', step: event.step } : event))
      return { said, weights: await weightsOf(job), kernels }
    } finally {
      engine.runKernel = runKernel
    }
  }

  it('the cases are the settings that there are; the objectives’ own have theirs beside the objectives, precision beside what compiles', () => {
    const settings = flat(trainingSchema.parse(BASE)).filter((setting) => !/^(precision$|objective\.(?!kind$|beta$))/.test(setting))
    expect(Object.keys(CHANGES).sort()).toEqual(settings.sort())
  })

  it('the same settings change nothing', async () => {
    // The reference was computed by the first run; the kernels of this one are the steps' alone.
    const again = await runWith({}, 'again')
    const steps = (of: typeof again) => of.said.filter(({ kind }) => kind === 'step')
    expect([steps(again), again.weights]).toEqual([steps(base), base.weights])
    base = again
  })

  for (const [setting, change] of Object.entries(CHANGES))
    if (setting.endsWith('gradientCheckpointing'))
      it(`${setting}: the same numbers from more work; of the projector, which has no blocks, nothing at all`, async () => {
        const { said, weights, kernels } = await runWith(change, setting)
        expect([said, weights]).toEqual([base.said, base.weights])
        if (setting.includes('projector')) expect(kernels).toBe(base.kernels)
        else expect(kernels).toBeGreaterThan(base.kernels)
      })
    else
      it(setting, async () => {
        const { said, weights } = await runWith(change, setting)
        // Checkpoints on the way leave the end as it is; every other setting changes what is learned.
        if (setting === 'checkpointEverySteps') {
          expect(said).not.toEqual(base.said)
          expect(weights).toBe(base.weights)
        } else expect(weights).not.toBe(base.weights)
      })
})

describe('a setting outside its range', () => {
  const refused: readonly (readonly [string, unknown, string])[] = [
    ['learningRate', -1, '0'],
    ['learningRate', 2, '1'],
    ['learningRate', Number.NaN, 'number'],
    ['steps', 0, '1'],
    ['steps', 1.5, 'int'],
    ['batchSize', 0, '1'],
    ['batchSize', '8', 'number'],
    ['gradientAccumulation', 0, '1'],
    ['schedule', 'polynomial', '"cosine"|"linear"|"constant"'],
    ['warmupRatio', 1.1, '1'],
    ['weightDecay', -0.1, '0'],
    ['adamBeta1', 1, '0.9999'],
    ['adamBeta2', 1, '0.99999'],
    ['adamEpsilon', 0, '0'],
    ['maxGradientNorm', 0, '0'],
    ['maxLength', 7, '8'],
    ['seed', -1, '0'],
    ['checkpointEverySteps', 0, '1'],
  ]
  for (const [setting, value, word] of refused)
    it(`${setting} = ${String(value)} is refused by name, with the range`, () => {
      const fault = faultOf(() => parse(trainingSchema, { [setting]: value }))
      expect([fault.code, fault.details['path']]).toEqual(['invalid-input', [setting]])
      expect(fault.message).toContain(setting)
      expect(fault.message).toContain(word)
    })

  it('of the objective is named by its path, and an unknown objective lists the known', () => {
    expect(faultOf(() => parse(trainingSchema, { objective: { kind: 'dpo', beta: 0 } })).details['path']).toEqual([
      'objective',
      'beta',
    ])
    expect(faultOf(() => parse(trainingSchema, { objective: { kind: 'dpo', labelSmoothing: 0.5 } })).details['path']).toEqual([
      'objective',
      'labelSmoothing',
    ])
    expect(faultOf(() => parse(trainingSchema, { objective: { kind: 'sft', beta: 0.1 } })).message).toContain('beta')
    expect(faultOf(() => parse(objectiveSchema, { kind: 'ppo' })).message).toContain('kind')
  })

  it('of an objective that nothing would read is refused, with those that would', () => {
    const fault = (objective: Json) => {
      const { details, message } = faultOf(() => parse(objectiveSchema, objective))
      return [details['path'], message] as const
    }
    for (const objective of [
      { kind: 'dpo', lossType: 'hinge', labelSmoothing: 0.1 },
      { kind: 'mpo', lossType: ['ipo', 'sft'], lossWeights: [1, 1], labelSmoothing: 0.1 },
      { kind: 'cpo', lossType: 'ipo', labelSmoothing: 0.1 },
    ])
      expect(fault(objective)).toEqual([['labelSmoothing'], expect.stringContaining('sigmoid')])
    expect(fault({ kind: 'dpo', lossType: 'bco_pair', fDivergenceType: 'js_divergence' })).toEqual([['fDivergenceType'], expect.stringContaining('sigmoid_norm')])
    expect(fault({ kind: 'dpo', lossType: 'exo_pair' })).toEqual([['labelSmoothing'], expect.stringContaining('above 0')])
  })

  it('of a mix: every loss once, with one weight each, not all of them 0', () => {
    const pathOf = (lossType: string[], lossWeights: number[]) =>
      faultOf(() => parse(objectiveSchema, { kind: 'mpo', lossType, lossWeights })).details['path']
    expect(pathOf(['sigmoid', 'sft'], [1])).toEqual(['lossWeights'])
    expect(pathOf(['sigmoid', 'sigmoid'], [1, 1])).toEqual(['lossType'])
    expect(pathOf(['sigmoid', 'sft'], [0, 0])).toEqual(['lossWeights'])
    expect(pathOf(['sigmoid', 'ppo'], [1, 1])).toEqual(['lossType', '1'])
    expect(pathOf([], [])).toEqual(['lossType'])
  })

  it('of a run that was written before a setting existed gets its default', () => {
    expect(parse(objectiveSchema, { kind: 'dpo', beta: 0.2, labelSmoothing: 0.1 })).toMatchObject({ lossType: 'sigmoid', rpoAlpha: 0, ldAlpha: 1 })
  })

  it('that does not exist is refused, in a module too', () => {
    expect(faultOf(() => parse(trainingSchema, { learning_rate: 1 })).message).toContain('learning_rate')
    expect(faultOf(() => parse(trainingSchema, { modules: { projector: { freeze: true } } })).message).toContain('freeze')
    expect(faultOf(() => parse(trainingSchema, { modules: { textEncoder: {} } })).message).toContain('textEncoder')
  })
})

describe('a run configuration', () => {
  const fields = { snapshot: 'a', start: { kind: 'checkpoint', folder: '/c' } }

  it('has every default filled in, and is frozen', () => {
    const config = parse(runConfigSchema, fields)
    expect(config.training).toEqual(parse(trainingSchema, {}))
    expect(config.training.objective).toEqual({ kind: 'sft' })
    expect(Object.isFrozen(config)).toBe(true)
    expect(parse(runConfigSchema, structuredClone(config))).toEqual(config)
  })

  it('must say what it starts from and on what', () => {
    expect(faultOf(() => parse(runConfigSchema, { start: fields.start })).details['path']).toEqual(['snapshot'])
    expect(faultOf(() => parse(runConfigSchema, { snapshot: 'a' })).details['path']).toEqual(['start'])
    expect(
      faultOf(() => parse(startSchema, { kind: 'transplant', folder: '/c', seed: 0, projectorLayers: 3 })).details['path'],
    ).toEqual(['projectorLayers'])
    expect(faultOf(() => parse(startSchema, { kind: 'scratch', tokenizerFolder: '/t' })).details['path']).toEqual(['seed'])
  })
})
