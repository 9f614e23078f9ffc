// Runs of other programs beside the lab's own: listed, drawn and noted like them, never taken for a model, and read anew without losing what
// was written beside them.

import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runFilterSchema } from '../../src-main/domain/run-browser.ts'
import { aLab } from '../support/a-lab.ts'
import { faultOf, faultOfPromise } from '../support/fault-of.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const logs = join(import.meta.dirname, 'run-logs/wandb')
const id = 'wandb-0llo4fyl'
const filter = runFilterSchema.parse({})

it('are listed with their curves, under the lab’s names where they mean the same, and with their configuration', async () => {
  const { lab } = aLab(temporaryFolder())
  expect(await lab.runImports.import(logs)).toEqual({ added: [id], renewed: [], faults: [] })
  const view = lab.runs.get(id)
  expect(view.row).toMatchObject({ name: 'dpo beta 0.1', status: 'finished', origin: 'wandb', objective: null, step: 12, note: 'a note', tags: ['a', 'b'] })
  expect(view.config).toBe(null)
  expect(view.imported).toMatchObject({ config: { lr: 0.0001, late: true }, origin: { kind: 'wandb', project: 'eyes', group: 'g', runId: '0llo4fyl' } })
  expect(lab.runs.series(id, ['loss', 'eval.acc'], 100).map(({ points }) => points)).toEqual([[...Array.from({ length: 12 }, (_, step) => [step, 1 / (step + 1)]), [12, 0.25]], [[0, 0]]])
  expect(lab.runs.clock(id).length).toBe(12)
  expect(lab.runs.log(id, 0, 10).map(({ message }) => message).join()).toMatch(/eyes.*train\/loss.*no numbers: .*text.*2 values that are not finite/)
  expect(lab.runBrowser.browse(filter, 'objective')).toMatchObject([{ label: 'Logged by other programs', runs: [{ id }] }])
  expect(lab.runBrowser.browse({ ...filter, text: 'wandb beta' }, 'none')[0]!.runs).toHaveLength(1)
  expect(lab.runBrowser.lineage(id).nodes).toMatchObject([{ kind: 'folder' }, { kind: 'run', id }])
  await lab.close()
})

it('taken in again, are read anew: rows that went on are there, and a person’s note, tags and name stay', async () => {
  const { lab } = aLab(temporaryFolder())
  const folder = temporaryFolder()
  const file = join(folder, 'offline-run-1', 'run-0llo4fyl.wandb')
  const whole = readFileSync(join(logs, 'offline-run-20261124_220356-0llo4fyl', 'run-0llo4fyl.wandb'))
  mkdirSync(join(folder, 'offline-run-1'))
  writeFileSync(file, whole.subarray(0, 1200))
  await lab.runImports.import(folder)
  const early = lab.runs.get(id).row
  expect(early).toMatchObject({ status: 'failed', failure: { code: 'process-died', message: expect.stringMatching(/no ending, and breaks off .* byte \d+.*import it again/) } })
  lab.runBrowser.annotate(id, { note: 'mine', tags: ['kept'], name: 'my name' })
  writeFileSync(file, whole)
  expect(await lab.runImports.import(folder)).toMatchObject({ added: [], renewed: [id] })
  const late = lab.runs.get(id).row
  expect(late.step).toBeGreaterThan(early.step)
  expect(late).toMatchObject({ status: 'finished', failure: null, note: 'mine', tags: ['kept'], name: 'my name' })
  await lab.close()
})

it('what cannot be read is named, and the others go in; a folder without logs is refused', async () => {
  const { lab } = aLab(temporaryFolder())
  const folder = temporaryFolder()
  cpSync(logs, folder, { recursive: true })
  mkdirSync(join(folder, 'offline-run-2'))
  writeFileSync(join(folder, 'offline-run-2', 'run-bad.wandb'), 'not a log')
  writeFileSync(join(folder, 'offline-run-2', 'run-empty.wandb'), '')
  const { added, faults } = await lab.runImports.import(folder)
  expect(added).toEqual([id])
  expect(faults.map(({ file }) => file.split('/').at(-1))).toEqual(['run-bad.wandb', 'run-empty.wandb'])
  expect(faults.every(({ file, message }) => message.includes(file))).toBe(true)
  expect(await faultOfPromise(lab.runImports.import(temporaryFolder()))).toMatchObject({ code: 'not-found', message: expect.stringContaining('offline-run') })
  expect(await faultOfPromise(lab.runImports.import('/nowhere/at/all'))).toMatchObject({ code: 'not-found' })
  await lab.close()
})

it('are no models: nothing continues, exports or measures them, and they can be deleted', async () => {
  const { lab } = aLab(temporaryFolder())
  await lab.runImports.import(logs)
  expect(lab.encoders.list()).toEqual([])
  for (const asked of [() => lab.runs.resume(id), () => lab.runs.newestCheckpoint(id), () => lab.runs.pause(id)])
    expect(faultOf(asked)).toMatchObject({ code: 'conflict', message: expect.stringContaining('logged by wandb') })
  const artifact = await lab.runLogs.write([id], 'csv', null)
  expect(readFileSync(join(artifact.path, 'runs.csv'), 'utf8')).toContain('dpo beta 0.1,loss,0,1')
  await lab.runs.delete(id)
  expect(lab.runs.list()).toEqual([])
  await lab.close()
})
