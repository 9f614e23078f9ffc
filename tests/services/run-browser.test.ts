// Notes, the pinned run, and where a run comes from: facts of the database, told of a whole study.

import { describe, expect, it } from 'vitest'
import { exportSettingsSchema } from '../../src-main/domain/export.ts'
import { lineageColumns } from '../../src-main/domain/lineage.ts'
import { runFilterSchema } from '../../src-main/domain/run-browser.ts'
import { runRequestSchema } from '../../src-main/domain/run-view.ts'
import { aLabWithData } from '../support/a-lab.ts'
import { aStudyConfig } from '../support/builders.ts'
import { faultOf } from '../support/fault-of.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

async function aFinishedStudy() {
  const made = await aLabWithData(temporaryFolder())
  const { studyId } = made.lab.studies.start({ kind: 'config', config: aStudyConfig({ seeds: [0] }) })
  await made.lab.studies.ended(studyId)
  const runOf = (stage: string) => made.lab.studies.get(studyId).phases.find(({ id }) => id === `seed-0/${stage}`)!.runId!
  return { ...made, studyId, runOf }
}

describe('what a person notes', () => {
  it('is kept beside the run, finds it, and leaves alone what is not said', async () => {
    const { lab, announcements, runOf } = await aFinishedStudy()
    const runId = runOf('dpo')
    const { name } = lab.runs.get(runId).row
    lab.runBrowser.annotate(runId, { note: 'the good one' })
    lab.runBrowser.annotate(runId, { tags: ['b', 'a', 'b'] })
    expect(lab.runs.get(runId).row).toMatchObject({ name, note: 'the good one', tags: ['a', 'b'] })
    expect(announcements.at(-1)).toEqual({ name: 'run.changed', value: { runId } })
    const found = (filter: object) => lab.runBrowser.browse(runFilterSchema.parse(filter), 'none').flatMap(({ runs }) => runs.map(({ id }) => id))
    expect(found({ tag: 'a' })).toEqual([runId])
    expect(found({ text: 'good one' })).toEqual([runId])
    expect(faultOf(() => lab.runBrowser.annotate('nothing', { note: '' })).code).toBe('not-found')
    await lab.close()
  })

  it('pins a run that there is, and unpins it', async () => {
    const { lab, runOf } = await aFinishedStudy()
    lab.runBrowser.pin(runOf('sft'))
    expect(lab.settings.get().baselineRun).toBe(runOf('sft'))
    expect(faultOf(() => lab.runBrowser.pin('nothing')).code).toBe('not-found')
    lab.runBrowser.pin(null)
    expect(lab.settings.get().baselineRun).toBeNull()
    await lab.close()
  })
})

describe('runs side by side', () => {
  it('tell their last values, and the settings in which they differ', async () => {
    const { lab, runOf } = await aFinishedStudy()
    const latest = lab.runBrowser.latest(['loss', 'nothing'])
    for (const run of lab.runs.list()) expect(latest[run.id]).toEqual({ loss: 1 / run.step })
    const differences = lab.runBrowser.differences([runOf('sft'), runOf('dpo')])
    expect(differences.find(({ setting }) => setting === 'training.objective.kind')).toEqual({ setting: 'training.objective.kind', values: ['sft', 'dpo'] })
    expect(differences.map(({ setting }) => setting)).not.toContain('snapshot')
    expect(faultOf(() => lab.runBrowser.differences([runOf('sft'), runOf('sft')])).message).toContain('found 1')
    await lab.close()
  })

  it('have a clock: seconds worked at every step, ever later, pauses left out', async () => {
    const { lab, clock } = await aLabWithData(temporaryFolder())
    const { runId } = await lab.runs.start(runRequestSchema.parse({ name: 'mine', dataset: 'preferences', training: { steps: 4 } }))
    await lab.runs.ended(runId)
    const times = lab.runs.clock(runId)
    expect(times.map(([step]) => step)).toEqual([1, 2, 3, 4])
    for (const [index, [, seconds]] of times.entries()) expect(seconds).toBeGreaterThan(index === 0 ? 0 : times[index - 1]![1])
    expect(times.at(-1)![1]).toBeLessThanOrEqual(lab.runs.get(runId).row.workedMs / 1000)
    expect(clock.ms).toBeGreaterThan(0)
    await lab.close()
  })
})

describe('a lineage', () => {
  it('goes from the data over stage 1 to the arm, its measurements and its exports', async () => {
    const { lab, studyId, runOf } = await aFinishedStudy()
    const own = await lab.exports.export({ checkpoint: runOf('dpo'), settings: exportSettingsSchema.parse({}), folder: null, parent: null })
    const { nodes, edges } = lab.runBrowser.lineage(runOf('dpo'))
    const ids = nodes.map(({ id }) => id)
    expect(ids).toEqual(expect.arrayContaining([runOf('alignment'), runOf('instruction'), runOf('dpo'), own.artifact.id]))
    expect(ids).not.toContain(runOf('sft'))
    expect(edges).toContainEqual({ from: runOf('instruction'), to: runOf('dpo') })
    const { preferences } = lab.studies.get(studyId).snapshots
    expect(edges).toContainEqual({ from: `data:${preferences}`, to: runOf('dpo') })
    expect(nodes.find(({ id }) => id === `data:${preferences}`)).toMatchObject({ label: 'preferences', ref: lab.datasets.list().find(({ name }) => name === 'preferences')!.id })
    // Its own evaluation, and the export that the study made of it, beside the one that was asked for.
    expect(nodes.filter(({ kind }) => kind === 'evaluation').map(({ label }) => label)).toContain('seed-0/dpo/evaluate')
    expect(nodes.filter(({ kind }) => kind === 'export')).toHaveLength(2)
    expect(lineageColumns({ nodes, edges })[0]!.map(({ label }) => label)).toEqual(['captions'])
    await lab.close()
  })

  it('of a start shows everything that came of it, and of an unknown run is refused', async () => {
    const { lab, runOf } = await aFinishedStudy()
    const ids = lab.runBrowser.lineage(runOf('instruction')).nodes.map(({ id }) => id)
    expect(ids).toEqual(expect.arrayContaining([runOf('sft'), runOf('dpo')]))
    expect(faultOf(() => lab.runBrowser.lineage('nothing')).code).toBe('not-found')
    await lab.close()
  })
})
