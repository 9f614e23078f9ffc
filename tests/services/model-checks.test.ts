// Comparisons with references and zero-shot classification as tasks: what has come is kept, a break costs nothing that was done, and
// what a task forgets is gone.

import { describe, expect, it } from 'vitest'
import { LabError } from '../../src-main/domain/errors.ts'
import type { ItemResult, Job, JobEvent, Runner } from '../../src-main/domain/job.ts'
import type { ParityReport } from '../../src-main/domain/parity.ts'
import { aFakeRunner, aLab } from '../support/a-lab.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const report = (name: string): ParityReport => ({ name, kind: 'tokenizer', passed: name !== 'bad', fault: null, groups: [{ name: 'tokens', compared: 2, worst: 0, limit: 0, at: 'text 1' }] })
const CASES = ['bad', 'good', 'rare']
const PICTURES = ['cat/1.png', 'cat/2.png', 'dog/3.png', '4.png']

function said(image: string): ItemResult {
  const expected = image.includes('/') ? image.split('/')[0]! : null
  const detail = { kind: 'zero-shot', expected, given: 'cat', probability: 0.5 + Number(/\d/.exec(image)![0]) / 10 }
  return { itemId: image, cluster: image, group: expected, value: Number(expected === 'cat'), detail }
}

/** Reports one case, or one picture, at a time, and leaves out those that are done. */
function* checking(job: Job): Generator<JobEvent> {
  const [names, part] = job.kind === 'parity' ? [CASES, 'reference cases'] : [PICTURES, 'images']
  const done = new Set((job as Extract<Job, { kind: 'parity' }>).done)
  yield { kind: 'device', engine: 'a fake', device: 'no device', versions: {} }
  yield { kind: 'part', name: part, of: names.length }
  for (const [i, name] of names.entries()) {
    if (!done.has(name)) yield job.kind === 'parity' ? { kind: 'parity', report: report(name) } : { kind: 'items', metric: 'zero-shot/accuracy', items: [said(name)] }
    yield { kind: 'progress', done: i + 1, of: names.length }
  }
}

function aCheckingLab() {
  const fake = aFakeRunner()
  const run: Runner = async function* (job, signal) {
    fake.jobs.push(job)
    for (const event of checking(job)) {
      await fake.beforeEvent(job, event)
      if (signal.aborted) throw new LabError('cancelled', 'cancelled by signal')
      yield event
    }
  }
  return aLab(temporaryFolder(), { runner: Object.assign(fake, { run }) })
}

describe('a comparison with references', () => {
  it('keeps each report as it comes, and says at the end how many agree, and by what it was computed', async () => {
    const { lab } = aCheckingLab()
    const { taskId } = lab.parity.start('/cases')
    expect((await lab.tasks.ended(taskId)).result).toEqual({ kind: 'parity', agreed: 2, cases: 3, engine: 'a fake, no device' })
    expect(lab.parity.reports(taskId)).toEqual(CASES.map(report))
  })
})

describe('zero-shot classification', () => {
  it('keeps each answer, scores those with a class, and shows the surest of a cell first', async () => {
    const { lab } = aCheckingLab()
    const { taskId } = lab.zeroShot.start({ kind: 'zero-shot', model: '/clip', images: '/pictures', classes: null, templates: ['a {}'] })
    expect((await lab.tasks.ended(taskId)).result).toEqual({ kind: 'zero-shot', images: 4, scored: 3, right: 2 })
    expect(lab.zeroShot.scores(taskId)).toMatchObject({ accuracy: { of: 3, right: 2 }, meanPerClass: 0.5, unlabelled: [{ given: 'cat', count: 1 }] })
    expect(lab.zeroShot.answers(taskId, { expected: 'cat', given: 'cat' }, 10).map(({ image }) => image)).toEqual(['cat/2.png', 'cat/1.png'])
    expect(lab.zeroShot.answers(taskId, { expected: null, given: 'cat' }, 10).map(({ image }) => image)).toEqual(['4.png'])
    expect(lab.zeroShot.imageFile(taskId, 'cat/1.png')).toBe('/pictures/cat/1.png')
    expect([lab.zeroShot.imageFile(taskId, '../secret.png'), lab.zeroShot.imageFile('task-9', 'cat/1.png')]).toEqual([null, null])
  })
})

describe.each(['parity', 'zero-shot'] as const)('a %s task', (kind) => {
  it('that was paused goes on where it was, and one that is deleted leaves nothing behind', async () => {
    const { lab, runner } = aCheckingLab()
    const start = () => (kind === 'parity' ? lab.parity.start('/cases') : lab.zeroShot.start({ kind, model: '/clip', images: '/pictures', classes: null, templates: ['a {}'] }))
    const found = (taskId: string) => (kind === 'parity' ? lab.parity.reports(taskId).length : (lab.zeroShot.scores(taskId).accuracy?.of ?? 0))
    let taskId = ''
    runner.beforeEvent = (_, event) => {
      if (event.kind === 'progress' && event.done === 2) lab.tasks.pause(taskId)
    }
    taskId = start().taskId
    await expect(lab.tasks.ended(taskId)).rejects.toMatchObject({ code: 'cancelled' })
    expect([lab.tasks.get(taskId).status, found(taskId)]).toEqual(['paused', 2])
    runner.beforeEvent = () => {}
    lab.tasks.resume(taskId)
    expect((await lab.tasks.ended(taskId)).status).toBe('finished')
    expect(runner.jobs.map((job) => (job as Extract<Job, { kind: 'parity' }>).done.length)).toEqual([0, 2])
    expect(found(taskId)).toBe(3)
    lab.tasks.delete(taskId)
    expect(found(taskId)).toBe(0)
  })
})
