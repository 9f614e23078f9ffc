// Laws of measuring while training goes on: the training's bits are the same with and without it, in every execution mode; numbers are
// logged at the checkpoints asked for, and are those that an evaluation of the same checkpoint gives.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { expect, it } from 'vitest'
import type { TrainJob } from '../../src-main/domain/job.ts'
import { probeSettingsSchema } from '../../src-main/domain/probe.ts'
import { newestCheckpoint } from '../../src-main/jobs/checkpoint.ts'
import { runEvaluateJob } from '../../src-main/jobs/evaluate-job.ts'
import { sha256 } from '../../src-main/jobs/files.ts'
import { runProbeJob } from '../../src-main/jobs/probe/probe-job.ts'
import { follow, pairTraining } from './tiny-training.ts'

const training = pairTraining({ training: { steps: 5, checkpointEverySteps: 2 } })

function watching(job: TrainJob, fields: Partial<NonNullable<TrainJob['watch']>> = {}): TrainJob {
  const { settings, snapshots } = training.tiny.evaluateJob({ checkpoint: '' })
  return { ...job, watch: { everyCheckpoints: 1, evaluators: ['questions', 'alignment'], settings, snapshots, probes: null, ...fields } }
}
const PROBES = ['linear', 'prototype', 'knn', 'segmentation'] as const
function probing(job: TrainJob): TrainJob {
  const settings = probeSettingsSchema.parse({ probes: PROBES, lambdas: [0.1, 1], neighbours: [1, 3], segmentation: { hiddenSize: 8, epochs: 1 }, batchSize: 8 })
  return watching(job, { evaluators: ['questions'], probes: { snapshot: training.tiny.snapshots.objects, settings } })
}
const weightsOf = async (job: TrainJob) => sha256(readFileSync(join((await newestCheckpoint(job.folder))!, 'model.safetensors')))
const loggedBy = (events: Awaited<ReturnType<typeof follow>>['events']) => events.flatMap((event) => (event.kind === 'step' ? [event] : []))

it.each(['eager', 'graph'] as const)('%s: with evaluators, with probes and without either, every loss and the weights are the same, bit for bit', async (execution) => {
  const plain = training.aJob({ execution })
  const without = await follow(plain)
  const losses = (events: typeof without.events) => loggedBy(events).flatMap(({ step, metrics }) => ('loss' in metrics ? [[step, metrics['loss']]] : []))
  for (const watched of [watching(training.aJob({ execution })), probing(training.aJob({ execution }))]) {
    const withIt = await follow(watched)
    expect(withIt.fault).toBe(null)
    expect(losses(withIt.events)).toEqual(losses(without.events))
    expect(await weightsOf(watched)).toBe(await weightsOf(plain))
  }
})

it('probes on a dataset log what the probe job gives for the same checkpoint, keep no features of passing checkpoints, and no tensor stays', async () => {
  const before = tf.memory().numTensors
  const job = probing(training.aJob())
  const { events, fault } = await follow(job)
  expect([fault, tf.memory().numTensors]).toEqual([null, before])
  const measured = loggedBy(events).filter(({ metrics }) => 'probe/linear' in metrics)
  expect(measured.map(({ step }) => step)).toEqual([2, 4, 5])
  const expected: Record<string, number> = {}
  const { snapshot, settings } = job.watch!.probes!
  for await (const event of runProbeJob({ kind: 'probe', project: job.project, checkpoint: (await newestCheckpoint(job.folder))!, snapshot, settings }, { aborted: false }, { keepsFeatures: false }))
    if (event.kind === 'result') expected[event.metric] = event.value
  const { 'vqa/all': answered, ...probed } = Object.fromEntries(Object.entries(measured.at(-1)!.metrics).filter(([name]) => !name.startsWith('vqa/') || name === 'vqa/all'))
  expect(answered).toBeTypeOf('number')
  expect(probed).toEqual(expected)
  expect(Object.keys(expected)).toEqual(expect.arrayContaining(['probe/linear', 'probe/prototype', 'probe/knn', 'segmentation/macro-recall']))
  expect(existsSync(join(job.project, 'cache', 'pooled-features'))).toBe(false)
})

it('numbers come at the checkpoints asked for and at the end, as an evaluation of the last checkpoint gives them; no tensor stays', async () => {
  const before = tf.memory().numTensors
  const job = watching(training.aJob())
  const { events, fault } = await follow(job)
  expect([fault, tf.memory().numTensors]).toEqual([null, before])
  const measured = loggedBy(events).filter(({ metrics }) => 'vqa/all' in metrics)
  expect(measured.map(({ step }) => step)).toEqual([2, 4, 5])
  const expected: Record<string, number> = {}
  const { settings, snapshots } = job.watch!
  for await (const event of runEvaluateJob({ kind: 'evaluate', project: job.project, checkpoint: (await newestCheckpoint(job.folder))!, baseline: null, evaluators: ['questions', 'alignment'], settings, snapshots }, { aborted: false }))
    if (event.kind === 'result') expected[event.metric] = event.value
  expect(measured.at(-1)!.metrics).toEqual(expected)
  const { events: sparse } = await follow(watching(training.aJob(), { everyCheckpoints: 2, evaluators: ['questions'] }))
  expect(loggedBy(sparse).filter(({ metrics }) => 'vqa/all' in metrics).map(({ step }) => step)).toEqual([4, 5])
})

it('a stop while measuring leaves the checkpoint that was measured, from which the run goes on', async () => {
  const job = watching(training.aJob())
  const { fault } = await follow(job, { stopAfter: 2 })
  expect(fault).toMatchObject({ code: 'cancelled' })
  expect((await newestCheckpoint(job.folder))!).toMatch(/step-0*2$/)
  const { events } = await follow(job)
  expect(loggedBy(events).filter(({ metrics }) => 'loss' in metrics).map(({ step }) => step)).toEqual([3, 4, 5])
})

it('a measurement that cannot be made is told, and the training goes on', async () => {
  const job = watching(training.aJob(), { evaluators: ['alignment'], snapshots: { questions: null, preferences: null, objects: null, captions: null } })
  const { events, fault } = await follow(job)
  expect(fault).toBe(null)
  expect(events.flatMap((event) => (event.kind === 'log' && event.level === 'warning' && event.message.startsWith('measuring at step') ? [event.message] : []))).toHaveLength(3)
})
