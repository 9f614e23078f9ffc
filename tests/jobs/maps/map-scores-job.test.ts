// Laws of scored maps: every declared metric and no other, means of the items behind them, the same items for every encoder, and
// scores that know where the region is.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jobSchema, type JobEvent, type MapScoresJob } from '../../../src-main/domain/job.ts'
import { metricNamed } from '../../../src-main/domain/metric.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { runMapScoresJob } from '../../../src-main/jobs/maps/map-scores-job.ts'
import { faultOfPromise } from '../../support/fault-of.ts'
import { tinyProject, type TinyProject } from '../evaluate/tiny-project.ts'

const root = mkdtempSync(join(tmpdir(), 'pivot-lab-map-scores-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let tiny: TinyProject
let checkpoints: readonly string[]
beforeAll(async () => {
  await openBackend()
  tiny = tinyProject(root)
  checkpoints = [await tiny.checkpoint(1), await tiny.checkpoint(2)]
})

type Of<K> = Extract<JobEvent, { kind: K }>
async function scored(fields: object, settings: object, signal = { aborted: false }) {
  const job = jobSchema.parse({ kind: 'map-scores', project: root, checkpoint: checkpoints[0], snapshot: tiny.snapshots.preferences, settings: { limit: 5, ...settings }, ...fields })
  const events: JobEvent[] = []
  for await (const event of runMapScoresJob(job as MapScoresJob, signal)) events.push(event)
  const ofKind = <K extends JobEvent['kind']>(kind: K) => events.filter((event) => event.kind === kind) as Of<K>[]
  return { results: ofKind('result'), items: ofKind('items'), logs: ofKind('log') }
}

describe('scored maps', () => {
  it('every method has its four scores, each the mean of its items within its interval, under a name that has words', async () => {
    const { results, items } = await scored({}, {})
    expect(results).toHaveLength(4 * (4 + 6))
    for (const { metric, value, n, interval } of results) {
      const values = items.find((each) => each.metric === metric)!.items.map((item) => item.value)
      expect([values.length, value]).toEqual([n, values.reduce((a, b) => a + b, 0) / n])
      expect(interval!.low).toBeLessThanOrEqual(value)
      expect(interval!.high).toBeGreaterThanOrEqual(value)
      expect(metricNamed(metric).meaning).not.toBe('')
    }
  })

  it('encoders are scored on the same items', async () => {
    const ids = await Promise.all(
      checkpoints.map(async (checkpoint) => (await scored({ checkpoint }, { methods: ['patch-norm'] })).items.map((each) => each.items.map(({ itemId }) => itemId))),
    )
    expect(ids[0]).toEqual(ids[1])
  })

  it('objects are scored by their masks, with the maps that need no answer, and the others are said to be left out', async () => {
    const { results, logs } = await scored({ snapshot: tiny.snapshots.objects }, { methods: ['rollout', 'occlusion'] })
    expect(new Set(results.map(({ metric }) => metric.split('/')[1]))).toEqual(new Set(['rollout']))
    expect(logs.map(({ message }) => message).join()).toContain('occlusion')
  })

  it('data without regions are refused, and a stop is heeded', async () => {
    expect(await faultOfPromise(scored({ snapshot: tiny.snapshots.captions }, {}))).toMatchObject({ code: 'invalid-input', message: expect.stringContaining('none of') })
    expect(await faultOfPromise(scored({}, {}, { aborted: true }))).toMatchObject({ code: 'cancelled' })
  })
})
