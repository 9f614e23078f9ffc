// `lab label`: what a person without a window, or a script, does with queues.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { judgementInputSchema } from '../../src-main/domain/labelling/judgement.ts'
import { aLab, aLabWithData } from '../support/a-lab.ts'
import { runLab } from '../support/run-cli.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** A project with a queue "mine" of six pairs, of which `labeller` judged all. */
async function aJudgedProject(labeller: string): Promise<string> {
  const project = temporaryFolder()
  await (await aLabWithData(project)).lab.close()
  const made = await runLab(['--project', project, '--json', 'label', 'make', 'mine', '--dataset', 'preferences', '--set', 'settings.repeatShare=0'])
  expect(made.json()).toMatchObject([{ event: 'queue', name: 'mine', slots: 6, status: 'ready' }])
  const { lab } = aLab(project)
  const queueId = lab.labelling.named('mine').id
  for (let ordinal = 0; ordinal < 6; ordinal++)
    lab.labelling.judge(judgementInputSchema.parse({ queueId, ordinal, labeller, choice: ordinal % 2 ? 'a' : 'b', seconds: 2 }), 1, false)
  await lab.close()
  return project
}

it('makes a queue, lists it, tells its trust and writes its pairs', async () => {
  const project = await aJudgedProject('Ada')
  const run = (...args: string[]) => runLab(['--project', project, ...args])
  expect((await run('label', 'list')).out).toMatch(/mine.*ready.*6.*Ada 6/)
  const trust = await run('label', 'trust', 'mine')
  expect(trust.out).toMatch(/Ada\s+6\s+50\.0 %/)
  const out = join(project, 'out')
  expect((await run('label', 'export', 'mine', out, '--format', 'mmpr')).out.trim()).toBe(out)
  expect(JSON.parse(readFileSync(join(out, 'labels.jsonl'), 'utf8').split('\n')[0]!)).toMatchObject({ labeller: 'Ada', preferred: expect.stringMatching(/^th(is|at)$/) })
  expect((await run('label', 'export', 'mine', out)).err).toMatch(/exists already/)
  expect((await run('label', 'health', 'preferences')).out).toMatch(/Duplicates\s+0/)
})

it('merges the labels of another project folder', async () => {
  const project = await aJudgedProject('Ada')
  const shared = join(project, 'labels.json')
  expect((await runLab(['--project', project, 'label', 'share', 'mine', shared])).out.trim()).toBe(shared)
  const other = temporaryFolder()
  await (await aLabWithData(other)).lab.close()
  const merged = await runLab(['--project', other, '--json', 'label', 'merge', shared])
  expect(merged.json()).toMatchObject([{ event: 'merged', queue: 'mine', labellers: ['Ada'], added: 6, unchanged: 0 }])
  const again = await runLab(['--project', other, '--json', 'label', 'merge', project])
  expect(again.json()).toMatchObject([{ event: 'merged', added: 0, unchanged: 6 }])
})

it('refuses a queue that there is not, a name that is taken and a setting that is none, by name', async () => {
  const project = await aJudgedProject('Ada')
  const run = (...args: string[]) => runLab(['--project', project, ...args])
  expect((await run('label', 'trust', 'other')).err).toMatch(/no queue "other".*"mine"/)
  expect((await run('label', 'make', 'mine', '--dataset', 'preferences')).err).toMatch(/queue "mine" already/)
  expect((await run('label', 'make', 'next', '--dataset', 'preferences', '--set', 'settings.sed=1')).err).toMatch(/settings.*sed/)
  expect((await run('label', 'make', 'next', '--dataset', 'questions')).err).toMatch(/expected preferences.*"questions" holds questions/)
  expect((await run('label', 'list')).out).not.toContain('next')
})
