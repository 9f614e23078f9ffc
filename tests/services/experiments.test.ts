// Laws of experiments: every candidate of a transplant meets the same data and seeds, a task that broke off goes on where it was,
// its table tests what was measured, and what could not be compared is refused before anything is trained.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Lab } from '../../src-main/compose.ts'
import { experimentRequestSchema } from '../../src-main/domain/experiment.ts'
import { LabError } from '../../src-main/domain/errors.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { aLabWithData, type LabForTests } from '../support/a-lab.ts'
import { aStudyConfig } from '../support/builders.ts'

let folder: string
let made: LabForTests
let lab: Lab
let arms: readonly string[]
let languageModel: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pivot-lab-experiments-'))
  made = await aLabWithData(folder)
  lab = made.lab
  const { studyId } = lab.studies.start({ kind: 'config', config: aStudyConfig({ seeds: [0, 1] }) })
  await lab.studies.ended(studyId)
  arms = ['sft', 'dpo'].map((arm) => `${studyId}/${arm}`)
  languageModel = lab.studies.get(studyId).runs[0]!.id
})
afterAll(async () => {
  await lab.close()
  rmSync(folder, { recursive: true, force: true })
})

const aTransplant = (fields: object = {}) =>
  experimentRequestSchema.parse({ kind: 'transplant', encoders: arms, dataset: 'instructions', questions: 'questions', seeds: [0, 1], languageModel, training: { steps: 2 }, ...fields })

describe('a transplant', () => {
  it('trains every candidate once a seed on the same data, frozen, from the arm’s own checkpoint of that seed', async () => {
    const before = made.runner.jobs.length
    const { taskId } = lab.experiments.start(aTransplant())
    const { result } = await lab.tasks.ended(taskId)
    const trained = made.runner.jobs.slice(before).flatMap((job) => (job.kind === 'train' ? [job] : []))
    expect(trained.map(({ config }) => [config.training.seed, config.start.kind === 'transplant' && config.start.seed])).toEqual([[0, 0], [0, 0], [1, 1], [1, 1]])
    expect(new Set(trained.map(({ config }) => config.snapshot)).size).toBe(1)
    expect(trained.every(({ config }) => !config.training.modules.visionEncoder.train)).toBe(true)
    expect(new Set(trained.map(({ config }) => JSON.stringify({ ...config.training, seed: 0 }))).size).toBe(1)
    expect(new Set(trained.map(({ config }) => config.start.kind === 'transplant' && config.start.folder)).size).toBe(4)
    expect(result).toMatchObject({ kind: 'transplant', candidates: arms.flatMap((encoder) => [0, 1].map((seed) => ({ encoder, seed }))) })
    const table = lab.experiments.table(taskId)
    expect(table.encoders.map(({ id }) => id)).toEqual(arms)
    const own = table.rows.filter(({ metric }) => metric.startsWith('transplant/'))
    expect(own.length).toBeGreaterThan(0)
    expect(own.every(({ cells }) => cells.every((cell) => cell!.perSeed.length === 2))).toBe(true)
    // What a transplant measured is its encoder's, and stands in every comparison of it.
    expect(lab.comparisons.table({ encoders: [...arms], scope: 'all', reference: null }).rows.some(({ metric, cells }) => metric.startsWith('transplant/') && cells.every((cell) => cell !== null))).toBe(true)
  })

  it('that broke off goes on where it was: nothing is trained or measured twice', async () => {
    const before = made.runner.jobs.length
    let failing = true
    made.runner.beforeEvent = (job) => {
      if (failing && job.kind === 'train' && job.config.training.seed === 1) throw new LabError('out-of-memory', 'planted')
    }
    const { taskId } = lab.experiments.start(aTransplant({ name: 'again' }))
    expect(await faultOfPromise(lab.tasks.ended(taskId))).toMatchObject({ code: 'out-of-memory' })
    failing = false
    lab.tasks.resume(taskId)
    await lab.tasks.ended(taskId)
    const jobs = made.runner.jobs.slice(before)
    expect(jobs.filter(({ kind }) => kind === 'train')).toHaveLength(5) // four, and the one that failed
    expect(jobs.filter(({ kind }) => kind === 'evaluate')).toHaveLength(4)
    expect(lab.runs.list().filter(({ name }) => name.startsWith('again'))).toHaveLength(4)
  })

  it('keeps the encoder trainable where asked, and refuses fewer than two candidates or one twice', async () => {
    const before = made.runner.jobs.length
    const { taskId } = lab.experiments.start(aTransplant({ frozen: false, seeds: [0], projectorLayers: 1 }))
    await lab.tasks.ended(taskId)
    const trained = made.runner.jobs.slice(before).flatMap((job) => (job.kind === 'train' ? [job.config] : []))
    expect(trained.every(({ training, start }) => training.modules.visionEncoder.train && start.kind === 'transplant' && start.projectorLayers === 1)).toBe(true)
    for (const encoders of [[arms[0]], [arms[0], arms[0]]]) expect(experimentRequestSchema.safeParse({ ...aTransplant(), encoders }).success).toBe(false)
  })
})

it('scored maps are measurements of their encoders, one a seed, and their table compares them', async () => {
  const { taskId } = lab.experiments.start(experimentRequestSchema.parse({ kind: 'map-scores', encoders: arms, dataset: 'preferences' }))
  const { result } = await lab.tasks.ended(taskId)
  expect(result).toMatchObject({ kind: 'map-scores', encoders: arms.flatMap((encoder) => [0, 1].map((seed) => ({ encoder, seed }))) })
  expect(lab.experiments.table(taskId).rows.map(({ metric }) => metric)).toEqual(['maps/occlusion/energy'])
})

it('what was measured under the same conditions is taken as it is; other settings are another measurement', async () => {
  const probes = async (settings: object) => {
    const before = made.runner.jobs.length
    const { taskId } = lab.experiments.start(experimentRequestSchema.parse({ kind: 'probe', encoders: arms, dataset: 'objects', settings }))
    const { result } = await lab.tasks.ended(taskId)
    expect(result).toMatchObject({ kind: 'probe', encoders: arms.flatMap((encoder) => [0, 1].map((seed) => ({ encoder, seed }))) })
    return made.runner.jobs.slice(before).filter(({ kind }) => kind === 'probe').length
  }
  expect(await probes({})).toBe(4)
  expect(await probes({ batchSize: 7 })).toBe(0)
  expect(await probes({ pooling: 'class' })).toBe(4)
})

it('a task without scores has no table, and says so', () => {
  expect(() => lab.experiments.table(lab.tasks.list().at(-1)!.id)).toThrow(LabError)
})

describe('a sweep', () => {
  const aSweep = ({ encoders = [arms[0]!], ...settings }: { readonly encoders?: readonly string[] } & Readonly<Record<string, unknown>> = {}) =>
    experimentRequestSchema.parse({
      kind: 'sweep',
      encoders,
      dataset: 'preferences',
      measuredOn: { questions: 'questions' },
      settings: {
        arms: [
          { label: 'SFT', training: { objective: { kind: 'sft' }, steps: 2, batchSize: 1 }, learningRates: [0.1, 0.2] },
          { label: 'DPO', training: { objective: { kind: 'dpo' }, steps: 2, batchSize: 1 } },
        ],
        seeds: [0, 1],
        ...settings,
      },
    })
  type Training = Extract<LabForTests['runner']['jobs'][number], { kind: 'train' }>['config']
  /** What trained a folder. */
  const trainingOf = (folder: string): Training | undefined => made.runner.jobs.find((job) => job.kind === 'train' && folder.startsWith(`${job.folder}/`))?.['config' as never]
  const widthOf = ({ start }: Training): number => (start.kind === 'scratch' ? start.model.visionEncoder.hiddenSize : widthOf(trainingOf((start as { folder: string }).folder)!))
  /** @param score  of a learning rate; left out: the runner's own */
  const sweptWith = async (settings: Parameters<typeof aSweep>[0] = {}, score?: (learningRate: number) => number) => {
    const before = made.runner.jobs.length
    made.runner.beforeEvent = (job, event) => {
      if (job.kind === 'evaluate' && event.kind === 'result' && score !== undefined) Object.assign(event, { value: score(trainingOf(job.checkpoint)!.training.learningRate) })
      if (job.kind === 'inspect' && event.kind === 'inspection') {
        const parameters = trainingOf(job.folder) === undefined ? 0 : widthOf(trainingOf(job.folder)!)
        Object.assign(event, { inspection: { ...event.inspection, modules: ['visionEncoder', 'languageModel'].map((module) => ({ ...event.inspection.modules[0]!, module, parameters: module === 'visionEncoder' ? parameters : 7 })) } })
      }
    }
    const { taskId } = lab.experiments.start(aSweep(settings))
    const { result } = await lab.tasks.ended(taskId).finally(() => (made.runner.beforeEvent = () => {}))
    if (result?.kind !== 'sweep') throw new Error('no sweep')
    return { result, trained: made.runner.jobs.slice(before).flatMap((job) => (job.kind === 'train' ? [job.config] : [])) }
  }

  it('trains and measures every setting once a seed, and draws a curve an objective', async () => {
    const { result, trained } = await sweptWith()
    expect(trained).toHaveLength(6)
    expect(result.points).toHaveLength(6)
    expect(result.curves.map(({ arm, points }) => [arm, points.map(({ seeds }) => seeds)])).toEqual([['SFT', [2]], ['DPO', [2]]])
    expect(new Set(trained.map(({ training }) => `${training.objective.kind} ${training.learningRate} ${training.seed}`)).size).toBe(6)
  })

  it('begins nothing beyond its budget, and says what was left', async () => {
    const { result, trained } = await sweptWith({ budget: { runs: 4 } })
    expect(trained).toHaveLength(4)
    expect(result.notes.join()).toContain('2 trainings were not begun')
  })

  it('small data sets lie in large ones, and steps follow their size where passes are asked for', async () => {
    const { trained } = await sweptWith({ dataSizes: [1, 2], epochs: 3, seeds: [0] })
    expect(trained.map(({ training }) => training.steps)).toEqual([3, 3, 3, 6, 6, 6])
    const [small, large] = [trained[0]!, trained[3]!].map(({ snapshot }) => readFileSync(join(folder, 'snapshots', `${snapshot}.jsonl`), 'utf8'))
    expect(large!.startsWith(small!)).toBe(true)
    expect(small!.trimEnd().split('\n')).toHaveLength(1)
  })

  it('ends when the hours of its budget are spent, whatever the number of runs', async () => {
    // The clock of these tests moves with every look at it, so that every training takes its time.
    const { result, trained } = await sweptWith({ budget: { hours: 1e-5 } })
    expect(trained.length).toBeGreaterThan(0)
    expect(trained.length).toBeLessThan(6)
    expect(result.notes.join()).toMatch(/0\.00001 hours|1e-5 hours/)
    expect((await sweptWith({ budget: { hours: 1 } })).trained).toHaveLength(6)
  })

  it('gives no further seed to what is behind by more than was said, and says which', async () => {
    const score = (rate: number) => (rate === 0.1 ? 0.9 : 0.4)
    const { result, trained } = await sweptWith({ stopMargin: 0.2, seeds: [0, 1, 2] }, score)
    const seedsOf = (rate: number) => trained.filter(({ training }) => training.learningRate === rate).map(({ training }) => training.seed)
    expect([seedsOf(0.1), seedsOf(0.2)]).toEqual([[0, 1, 2], [0]])
    expect(result.notes.join()).toMatch(/learning rate 0\.2.*stopped after 1 of 3 seeds/)
    expect(result.curves[0]!.points[0]).toMatchObject({ seeds: 3, learningRate: 0.1 })
  })

  describe('over sizes', () => {
    const sizes = (...widths: readonly number[]) => widths.map((hiddenSize) => ({ hiddenSize, numHiddenLayers: 2 }))
    const fresh = {
      model: { visionEncoder: { hiddenSize: 32, numAttentionHeads: 2 }, languageModel: { hiddenSize: 32, numAttentionHeads: 2, numKeyValueHeads: 1 } },
      visionEncoders: sizes(16, 32),
      stages: { alignment: { steps: 1, batchSize: 1 }, instruction: { steps: 1, batchSize: 1 } },
      data: { captions: 'captions', instructions: 'instructions' },
    }
    const onlyFresh = { encoders: [], seeds: [0], fresh }

    it('makes each model once a seed through its stages, starts every setting from it, and draws score against size', async () => {
      const { result, trained } = await sweptWith(onlyFresh)
      const makings = trained.filter(({ training }) => training.steps === 1)
      expect(makings.map(({ start }) => start.kind)).toEqual(['scratch', 'checkpoint', 'scratch', 'checkpoint'])
      expect(makings.flatMap(({ start }) => (start.kind === 'scratch' ? [start.model.visionEncoder.hiddenSize] : []))).toEqual([16, 32])
      expect(new Set(makings.flatMap(({ start }) => (start.kind === 'scratch' ? [start.tokenizerFolder] : []))).size).toBe(1)
      expect(trained.filter(({ training }) => training.steps === 2)).toHaveLength(6)
      expect(new Set(result.points.map(({ start }) => start))).toEqual(new Set(['encoder 16×2, language model 32×4', 'encoder 32×2, language model 32×4']))
      expect(result.sizeCurves.map(({ of, arm, points }) => [of, arm, points.map(({ parameters }) => parameters)])).toEqual([['visionEncoder', 'SFT', [16, 32]], ['visionEncoder', 'DPO', [16, 32]]])
    })

    it('its budget holds for the trainings that make a model too', async () => {
      const { result, trained } = await sweptWith({ ...onlyFresh, budget: { runs: 3 } })
      expect(trained).toHaveLength(3)
      expect(result.points).toHaveLength(1)
      expect((await sweptWith({ ...onlyFresh, budget: { runs: 2 } })).result.points).toHaveLength(0)
    })

    it('without any model to start from it is refused', () => {
      expect(() => lab.experiments.start(aSweep({ encoders: [] }))).toThrow(/expected a model to start from/)
    })
  })

  it('more samples than there are, and a score that is not measured, are refused', async () => {
    for (const settings of [{ dataSizes: [10_000] }, { metric: 'loss' }])
      expect(await faultOfPromise(sweptWith(settings))).toMatchObject({ code: 'invalid-input' })
  })
})
