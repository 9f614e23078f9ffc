// What leaves the lab and comes back: a recipe of a study whose start is trained, the run that it came to, an export whose card
// knows what was measured.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { exportSettingsSchema } from '../../src-main/domain/export.ts'
import { recipeTitle } from '../../src-main/domain/progress.ts'
import { LabError } from '../../src-main/domain/errors.ts'
import { aLabWithData } from '../support/a-lab.ts'
import { aStudyConfig } from '../support/builders.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const request = { kind: 'config', config: aStudyConfig({ seeds: [0] }) } as const

/** A study that stopped in its SFT arm. */
async function aHalfStudy() {
  const project = temporaryFolder()
  const made = await aLabWithData(project)
  made.runner.beforeEvent = (job) => {
    if (job.kind === 'train' && job.folder.endsWith('-sft')) throw new LabError('out-of-memory', 'too small a card')
  }
  const { studyId } = made.lab.studies.start(request)
  await made.lab.studies.ended(studyId)
  return { ...made, project, studyId }
}

function anOutput(project: string, about: object): string {
  const folder = join(project, 'out')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'run.json'), JSON.stringify({ formatVersion: 1, ...about }))
  return folder
}

describe('a recipe', () => {
  it('is asked for with the study’s own settings, data and start', async () => {
    const { lab, runner, announcements, studyId, project } = await aHalfStudy()
    const artifact = await lab.recipes.export(studyId, join(project, 'recipe'))
    expect(lab.studies.get(studyId).artifacts).toContainEqual(artifact)
    expect(announcements.some(({ name, value }) => name === 'job.progress' && 'title' in value && value.title === recipeTitle(lab.studies.get(studyId).row.name))).toBe(true)
    const job = runner.jobs.at(-1)!
    const { phases, snapshots, config } = lab.studies.get(studyId)
    expect(job).toMatchObject({
      kind: 'export-recipe',
      snapshot: snapshots['preferences'],
      arms: { sft: config.stages.sft, dpo: config.stages.dpo },
      seeds: [{ seed: 0, checkpoint: lab.runs.newestCheckpoint(phases.find(({ id }) => id === 'seed-0/instruction')!.runId!) }],
    })
    await lab.close()
  })

  it('waits for the start of both arms', async () => {
    const made = await aLabWithData(temporaryFolder())
    made.runner.beforeEvent = (job) => {
      if (job.kind === 'train') throw new LabError('cancelled', 'stopped')
    }
    const { studyId } = made.lab.studies.start(request)
    await made.lab.studies.ended(studyId)
    expect((await faultOfPromise(made.lab.recipes.export(studyId, '/nowhere'))).message).toContain('not trained yet')
    await made.lab.close()
  })

  it('what its script trained becomes the run of its phase, and the study goes on with it', async () => {
    const { lab, runner, studyId, project } = await aHalfStudy()
    const run = await lab.recipes.import(anOutput(project, { study: studyId, arm: 'dpo', seed: 0 }))
    expect(run).toMatchObject({ status: 'finished', studyId, phaseId: 'seed-0/dpo', objective: 'dpo' })
    expect(lab.runs.series(run.id, ['loss'], 10)[0]!.points).toHaveLength(1)
    expect(lab.studies.get(studyId).phases.find(({ id }) => id === 'seed-0/dpo')).toMatchObject({ status: 'finished', runId: run.id })
    runner.beforeEvent = () => {}
    lab.studies.resume(studyId)
    expect(await lab.studies.ended(studyId)).toMatchObject({ status: 'finished' })
    expect(runner.jobs.filter((job) => job.kind === 'train' && job.folder.endsWith('-dpo'))).toEqual([])
    const measured = runner.jobs.find((job) => job.kind === 'evaluate' && job.checkpoint.includes('seed-0-dpo'))
    expect(measured).toMatchObject({ checkpoint: lab.runs.newestCheckpoint(run.id) })

    const second = await lab.recipes.import(anOutput(project, { study: studyId, arm: 'dpo', seed: 0 }))
    expect(second).toMatchObject({ studyId, phaseId: null, status: 'finished' })
    expect(lab.studies.get(studyId).phases.find(({ id }) => id === 'seed-0/dpo')!.runId).toBe(run.id)
    await lab.close()
  })

  it('leaves nothing of a run that could not be taken in, and knows whose it is', async () => {
    const { lab, runner, studyId, project } = await aHalfStudy()
    runner.beforeEvent = (job) => {
      if (job.kind === 'import-run') throw new LabError('corrupt-artifact', 'a tensor is missing')
    }
    const before = lab.runs.list().length
    expect((await faultOfPromise(lab.recipes.import(anOutput(project, { study: studyId, arm: 'dpo', seed: 0 })))).code).toBe('corrupt-artifact')
    expect(lab.runs.list()).toHaveLength(before)
    expect((await faultOfPromise(lab.recipes.import(anOutput(project, { study: 'another', arm: 'dpo', seed: 0 })))).code).toBe('not-found')
    expect((await faultOfPromise(lab.recipes.import(anOutput(project, { study: studyId, arm: 'dpo', seed: 8 })))).message).toContain('no dpo of seed 8')
    expect((await faultOfPromise(lab.recipes.import(project))).message).toContain('run.json does not exist')
    writeFileSync(join(project, 'out', 'run.json'), '{')
    expect((await faultOfPromise(lab.recipes.import(join(project, 'out')))).message).toContain('run.json is not JSON')
    await lab.close()
  })
})

describe('an export', () => {
  it('tells its card which data and results there are, names its folder after what it is, and says how it is loaded', async () => {
    const { lab, runner } = await aLabWithData(temporaryFolder())
    const { studyId } = lab.studies.start(request)
    await lab.studies.ended(studyId)
    const { runs } = lab.studies.get(studyId)
    const dpo = runs.find(({ phaseId }) => phaseId === 'seed-0/dpo')!
    const settings = exportSettingsSchema.parse({ format: 'onnx', dtype: 'float16', projectorLayers: 2 })
    const { artifact, loading, sha256 } = await lab.exports.export({ checkpoint: dpo.id, settings, folder: null, parent: '/chosen' })
    expect(artifact.path).toBe(`/chosen/${dpo.id}-encoder-onnx-float16-projector-2`)
    expect(sha256).toBe('e'.repeat(64))
    expect(await lab.exports.check(artifact.id)).toMatchObject({ folder: artifact.path, sha256 })
    expect(runner.jobs.pop()).toMatchObject({ kind: 'check-export' })
    expect(loading.join()).toContain(`${artifact.path}/model.onnx`)
    const job = runner.jobs.at(-1)!
    if (job.kind !== 'export') throw new Error('the last job is no export')
    expect(job.record!.results.map(({ label }) => label)).toContain('Questions, all')
    expect(job.record!.results[0]).toMatchObject({ basis: 'seed 0' })
    expect(job.record!.data[0]).toEqual({ role: 'training', name: 'preferences', sha256: lab.studies.get(studyId).snapshots['preferences'] })
    await lab.close()
  })

  it('tells how far it is, is one at a time for a model, and stops when asked', async () => {
    const { lab, runner, announcements } = await aLabWithData(temporaryFolder())
    const { studyId } = lab.studies.start(request)
    await lab.studies.ended(studyId)
    const { id } = lab.studies.get(studyId).runs.find(({ phaseId }) => phaseId === 'seed-0/sft')!
    const asked = { checkpoint: id, settings: exportSettingsSchema.parse({}), folder: null, parent: null }
    await lab.exports.export(asked)
    expect(announcements.at(-1)).toMatchObject({ name: 'job.progress', value: { runId: id, done: 1, of: 1, title: expect.stringContaining('Exporting') as unknown } })
    runner.beforeEvent = (job) => {
      if (job.kind === 'export') lab.exports.cancel(id)
    }
    const [stopped, second] = [faultOfPromise(lab.exports.export(asked)), faultOfPromise(lab.exports.export(asked))]
    expect((await second).code).toBe('conflict')
    expect((await stopped).code).toBe('cancelled')
    runner.beforeEvent = () => {}
    expect((await lab.exports.export(asked)).artifact.runId).toBe(id)
    await lab.close()
  })

  it('refuses settings that do not go together before a job is asked', async () => {
    const { lab, runner } = await aLabWithData(temporaryFolder())
    const settings = exportSettingsSchema.parse({ format: 'tfjs', dtype: 'bfloat16' })
    expect((await faultOfPromise(lab.exports.export({ checkpoint: 'x', settings, folder: null, parent: null }))).code).toBe('invalid-input')
    expect(runner.jobs).toEqual([])
    await lab.close()
  })
})
