// `npm run bench -- --evaluate`, its part about comparing: eight encoders that answered 20,000 questions of one benchmark, each
// with its answer beside it, opened as the Compare page opens them: a fresh process's first question, and the next ones.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Runner } from '../../src-main/domain/job.ts'
import type { ItemResult } from '../../src-main/domain/job.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import { openForWriting } from '../../src-main/store/database.ts'
import { createStore } from '../../src-main/store/store.ts'
import { openLab } from './bench-lab.ts'

export interface EvaluateMeasure {
  readonly what: string
  readonly n: string
  readonly value: number
  readonly unit: string
  /** Seconds of processor time that it took: what of `value` is not waiting for others on the machine. */
  readonly processor?: number
  /** What it should be on an idle machine of two cores. */
  readonly goal?: string
}

const CATEGORIES = 10

export async function* measureComparing(encoders: number, items: number): AsyncGenerator<EvaluateMeasure> {
  const folder = mkdtempSync(join(tmpdir(), 'pivot-lab-compare-'))
  const n = `${encoders} encoders, ${items.toLocaleString('en')} items each`
  try {
    writeAnswers(join(folder, 'lab.sqlite'), encoders, items)
    const noJobs: Runner = () => {
      throw new Error('the bench runs no job')
    }
    const lab = openLab(folder, noJobs, 'read')
    try {
      const ids = lab.encoders.list().map(({ id }) => id)
      const timed = <T>(work: () => T): { readonly ms: number; readonly processor: number; readonly value: T } => {
        const [from, used] = [performance.now(), process.cpuUsage()]
        const value = work()
        const { user, system } = process.cpuUsage(used)
        return { ms: performance.now() - from, processor: (user + system) / 1e6, value }
      }
      const first = timed(() => lab.comparisons.table({ encoders: ids, scope: 'headline', reference: null }))
      yield { what: 'opening a comparison, first time', n, value: first.ms, unit: 'ms', processor: first.processor, goal: 'at most 1000' }
      const again = timed(() => lab.comparisons.table({ encoders: ids, scope: 'headline', reference: null }))
      yield { what: 'opening it again', n, value: again.ms, unit: 'ms', processor: again.processor, goal: 'at most 1000' }
      const all = timed(() => lab.comparisons.table({ encoders: ids, scope: 'all', reference: null }))
      yield { what: `with every category (${all.value.rows.length} rows)`, n, value: all.ms, unit: 'ms', processor: all.processor }
      const behind = timed(() =>
        lab.comparisons.items({ encoders: ids, row: first.value.rows[0]!.id, slicing: 'category', slice: null, order: 'gain', show: 'all', from: 0, limit: 50 }),
      )
      yield { what: 'the items behind a number, with slices', n, value: behind.ms, unit: 'ms', processor: behind.processor }
    } finally {
      await lab.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function writeAnswers(file: string, encoders: number, items: number): void {
  const store = createStore(openForWriting(file, 'the bench'))
  const settings = { suffix: null, maxNewTokens: 32, limit: null, seed: 0, batchSize: 16 }
  for (let e = 0; e < encoders; e++) {
    const [id, random] = [`folder-${e}`, createRandom(0, 'comparing', e)]
    store.encoders.insert({ id, colour: e, name: `encoder ${e}`, folder: `/nowhere/${e}`, sha256: String(e), preprocessing: [], createdAtMs: e })
    store.evaluations.insert({
      id: `evaluation-${e}`,
      studyId: null,
      phaseId: null,
      encoder: null,
      seed: null,
      encoderId: id,
      protocol: null,
      job: { kind: 'benchmark', project: '/', checkpoint: id, snapshot: 'a'.repeat(64), settings, answers: [] },
      createdAtMs: e,
    })
    const answers = Array.from({ length: items }, (_, i): ItemResult => {
      const hash = `${i}`.padStart(64, '0')
      const given = { image: hash, prompt: `What is there? ${'A choice. '.repeat(12)}`, expected: ['B'], given: 'B. A mug on a table', parsed: 'B', value: 1 }
      return { itemId: hash, cluster: `image ${i >> 1}`, group: `category ${i % CATEGORIES}`, value: random.uniform() < 0.6 + 0.01 * e ? 1 : 0, detail: { kind: 'benchmark', answers: [given] } }
    })
    const tell = (metric: string, of: readonly ItemResult[]) => {
      store.evaluations.insertItems(`evaluation-${e}`, metric, of)
      store.evaluations.insertResult(`evaluation-${e}`, metric, of.reduce((sum, { value }) => sum + value, 0) / of.length, of.length)
    }
    tell('benchmark/own/accuracy', answers)
    for (let c = 0; c < CATEGORIES; c++) tell(`benchmark/own/accuracy/category ${c}`, answers.filter(({ group }) => group === `category ${c}`))
    tell('benchmark/own/unparsed', answers)
  }
  store.close()
}
