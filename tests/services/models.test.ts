// Looking into models and asking them: answers are kept as they come, can be stopped, and survive the lab's end as failures.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LabError } from '../../src-main/domain/errors.ts'
import { modelQuestionSchema } from '../../src-main/domain/model-view.ts'
import { runRequestSchema } from '../../src-main/domain/run-view.ts'
import { aLab, aLabWithData } from '../support/a-lab.ts'
import { faultOf, faultOfPromise } from '../support/fault-of.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const question = modelQuestionSchema.parse({ question: 'What is this?', maxNewTokens: 4 })

function aModelFolder(project: string, name = 'model'): string {
  const folder = join(project, name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'config.json'), '{}')
  return folder
}

async function aLabWithModel() {
  const project = temporaryFolder()
  const made = aLab(project)
  return { ...made, project, model: aModelFolder(project) }
}

describe('a question to a model', () => {
  it('is answered piece by piece, each piece announced, and kept with its tokens', async () => {
    const { lab, runner, announcements, model } = await aLabWithModel()
    const seen: string[] = []
    runner.beforeEvent = (job, event) => {
      if (job.kind === 'ask' && event.kind === 'token') seen.push(lab.models.answers(null, 1)[0]!.text)
    }
    const answerId = lab.models.start({ model, image: null, question })
    expect(lab.models.answer(answerId)).toMatchObject({ status: 'waiting', text: '', tokens: [] })
    expect(await lab.models.answerEnded(answerId)).toMatchObject({ status: 'finished', text: 'a mug', ended: 'end', failure: null, question })
    expect(seen).toEqual(['', 'a '])
    expect(lab.models.answer(answerId).tokens.map(({ text }) => text)).toEqual(['a ', 'mug'])
    expect(announcements.filter(({ name }) => name === 'answer.changed').length).toBeGreaterThan(4)
    await lab.close()
  })

  it('about a picture keeps a copy of it, once, under its hash', async () => {
    const { lab, runner, project, model } = await aLabWithModel()
    const file = join(project, 'A Picture.PNG')
    writeFileSync(file, new Uint8Array([1, 2, 3]))
    const image = await lab.models.keepPictureFile(file)
    expect(await lab.models.keepPicture('dropped.png', new Uint8Array([1, 2, 3]))).toBe(image)
    await lab.models.answerEnded(lab.models.start({ model, image, question }))
    const job = runner.jobs.at(-1)
    expect(job).toMatchObject({ kind: 'ask', image: lab.imageFile(image) })
    expect(existsSync(lab.imageFile(image)!)).toBe(true)
    expect((await faultOfPromise(lab.models.keepPicture('notes.txt', new Uint8Array([1])))).message).toContain('found .txt')
    expect(faultOf(() => lab.models.start({ model, image: 'a'.repeat(64), question })).code).toBe('not-found')
    await lab.close()
  })

  it('can be stopped: what has come is kept, and one that waits never begins', async () => {
    const { lab, runner, model } = await aLabWithModel()
    runner.beforeEvent = (_, event) => {
      if (event.kind === 'token' && event.token.text === 'mug') lab.models.stopAnswer(first)
    }
    const first: string = lab.models.start({ model, image: null, question })
    const second = lab.models.start({ model, image: null, question })
    lab.models.stopAnswer(second)
    expect(await lab.models.answerEnded(first)).toMatchObject({ status: 'stopped', text: 'a ', failure: null })
    expect(await lab.models.answerEnded(second)).toMatchObject({ status: 'stopped', text: '', tokens: [] })
    expect(runner.jobs.filter(({ kind }) => kind === 'ask')).toHaveLength(1)
    expect(faultOf(() => lab.models.stopAnswer(first)).code).toBe('conflict')
    lab.models.deleteAnswer(first)
    expect(lab.models.answers(model, 9).map(({ id }) => id)).toEqual([second])
    await lab.close()
  })

  it('that fails says why, and the next one is answered', async () => {
    const { lab, runner, model } = await aLabWithModel()
    runner.beforeEvent = () => {
      throw new LabError('out-of-memory', 'too large a model')
    }
    expect(await lab.models.answerEnded(lab.models.start({ model, image: null, question }))).toMatchObject({ status: 'failed', failure: { code: 'out-of-memory' } })
    runner.beforeEvent = () => {}
    expect(await lab.models.answerEnded(lab.models.start({ model, image: null, question }))).toMatchObject({ status: 'finished' })
    expect(faultOf(() => lab.models.start({ model: '/nowhere', image: null, question })).code).toBe('not-found')
    await lab.close()
  })
})

describe('a model folder', () => {
  it('that was looked into is known from then on, newest first, and can be forgotten', async () => {
    const { lab, project, model } = await aLabWithModel()
    const other = aModelFolder(project, 'other')
    for (const folder of [model, other, model]) expect((await lab.models.inspect(folder)).folder).toBe(folder)
    expect(lab.models.folders()).toMatchObject([
      { folder: model, kind: 'checkpoint', parameters: 10, isThere: true },
      { folder: other, isThere: true },
    ])
    lab.models.forget(model)
    expect(lab.models.folders().map(({ folder }) => folder)).toEqual([other])
    expect(existsSync(model)).toBe(true)
    await lab.close()
  })

  it('of a run is looked into by the run’s id and is no folder of its own', async () => {
    const { lab } = await aLabWithData(temporaryFolder())
    const { runId } = await lab.runs.start(runRequestSchema.parse({ name: 'mine', dataset: 'preferences', training: { steps: 1 } }))
    await lab.runs.ended(runId)
    expect((await lab.models.inspect(runId)).folder).toBe(lab.runs.newestCheckpoint(runId))
    expect(lab.models.folders()).toEqual([])
    await lab.close()
  })

  it('under an adapter starts a run that names both; what is no adapter is refused by its field', async () => {
    const project = temporaryFolder()
    const { lab } = await aLabWithData(project)
    const [folder, adapter] = [aModelFolder(project), join(project, 'adapter')]
    const request = { name: 'mine', dataset: 'preferences', start: { kind: 'folder', folder, adapter }, training: { steps: 1 } }
    const fault = await faultOfPromise(lab.runs.start(runRequestSchema.parse(request)))
    expect(fault).toMatchObject({ code: 'not-found', details: { path: ['start', 'adapter'] } })
    mkdirSync(adapter)
    writeFileSync(join(adapter, 'adapter_config.json'), '{}')
    const { runId } = await lab.runs.start(runRequestSchema.parse(request))
    expect(lab.runs.get(runId).config!.start).toEqual({ kind: 'checkpoint', folder, adapter })
    await lab.close()
  })
})
