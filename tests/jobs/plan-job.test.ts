// The dry run: it says what the training then does, proposes what fits, and leaves nothing behind.

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LabError } from '../../src-main/domain/errors.ts'
import { jobSchema, type PlanJob } from '../../src-main/domain/job.ts'
import type { Start } from '../../src-main/domain/run-config.ts'
import { predictionError, trainingPlanSchema, type TrainingPlan } from '../../src-main/domain/training-plan.ts'
import { initialWeights } from '../../src-main/engine/weights/initial.ts'
import { memoryOf, peakBytes, residentBytes, resetPeak, type Oracle } from '../../src-main/jobs/memory-oracle.ts'
import { runPlanJob } from '../../src-main/jobs/plan-job.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { tinyProject, type TinyProject } from './evaluate/tiny-project.ts'
import { aTrainJob, follow, openEngineWithOwnCache, SMALL_SPEC } from './tiny-training.ts'

let tiny: TinyProject
let start: Start
const root = mkdtempSync(join(tmpdir(), 'pivot-lab-plan-'))
beforeAll(async () => {
  await openEngineWithOwnCache()
  tiny = tinyProject(root)
  start = { kind: 'checkpoint', folder: await tiny.checkpoint(1, SMALL_SPEC) }
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const jobOf = (training: object, budget: number | null = null): PlanJob =>
  jobSchema.parse({ kind: 'plan', project: tiny.project, execution: 'eager', budget, config: aTrainJob(tiny, { folder: 'none', start, training: { ...training } }).config }) as PlanJob
async function plan(training: object, budget: number | null = null): Promise<TrainingPlan> {
  for await (const event of runPlanJob(jobOf(training, budget))) if (event.kind === 'plan') return trainingPlanSchema.parse(event.plan)
  throw new Error('no plan')
}

describe('a dry run', () => {
  it('counts what the training says that it trains, and leaves neither tensor nor file', async () => {
    const modules = { visionEncoder: { train: false }, projector: { learningRate: 0.5 }, languageModel: { lora: { rank: 2 } } }
    const before = [tf.memory().numTensors, readdirSync(tiny.project).length]
    const found = await plan({ modules })
    expect([tf.memory().numTensors, readdirSync(tiny.project).length]).toEqual(before)
    expect(existsSync(join(tiny.project, 'none'))).toBe(false)
    expect(found.modules.map(({ module, state, learningRate }) => [module, state, learningRate])).toEqual([
      ['visionEncoder', 'frozen', null],
      ['projector', 'trained', 0.5],
      ['languageModel', 'LoRA', 3e-3],
    ])
    const [, projector, language] = found.modules
    expect(projector!.trained).toBe(projector!.parameters)
    // One block of width 16: q and o 16 × 16, k and v 8 × 16, gate, up and down 16 × 32; a factor has rank 2.
    expect(language!.trained).toBe(2 * (2 * 32 + 2 * 24 + 3 * 48))
    const { events } = await follow(aTrainJob(tiny, { folder: 'runs/counted', start, training: { modules, steps: 1 } }))
    expect(events[0]).toMatchObject({ message: expect.stringContaining(`languageModel ${language!.parameters.toLocaleString('en')} LoRA (${language!.trained})`) })
  })

  it('sorts every sample into a shape that is then trained', async () => {
    const found = await plan({})
    expect(found.buckets.reduce((sum, { samples }) => sum + samples, 0)).toBe(found.samples - found.tooLong)
    expect(found.paddingShare).toBeGreaterThanOrEqual(0)
    expect(found.paddingShare).toBeLessThan(0.5)
  })

  it('proposes nothing where it fits, the same effective batch where it does not, and nothing where nothing helps', async () => {
    const roomy = await plan({ batchSize: 512 })
    expect(roomy.memory!.peak).toBeGreaterThan(roomy.memory!.base)
    const { base, images, weights, moments, batch, working, overhead, peak } = roomy.memory!
    expect(base + images + weights + moments + batch + working + overhead).toBe(peak)
    expect((await plan({ batchSize: 512 }, 10 * peak)).proposal).toBeNull()
    const tight = await plan({ batchSize: 512 }, peak - working / 2)
    const { batchSize, gradientAccumulation } = tight.proposal!.settings as { batchSize: number; gradientAccumulation: number }
    expect(batchSize * gradientAccumulation).toBe(512)
    expect(batchSize).toBeLessThan(512)
    expect(tight.proposal!.peak).toBeLessThanOrEqual(peak - working / 2)
    expect((await plan({ batchSize: 512 }, base / 2)).proposal).toBeNull()
  })

  it('gives as reason for no prediction what the lab itself says, and lets a fault of the program surface', () => {
    const { training } = jobOf({}).config
    const oracle: Oracle = { spec: SMALL_SPEC, shapes: initialWeights(SMALL_SPEC, 0), batch: { P: 16, patchWidth: 48, I: 16, T: 32, A: 4 }, execution: 'eager', base: residentBytes(), images: 0 }
    expect(memoryOf(oracle, training)).toMatchObject({ memory: { base: oracle.base }, unpredicted: null })
    const { projector: _, ...without } = oracle.shapes
    expect(() => memoryOf({ ...oracle, shapes: without as unknown as Oracle['shapes'] }, training)).toThrow(TypeError)
    const throwing = (thrown: Error) => ({ ...oracle, get shapes(): never { throw thrown } })
    expect(memoryOf(throwing(new LabError('internal', 'the kernel is not known')), training)).toEqual({ memory: null, unpredicted: 'the kernel is not known' })
  })

  it('refuses what the training would refuse', async () => {
    const frozen = { train: false }
    const fault = await faultOfPromise(plan({ modules: { visionEncoder: frozen, projector: frozen, languageModel: frozen } }))
    expect([fault.code, fault.message]).toEqual(['invalid-input', 'modules: expected at least one module to train, found all frozen'])
  })
})

describe('a training', () => {
  it('ends by saying the peak of its process and what had been predicted', async () => {
    const { events } = await follow(aTrainJob(tiny, { folder: 'runs/measured', start, training: { steps: 2 } }))
    const memory = events.find((event) => event.kind === 'memory')!
    expect(memory).toMatchObject({ step: 2, predicted: expect.any(Number) })
    expect(Math.abs(predictionError(memory.predicted!, memory.peak))).toBeLessThan(1)
  })

  it('measures a peak of its own: what an earlier job took is not counted', () => {
    let taken: Uint8Array | null = new Uint8Array(300e6).fill(1)
    const high = peakBytes()
    expect(high).toBeGreaterThan(taken.length)
    taken = null
    resetPeak()
    expect(peakBytes()).toBeLessThanOrEqual(high)
  })
})
