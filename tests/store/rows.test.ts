// What goes into a table comes back as it went in, and what must not go in is refused.

import { beforeEach, describe, expect, it } from 'vitest'
import { openForWriting, type Db } from '../../src-main/store/database.ts'
import { createStore, type Store } from '../../src-main/store/store.ts'
import { aRunConfig, aStudyConfig } from '../support/builders.ts'
import { faultOf } from '../support/fault-of.ts'

let store: Store
let db: Db
beforeEach(() => {
  const opened = openForWriting(':memory:', 'a test')
  db = opened.db
  store = createStore(opened)
  store.runs.insert({
    id: 'run',
    name: 'a run',
    studyId: null,
    phaseId: null,
    dataset: 'pairs',
    config: aRunConfig({ steps: 9 }),
    folder: '/runs/run',
    createdAtMs: 5,
  })
})

describe('runs', () => {
  it('come back with their configuration, and count only the time under way', () => {
    store.runs.begin('run', 100)
    store.runs.end('run', 'paused', 150)
    store.runs.begin('run', 1000)
    store.runs.end('run', 'finished', 1007)
    const { row, config } = store.runs.find('run')!
    expect(config).toEqual(aRunConfig({ steps: 9 }))
    expect(row).toMatchObject({
      status: 'finished',
      steps: 9,
      startedAtMs: 100,
      finishedAtMs: 1007,
      workedMs: 57,
      dataset: 'pairs',
    })
  })

  it('follow the table of statuses: what has finished cannot run again', () => {
    store.runs.begin('run', 1)
    store.runs.end('run', 'finished', 2)
    expect(faultOf(() => store.runs.begin('run', 3)).code).toBe('conflict')
  })

  it('a configuration that is damaged on disk is named, not trusted', () => {
    db.prepare('UPDATE runs SET config = ?').run('{"training": {"steps": "many"}}')
    const refused = faultOf(() => store.runs.find('run'))
    expect(refused.code).toBe('corrupt-artifact')
    expect(refused.message).toContain('runs.config')
  })
})

describe('metrics', () => {
  it.each([NaN, Infinity, -Infinity])('%s cannot enter, nor anything else of its step', (value) => {
    const refused = faultOf(() => store.runMetrics.insertStep('run', 3, { grad_norm: 1, loss: value }))
    expect(refused.code).toBe('loss-not-finite')
    expect(refused.details).toMatchObject({ step: 3, metric: 'loss' })
    expect(store.runMetrics.names('run')).toEqual([])
  })

  it('NaN is refused by the table itself, whoever writes it', () => {
    expect(() => db.prepare("INSERT INTO run_metrics VALUES ('run', 'loss', 1, ?)").run(NaN)).toThrow('NOT NULL')
  })

  it('a step trained again after a resume replaces its row', () => {
    store.runMetrics.insertStep('run', 1, { loss: 2 })
    store.runMetrics.insertStep('run', 1, { loss: 3 })
    expect(store.runMetrics.series('run', 'loss', 10).points).toEqual([[1, 3]])
  })

  it.each([2, 3, 10, 99, 100, 600])('a series is thinned to %i points and keeps its ends', (points) => {
    for (let step = 1; step <= 250; step++) store.runMetrics.insertStep('run', step, { loss: step })
    const thinned = store.runMetrics.series('run', 'loss', points).points
    expect(thinned.length).toBeLessThanOrEqual(points)
    expect(thinned.length).toBeGreaterThan(Math.min(points, 250) / 2)
    expect([thinned[0], thinned.at(-1)]).toEqual([
      [1, 1],
      [250, 250],
    ])
  })

  it('the chart’s question is a search of the primary key', () => {
    const plan = db
      .prepare("EXPLAIN QUERY PLAN SELECT step, value FROM run_metrics WHERE run_id = 'run' AND name = 'loss' ORDER BY step")
      .all() as { detail: string }[]
    expect(plan.map(({ detail }) => detail)).toEqual([expect.stringContaining('USING PRIMARY KEY (run_id=? AND name=?)')])
  })
})

describe('deleting', () => {
  it('a run takes its metrics, log and checkpoints with it', () => {
    store.runMetrics.insertStep('run', 1, { loss: 2 })
    store.runLog.append('run', 1, 'info', 'hello')
    store.checkpoints.insert({ runId: 'run', step: 1, folder: '/c', sha256: 'c', createdAtMs: 1 })
    store.runs.delete('run')
    for (const table of ['run_metrics', 'run_log', 'checkpoints'])
      expect(db.prepare(`SELECT COUNT(*) FROM ${table}`).pluck().get()).toBe(0)
  })
})

describe('the log', () => {
  it('gives the newest lines after the last one seen, oldest first', () => {
    for (let line = 1; line <= 10; line++) store.runLog.append('run', line, 'info', `line ${line}`)
    expect(store.runLog.after('run', 0, 3).map(({ message }) => message)).toEqual(['line 8', 'line 9', 'line 10'])
    expect(store.runLog.after('run', 9, 3).map(({ message }) => message)).toEqual(['line 10'])
  })
})

describe('evaluations', () => {
  it('measuring a phase again forgets what was measured before', () => {
    store.studies.insert({ id: 'study', preset: null, config: aStudyConfig(), sightTest: null, folder: '/s', createdAtMs: 1 })
    const job = {
      kind: 'evaluate',
      project: '/',
      checkpoint: '/c',
      baseline: null,
      evaluators: ['questions'],
      settings: aStudyConfig().evaluation,
      snapshots: { questions: null, preferences: null, objects: null, captions: null },
    } as const
    for (const id of ['first', 'second'])
      store.evaluations.insert({
        id,
        studyId: 'study',
        phaseId: 'seed-0/sft/evaluate',
        encoder: 'sft',
        seed: 0,
        encoderId: null,
        protocol: null,
        job: { ...job, evaluators: ['questions'] },
        createdAtMs: 1,
      })
    expect(() => store.evaluations.insertResult('first', 'vqa/all', 0.5, 4)).toThrow('FOREIGN KEY')
    store.evaluations.insertResult('second', 'vqa/all', 0.25, 4)
    expect(store.evaluations.resultsOfStudy('study')).toEqual([{ encoder: 'sft', seed: 0, metric: 'vqa/all', value: 0.25, n: 4 }])
  })

  it('a measurement that is no number is a bug, not a row', () => {
    expect(faultOf(() => store.evaluations.insertResult('any', 'vqa/all', NaN, 1)).code).toBe('internal')
  })
})

describe('settings', () => {
  it('change one at a time; the others keep their value', () => {
    expect(store.settings.get()).toMatchObject({ theme: 'system', backend: 'auto' })
    store.settings.set({ theme: 'dark' })
    expect(store.settings.set({ backend: 'wasm' })).toMatchObject({ theme: 'dark', backend: 'wasm' })
    store.settings.set({ judgingKeys: { flag: ['q', 'F13'] } })
    expect(store.settings.get()).toMatchObject({ theme: 'dark', judgingKeys: { flag: ['q', 'F13'] } })
    expect(store.settings.set({ judgingKeys: {} }).judgingKeys).toEqual({})
  })
})
