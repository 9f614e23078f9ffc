// A run from its request to its end, whichever end that is.

import { rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { LabError } from '../../src-main/domain/errors.ts'
import { runRequestSchema } from '../../src-main/domain/run-view.ts'
import { aLab, aLabWithData } from '../support/a-lab.ts'
import { faultOf, faultOfPromise } from '../support/fault-of.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const request = (overrides: object = {}) =>
  runRequestSchema.parse({
    name: 'mine',
    dataset: 'preferences',
    training: { steps: 5, objective: { kind: 'dpo' } },
    ...overrides,
  })

describe('a run ends', () => {
  it('finished, with every step, its checkpoints and what it ran on in rows', async () => {
    const { lab, runner } = await aLabWithData(temporaryFolder())
    const { runId } = await lab.runs.start(request())
    expect(await lab.runs.ended(runId)).toMatchObject({ status: 'finished', step: 5, steps: 5, engine: 'a fake', failure: null })
    const view = lab.runs.get(runId)
    expect(view.checkpoints.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5])
    expect(view.metrics).toEqual(['loss', 'grad_norm'])
    expect(view.versions).toEqual({ fake: '1', steps: 'compiled as a TensorFlow graph, float32' })
    expect(lab.runs.series(runId, ['loss'], 100)[0]!.points).toEqual([1, 2, 3, 4, 5].map((step) => [step, 1 / step]))
    // A model from random weights gets its tokenizer first, from the run's own data.
    expect(runner.jobs.map(({ kind }) => kind)).toEqual(['tokenizer', 'train'])
    await lab.close()
  })

  it('failed, with the code of its own fault, its rows kept, and can be resumed', async () => {
    const { lab, runner } = await aLabWithData(temporaryFolder())
    runner.beforeEvent = (_, event) => {
      if (event.kind === 'step' && event.step === 3) throw new LabError('loss-not-finite', 'the loss is NaN', { step: 3 })
    }
    const { runId } = await lab.runs.start(request())
    expect(await lab.runs.ended(runId)).toMatchObject({
      status: 'failed',
      step: 2,
      failure: { code: 'loss-not-finite', details: { step: 3 } },
    })
    expect(lab.runs.log(runId, 0, 10)).toMatchObject([{ level: 'error', message: 'the loss is NaN' }])
    runner.beforeEvent = () => {}
    lab.runs.resume(runId)
    expect(await lab.runs.ended(runId)).toMatchObject({ status: 'finished', step: 5, failure: null })
    await lab.close()
  })

  it.each([
    ['pause', 'paused'],
    ['cancel', 'cancelled'],
  ] as const)('by %s: %s, without a failure, and can be resumed', async (ask, status) => {
    const { lab, runner } = await aLabWithData(temporaryFolder())
    const { runId } = await lab.runs.start(request())
    runner.beforeEvent = (_, event) => {
      if (event.kind === 'step' && event.step === 3) lab.runs[ask](runId)
    }
    expect(await lab.runs.ended(runId)).toMatchObject({ status, step: 2, failure: null })
    runner.beforeEvent = () => {}
    lab.runs.resume(runId)
    expect((await lab.runs.ended(runId)).status).toBe('finished')
    await lab.close()
  })

  it('a fault while a pause is on its way stays a fault', async () => {
    const { lab, runner } = await aLabWithData(temporaryFolder())
    const { runId } = await lab.runs.start(request())
    runner.beforeEvent = (_, event) => {
      if (event.kind !== 'step') return
      lab.runs.pause(runId)
      throw new LabError('out-of-memory', 'no room')
    }
    expect(await lab.runs.ended(runId)).toMatchObject({ status: 'failed', failure: { code: 'out-of-memory' } })
    await lab.close()
  })

  it('a run that was under way when its process died is failed and resumable at the next start', async () => {
    const folder = temporaryFolder()
    const first = await aLabWithData(folder)
    const reached = Promise.withResolvers<void>()
    first.runner.beforeEvent = (_, event) => {
      if (event.kind !== 'step' || event.step !== 3) return
      reached.resolve()
      return new Promise<void>(() => {})
    }
    const { runId } = await first.lab.runs.start(request())
    await reached.promise
    // The process is gone: its lock is free, nobody wrote an ending.
    rmSync(`${folder}/lab.sqlite.lock`)
    const second = aLab(folder)
    expect(second.lab.runs.get(runId).row).toMatchObject({ status: 'failed', step: 2, failure: { code: 'process-died' } })
    second.lab.runs.resume(runId)
    expect((await second.lab.runs.ended(runId)).status).toBe('finished')
    await second.lab.close()
  })
})

describe('runs', () => {
  it('wait for their turn: one works at a time', async () => {
    const { lab, runner } = await aLabWithData(temporaryFolder())
    const [first, second] = [await lab.runs.start(request()), await lab.runs.start(request({ name: 'second' }))]
    const seen = new Set<string>()
    runner.beforeEvent = () =>
      void seen.add(
        lab.runs
          .list()
          .map(({ status }) => status)
          .filter((status) => status === 'running')
          .join(),
      )
    await Promise.all([lab.runs.ended(first.runId), lab.runs.ended(second.runId)])
    expect([...seen]).toEqual(expect.not.arrayContaining(['running,running']))
    expect(lab.runs.list().map(({ status }) => status)).toEqual(['finished', 'finished'])
    await lab.close()
  })

  it('refuse data that their objective cannot learn from, and a dataset that is not there, naming what there is', async () => {
    const { lab } = await aLabWithData(temporaryFolder())
    expect((await faultOfPromise(lab.runs.start(request({ dataset: 'captions' })))).code).toBe('invalid-input')
    const missing = await faultOfPromise(lab.runs.start(request({ dataset: 'nothing' })))
    expect(missing.code).toBe('not-found')
    expect(missing.message).toContain('"preferences"')
    await lab.close()
  })

  it('can start from another run’s checkpoint once it has one', async () => {
    const { lab, runner } = await aLabWithData(temporaryFolder())
    const { runId } = await lab.runs.start(request())
    const start = { kind: 'run', runId }
    expect((await faultOfPromise(lab.runs.start(request({ start })))).code).toBe('not-found')
    await lab.runs.ended(runId)
    await lab.runs.ended((await lab.runs.start(request({ start }))).runId)
    expect(runner.jobs.at(-1)).toMatchObject({
      kind: 'train',
      config: { start: { kind: 'checkpoint', folder: lab.runs.newestCheckpoint(runId) } },
    })
    await lab.close()
  })

  it('under way cannot be deleted; afterwards nothing of them is left', async () => {
    const { lab } = await aLabWithData(temporaryFolder())
    const { runId } = await lab.runs.start(request())
    expect((await faultOfPromise(lab.runs.delete(runId))).code).toBe('conflict')
    await lab.runs.ended(runId)
    await lab.runs.delete(runId)
    expect(faultOf(() => lab.runs.get(runId)).code).toBe('not-found')
    await lab.close()
  })

  it('announce every change', async () => {
    const { lab, announcements } = await aLabWithData(temporaryFolder())
    const { runId } = await lab.runs.start(request())
    await lab.runs.ended(runId)
    expect(announcements).toContainEqual({ name: 'run.changed', value: { runId } })
    expect(announcements.filter(({ name }) => name === 'job.progress').at(0)).toMatchObject({
      value: { runId, title: 'mine', of: 5 },
    })
    await lab.close()
  })
})

describe('what is measured while a run trains', () => {
  const watch = { evaluators: ['questions'], data: { questions: 'questions' }, probes: { dataset: 'objects' } }

  it('is told to the training by snapshots, and again when the run is resumed', async () => {
    const { lab, runner } = await aLabWithData(temporaryFolder())
    const { runId } = await lab.runs.start(request({ watch }))
    runner.beforeEvent = (_, event) => {
      if (event.kind === 'step' && event.step === 2) lab.runs.pause(runId)
    }
    expect(await lab.runs.ended(runId)).toMatchObject({ status: 'paused' })
    runner.beforeEvent = () => {}
    lab.runs.resume(runId)
    expect(await lab.runs.ended(runId)).toMatchObject({ status: 'finished' })
    const trainings = runner.jobs.flatMap((job) => (job.kind === 'train' ? [job.watch!] : []))
    expect(trainings).toHaveLength(2)
    expect(trainings[1]).toEqual(trainings[0])
    expect(trainings[0]).toMatchObject({ evaluators: ['questions'], snapshots: { questions: await lab.datasets.snapshotOf('questions'), objects: null }, probes: { snapshot: await lab.datasets.snapshotOf('objects') } })
    await lab.close()
  })

  it('needs data of the right kind, and says which field lacks them, before anything is begun', async () => {
    const { lab } = await aLabWithData(temporaryFolder())
    const refused = (over: object) => faultOfPromise(lab.runs.start(request({ watch: { ...watch, ...over } })))
    expect(await refused({ data: {} })).toMatchObject({ code: 'invalid-input', message: expect.stringMatching(/watch\.data\.questions.*leave "questions" out/), details: { path: ['watch', 'data', 'questions'] } })
    expect(await refused({ data: { questions: 'objects' } })).toMatchObject({ message: expect.stringMatching(/expected a dataset of questions, found objects/) })
    expect(await refused({ probes: { dataset: 'questions' } })).toMatchObject({ message: expect.stringMatching(/watch\.probes\.dataset/) })
    expect(await refused({ probes: { dataset: 'gone' } })).toMatchObject({ code: 'not-found' })
    expect(lab.runs.list()).toEqual([])
    await lab.close()
  })
})
