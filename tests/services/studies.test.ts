// A study from its plan to its end: each phase done once, whatever happens in between.

import { readFileSync, rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { resultTable } from '../../src-main/cli/result-table.ts'
import { LabError } from '../../src-main/domain/errors.ts'
import { studyConfigSchema } from '../../src-main/domain/study.ts'
import { aLab, aLabWithData } from '../support/a-lab.ts'
import { aStudyConfig } from '../support/builders.ts'
import { faultOf } from '../support/fault-of.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const start = (config = aStudyConfig({ seeds: [0] })) => ({ kind: 'config', config }) as const

describe('a study', () => {
  it('does its plan in order, each training from the checkpoint it names', async () => {
    const { lab, runner } = await aLabWithData(temporaryFolder())
    const { studyId } = lab.studies.start(start(aStudyConfig({ seeds: [0], transplant: true, pretraining: true })))
    expect(await lab.studies.ended(studyId)).toMatchObject({ status: 'finished', share: 1, failure: null })
    const { phases, runs } = lab.studies.get(studyId)
    expect(phases.map(({ status }) => status)).toEqual(phases.map(() => 'finished'))
    expect(runner.jobs.map(({ kind }) => kind)).toEqual(phases.map(({ kind }) => kind))
    const started = new Map(
      runner.jobs.flatMap((job) => (job.kind === 'train' ? [[job.folder.split('/').at(-1), job.config.start]] : [])),
    )
    const checkpointOf = (phaseId: string) => lab.runs.newestCheckpoint(runs.find((run) => run.phaseId === phaseId)!.id)
    expect(started.get('seed-0-sft')).toEqual(started.get('seed-0-dpo'))
    expect(started.get('seed-0-sft')).toEqual({ kind: 'checkpoint', folder: checkpointOf('seed-0/instruction') })
    expect(started.get('seed-0-dpo-transplant')).toMatchObject({ kind: 'transplant', folder: checkpointOf('seed-0/dpo') })
    await lab.close()
  })

  it('both arms read the same snapshot, also when the dataset has grown since', async () => {
    const { lab, runner } = await aLabWithData(temporaryFolder())
    const { studyId } = lab.studies.start(start())
    let grown = Promise.resolve<unknown>(null)
    runner.beforeEvent = async (job, event) => {
      if (job.kind === 'train' && job.folder.endsWith('sft') && event.kind === 'device')
        grown = lab.datasets.import({ path: '/data/preferences/60', name: 'preferences' })
      if (job.kind === 'train') await grown
    }
    await lab.studies.ended(studyId)
    const arms = runner.jobs.flatMap((job) =>
      job.kind === 'train' && /(sft|dpo)$/.test(job.folder) ? [job.config.snapshot] : [],
    )
    expect(arms).toHaveLength(2)
    expect(new Set(arms).size).toBe(1)
    expect(lab.datasets.named('preferences').snapshot).not.toBe(arms[0])
    await lab.close()
  })

  it('refuses arms that differ where they must not, before anything is written', async () => {
    const { lab } = await aLabWithData(temporaryFolder())
    const config = aStudyConfig()
    const unfair = { ...config, stages: { ...config.stages, dpo: { ...config.stages.dpo, steps: 99 } } }
    const refused = faultOf(() => lab.studies.start(start(unfair)))
    expect(refused).toMatchObject({ code: 'conflict', details: { settings: ['steps'] } })
    expect(lab.studies.list()).toEqual([])
    await lab.close()
  })

  it('refuses data that are not there', () => {
    const { lab } = aLab(temporaryFolder())
    expect(faultOf(() => lab.studies.start(start())).code).toBe('not-found')
  })

  it.each([
    ['pause', 'paused'],
    ['cancel', 'cancelled'],
  ] as const)('stops by %s at any phase, and resuming skips what is finished', async (ask, status) => {
    const { lab, runner } = await aLabWithData(temporaryFolder())
    const { studyId } = lab.studies.start(start())
    const phaseCount = lab.studies.get(studyId).phases.length
    const finished: string[] = []
    for (let round = 0; round < phaseCount; round++) {
      // Let exactly one more phase through than before.
      runner.beforeEvent = () => {
        if (lab.studies.get(studyId).row.phasesDone > round) lab.studies[ask](studyId)
      }
      if (round > 0) lab.studies.resume(studyId)
      const row = await lab.studies.ended(studyId)
      if (row.status === 'finished') break
      expect(row).toMatchObject({ status, failure: null })
      finished.push(
        ...lab.studies
          .get(studyId)
          .phases.filter((phase) => phase.status === 'finished' && !finished.includes(phase.id))
          .map(({ id }) => id),
      )
    }
    expect(lab.studies.get(studyId).row.status).toBe('finished')
    // A phase that had finished was never asked for again: jobs are the phases plus one interrupted attempt a stop.
    const trained = runner.jobs.flatMap((job) => (job.kind === 'train' ? [job.folder] : []))
    for (const folder of new Set(trained)) expect(trained.filter((each) => each === folder).length).toBeLessThanOrEqual(2)
    expect(finished.length).toBeGreaterThan(3)
    await lab.close()
  })

  it('a phase that fails fails the study with its code; resuming begins with that phase', async () => {
    const { lab, runner } = await aLabWithData(temporaryFolder())
    runner.beforeEvent = (job, event) => {
      if (job.kind === 'train' && job.folder.endsWith('dpo') && event.kind === 'step' && event.step === 2)
        throw new LabError('out-of-memory', 'no room for dpo')
    }
    const { studyId } = lab.studies.start(start())
    expect(await lab.studies.ended(studyId)).toMatchObject({ status: 'failed', failure: { code: 'out-of-memory' } })
    const { phases, runs } = lab.studies.get(studyId)
    expect(phases.find(({ id }) => id === 'seed-0/dpo')).toMatchObject({ status: 'failed', failure: { code: 'out-of-memory' } })
    expect(runs.find(({ phaseId }) => phaseId === 'seed-0/dpo')).toMatchObject({ status: 'failed', step: 1 })
    runner.beforeEvent = () => {}
    const before = runner.jobs.length
    lab.studies.resume(studyId)
    expect((await lab.studies.ended(studyId)).status).toBe('finished')
    expect(runner.jobs[before]).toMatchObject({ kind: 'train', folder: expect.stringContaining('seed-0-dpo') })
    await lab.close()
  })

  it('killed in mid-phase is failed and resumable at the next start, without doing finished phases again', async () => {
    const folder = temporaryFolder()
    const first = await aLabWithData(folder)
    const reached = Promise.withResolvers<void>()
    first.runner.beforeEvent = (job, event) => {
      if (job.kind !== 'train' || !job.folder.endsWith('dpo') || event.kind !== 'step') return
      reached.resolve()
      return new Promise<void>(() => {})
    }
    const { studyId } = first.lab.studies.start(start())
    await reached.promise
    rmSync(`${folder}/lab.sqlite.lock`)
    const second = aLab(folder)
    expect(second.lab.studies.get(studyId).row).toMatchObject({ status: 'failed', failure: { code: 'process-died' } })
    second.lab.studies.resume(studyId)
    expect((await second.lab.studies.ended(studyId)).status).toBe('finished')
    expect(second.runner.jobs[0]).toMatchObject({ kind: 'train', folder: expect.stringContaining('seed-0-dpo') })
    await second.lab.close()
  })

  it('says at every moment how far it is and how long it will take', async () => {
    const { lab, announcements, clock, runner } = await aLabWithData(temporaryFolder())
    runner.beforeEvent = () => void (clock.ms += 300)
    const { studyId } = lab.studies.start(start(aStudyConfig({ seeds: [0, 1, 2], steps: 20 })))
    await lab.studies.ended(studyId)
    const progress = announcements.flatMap((each) => (each.name === 'job.progress' ? [each.value] : []))
    expect(progress.length).toBeGreaterThan(20)
    expect(progress.every(({ share, totalLeftMs }) => share >= 0 && share <= 1 && totalLeftMs !== null && totalLeftMs >= 0)).toBe(
      true,
    )
    // Once every kind of phase has been measured (from the second seed on), the estimate is close to the truth.
    const end = lab.studies.get(studyId).row.finishedAtMs!
    const late = progress.filter(({ phaseId }) => phaseId!.startsWith('seed-2'))
    expect(late.length).toBeGreaterThan(3)
    for (const each of late) expect(each.totalLeftMs!).toBeLessThan(end - lab.studies.get(studyId).row.startedAtMs!)
    await lab.close()
  })
})

describe('results of a study', () => {
  it.each([
    [{ kind: 'simpo' }, 'SimPO'],
    [{ kind: 'grpo' }, 'GRPO'],
  ] as const)('and its report call the second arm by its own objective, %o', async (objective, name) => {
    const { lab } = await aLabWithData(temporaryFolder())
    const given = aStudyConfig({ seeds: [0, 1, 2], transplant: true })
    const config = studyConfigSchema.parse({ ...given, stages: { ...given.stages, dpo: { ...given.stages.dpo, objective } } })
    const { studyId } = lab.studies.start(start(config))
    await lab.studies.ended(studyId)
    const view = lab.studies.get(studyId)
    expect(view.encoderNames).toEqual({ 'stage-1': 'Stage 1', sft: 'SFT', dpo: name })
    const results = lab.results.of(studyId)
    expect(results.encoderNames).toEqual(view.encoderNames)
    const report = readFileSync((await lab.reports.write(studyId)).path, 'utf8')
    expect(report).toContain(`SFT against ${name}`)
    expect(report).toContain(`${name} − SFT`)
    const text = resultTable(results)
    expect(text).toContain(`${name}−SFT`)
    expect(results.verdict.join(' ')).toContain(`By sign alone ${name} is ahead`)
    for (const words of [report, text, ...results.verdict, ...results.metrics.map(({ difference }) => difference!.verdict)])
      expect(words).not.toContain('DPO')
    // The key of the arm stays inside: no column, no title, no file is called by it.
    const titles = [...view.phases.map(({ title }) => title), ...view.artifacts.map((each) => each.name), text]
    for (const words of titles) expect(words).not.toMatch(/\bdpo\b/i)
    await lab.close()
  })

  it('are there while it is under way, say so, and stay after it', async () => {
    const { lab } = await aLabWithData(temporaryFolder())
    const { studyId } = lab.studies.start(start(aStudyConfig({ seeds: [0, 1, 2] })))
    expect(lab.results.of(studyId).verdict.join(' ')).toContain('not finished')
    await lab.studies.ended(studyId)
    const { metrics } = lab.results.of(studyId)
    expect(metrics.map(({ metric }) => metric)).toEqual(['vqa/all', 'vqa/text', 'segmentation/mean-iou'])
    expect(metrics[0]!.encoders.map(({ encoder, mean }) => [encoder, mean])).toEqual([
      ['stage-1', 0.5],
      ['sft', 0.5],
      ['dpo', 1],
    ])
    await lab.close()
  })

  it('a report opens offline: no address, no script, every metric and its verdict in it', async () => {
    const { lab } = await aLabWithData(temporaryFolder())
    const { studyId } = lab.studies.start(start(aStudyConfig({ seeds: [0, 1] })))
    await lab.studies.ended(studyId)
    const { path } = await lab.reports.write(studyId)
    const text = readFileSync(path, 'utf8')
    expect(text).not.toMatch(/https?:\/\/|<script|@import|url\(/)
    for (const { label, difference } of lab.results.of(studyId).metrics) {
      expect(text).toContain(label)
      expect(text).toContain(difference!.verdict)
    }
    expect(lab.studies.get(studyId).artifacts.map(({ name }) => name)).toContain('report')
    await lab.close()
  })
})
