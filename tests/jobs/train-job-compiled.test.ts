// Training jobs whose steps are compiled: stopped and continued bit for bit as well, and never run by the program of other
// settings. Samples of one length, so that each configuration is one program.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { TrainJob } from '../../src-main/domain/job.ts'
import type { Start } from '../../src-main/domain/run-config.ts'
import { nativeBackend } from '../../src-main/engine/compile/native-backend.ts'
import { newestCheckpoint, readCheckpoint } from '../../src-main/jobs/checkpoint.ts'
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

// Compiling is the processor's work: beside other work it takes several times as long.
vi.setConfig({ testTimeout: 240_000 })

let tiny: TinyProject
let start: Start
let snapshot: string
let folders = 0
const root = mkdtempSync(join(tmpdir(), 'pivot-lab-compiled-'))
beforeAll(async () => {
  await openEngineWithOwnCache()
  tiny = tinyProject(root)
  start = { kind: 'checkpoint', folder: await tiny.checkpoint(1, SMALL_SPEC) }
  const isShort = (prompt: string) => prompt === 'What colour is it?'
  snapshot = writeSnapshot(
    tiny,
    readSamples(tiny, tiny.snapshots.preferences).filter(
      ({ content }) => content.kind === 'preferences' && isShort(content.prompt),
    ),
  )
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const aJob = (fields: Partial<TrainJobFields> = {}): TrainJob =>
  aTrainJob(tiny, { folder: `runs/${++folders}`, start, snapshot, execution: 'graph', ...fields })

describe('compiled runs that are stopped and continued equal those that never were, bit for bit:', () => {
  const adapters = { lora: { rank: 2 } }
  const settings: Readonly<Record<string, object>> = {
    sft: { objective: { kind: 'sft' } },
    dpo: { objective: { kind: 'dpo' } },
    'grpo, which draws its answers by a graph too': { objective: { kind: 'grpo', numGenerations: 2, maxCompletionLength: 4 } },
    'dpo of adapters': { objective: { kind: 'dpo' }, modules: { visionEncoder: adapters, languageModel: adapters } },
  }
  for (const [name, own] of Object.entries(settings))
    it(name, async () => {
      const training = { ...RESUMED, ...own }
      const whole = aJob({ training })
      const expected = await train(whole)
      const parts = aJob({ training })
      const first = await follow(parts, { stopAfter: 3 })
      expect(first.fault?.code).toBe('cancelled')
      const rest = await follow(parts)
      expect(rest.fault).toBeNull()
      expect([...stepsOf(first.events), ...stepsOf(rest.events)]).toEqual(expected)
      expect(await weightsOf(parts)).toBe(await weightsOf(whole))
      const { checkpoint } = await readCheckpoint((await newestCheckpoint(parts.folder))!)
      expect(checkpoint.execution).toBe('graph')
    })
})

it('leaves neither tensors nor sessions behind: the next job of this process has the memory', async () => {
  const sessions = nativeBackend().getNumOfSavedModels()
  const before = tf.memory().numTensors
  for (const kind of ['sft', 'dpo', 'grpo']) {
    await train(aJob({ training: { steps: 2, objective: kind === 'grpo' ? { kind, numGenerations: 2, maxCompletionLength: 4 } : { kind } } }))
    expect([nativeBackend().getNumOfSavedModels(), tf.memory().numTensors], kind).toEqual([sessions, before])
  }
})

describe('a compiled step', () => {
  it('gives the eager losses, and no setting is taken from the program of another', async () => {
    const settings: Record<string, Record<string, unknown>> = {
      plain: {},
      weightDecay: { weightDecay: 0.9 },
      adamBeta1: { adamBeta1: 0.5 },
      adamBeta2: { adamBeta2: 0.5 },
      adamEpsilon: { adamEpsilon: 0.01 },
      maxGradientNorm: { maxGradientNorm: 0.01 },
      learningRate: { learningRate: 1e-2 },
      beta: { objective: { kind: 'dpo', beta: 0.5 } },
      labelSmoothing: { objective: { kind: 'dpo', labelSmoothing: 0.3 } },
      frozen: { modules: { languageModel: { train: false } } },
      adapted: { modules: { languageModel: { lora: { rank: 2 } } } },
      'adapted more': { modules: { languageModel: { lora: { rank: 2, alpha: 64 } } } },
      slow: { modules: { languageModel: { learningRate: 1e-4 } } },
    }
    const losses = new Map<string, number>()
    for (const [name, training] of Object.entries(settings)) {
      const own = { steps: 3, objective: { kind: 'dpo' }, ...training }
      const [eager, graph] = [await train(aJob({ training: own, execution: 'eager' })), await train(aJob({ training: own }))]
      graph.forEach((step, i) => expect(step['loss']! / eager[i]!['loss']!, `${name}, step ${i + 1}`).toBeCloseTo(1, 4))
      losses.set(name, graph.at(-1)!['loss']!)
    }
    for (const [name, loss] of losses) if (name !== 'plain') expect(loss, name).not.toBe(losses.get('plain'))
  })
})
