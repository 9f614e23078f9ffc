// What browsing asks of a project with 100,000 pictures and 200,000 pairs, as percentiles, and for how long main stands still while
// all of it is walked over.

import { dataCheckSettingsSchema, type DataCheck } from '../../src-main/domain/data-check.ts'
import type { Runner } from '../../src-main/domain/job.ts'
import { queueRequestSchema } from '../../src-main/domain/labelling/queue.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import { pageRequestSchema, sampleFilterSchema, type Cursor, type SampleFilter } from '../../src-main/domain/sample-query.ts'
import { splitRuleSchema } from '../../src-main/domain/split-rule.ts'
import { createChildProcessRunner } from '../../src-main/jobs/child-process.ts'
import { openLab } from './bench-lab.ts'
import type { LargeProjects } from './large-project.ts'
import { measureOf, type RoomMeasure } from './room-measure.ts'

const QUERY_GOAL_MS = 50

export async function* measureQueries(projects: LargeProjects): AsyncGenerator<RoomMeasure> {
  const { project, rowsPerSecond } = await projects.copy('queries')
  if (rowsPerSecond !== null) yield measureOf('rows written', 'rows/s', [rowsPerSecond])
  yield* measureReading(project, projects.images)
  yield* measureHeavyWork(project)
}

async function* measureReading(project: string, images: number): AsyncGenerator<RoomMeasure> {
  const random = createRandom(1, 'queries')
  const noRunner: Runner = async function* () {}
  const opening = performance.now()
  const open = openLab(project, noRunner)
  const { id: pairsId } = open.datasets.named('pairs')
  open.curation.page(pageRequestSchema.parse({ filter: { datasetId: pairsId } }))
  yield measureOf('open the project and its first page', 'ms', [performance.now() - opening])
  const { id: imagesId } = open.datasets.named('images')
  await open.curation.change(
    { kind: 'filter', filter: sampleFilterSchema.parse({ datasetId: pairsId, categories: ['kind 7'] }), except: [] },
    { kind: 'tag', tag: 'odd' },
  )
  const filters: Readonly<Record<string, object>> = {
    'no filter': { datasetId: pairsId },
    split: { datasetId: pairsId, splits: ['test'] },
    tag: { datasetId: pairsId, tags: ['odd'] },
    category: { datasetId: imagesId, categories: ['class 77'] },
    source: { datasetId: pairsId, sources: ['scene 99'] },
    'format and size': { datasetId: imagesId, imageFormats: ['png'], width: { from: 200, to: 400 } },
    'text length': { datasetId: pairsId, textLength: { from: 300 } },
    'text search': { datasetId: pairsId, text: 'river 1234' },
    'has pair': { datasetId: imagesId, hasPair: true },
    'no pair': { datasetId: imagesId, hasPair: false },
    'all datasets': {},
    'kept and excluded': { states: ['kept', 'excluded'] },
  }
  for (const [name, filter] of Object.entries(filters)) {
    for (const sort of ['imported', 'textLength', 'pixels'] as const) {
      let after: Cursor | null = null
      yield timed(`page, ${name}, by ${sort}`, 20, () => {
        after = open.curation.page(pageRequestSchema.parse({ filter, sort, after, limit: 100 })).next
      })
      yield timed(`order, ${name}, by ${sort}`, 5, () => open.curation.order(pageRequestSchema.parse({ filter, sort })))
    }
    yield timed(`facets, ${name}`, 5, () => open.curation.facets(sampleFilterSchema.parse(filter)))
    yield timed(`count, ${name}`, 10, () => open.curation.count(sampleFilterSchema.parse(filter)))
  }
  yield timed('list of datasets', 10, () => open.datasets.list())
  yield timed('one sample', 50, () => open.curation.get(1 + random.integer(images)))
  yield await timedLater('tag and undo 20,000', 3, async () => {
    const filter = sampleFilterSchema.parse({ datasetId: pairsId, splits: ['test'] })
    await open.curation.change({ kind: 'filter', filter, except: [] }, { kind: 'tag', tag: 'seen' })
    await open.curation.undo()
  })
  await open.close()
}

/** What main's event loop is held up for while the process for data walks over everything. */
async function* measureHeavyWork(project: string): AsyncGenerator<RoomMeasure> {
  const child = createChildProcessRunner(new URL('../../src-main/data-process-entry.ts', import.meta.url))
  // The pictures are none: what a look at them would tell is invented, a fifth of it alike.
  const runner: Runner = async function* (job, signal) {
    if (job.kind !== 'examine-images') return yield* child.run(job, signal)
    const alike = '0123456789abcdef'
    yield {
      kind: 'examined',
      images: job.images.map(({ sha256 }, i) => ({
        ...{ sha256, pixelHash: sha256.slice(0, 16), brightness: 100, contrast: 50, hasThumbnail: false, fault: null },
        perceptualHash: i % 5 === 0 ? alike.slice(0, 12) + sha256.slice(0, 4) : sha256.slice(16, 32),
      })),
    }
  }
  const lab = openLab(project, runner)
  const [images, pairs] = ['images', 'pairs'].map((name) => sampleFilterSchema.parse({ datasetId: lab.datasets.named(name).id })) as [SampleFilter, SampleFilter]
  const ofPairs = { kind: 'filter' as const, filter: pairs, except: [] }
  const rule = splitRuleSchema.parse({})
  const check = async (kind: DataCheck, filter: SampleFilter) =>
    lab.tasks.ended(lab.checks.start({ check: kind, filter, settings: dataCheckSettingsSchema.parse({}) }).taskId)
  const work: Readonly<Record<string, () => Promise<unknown>>> = {
    statistics: () => lab.curation.statistics(pairs),
    'preview of splits': () => lab.curation.previewSplits(ofPairs, rule),
    'dividing into splits': () => lab.curation.change(ofPairs, { kind: 'divide', rule }),
    'health of pairs': () => lab.pairHealth.health('pairs'),
    'a queue of 500': async () => {
      const { queueId } = lab.labelQueues.create(queueRequestSchema.parse({ name: 'bench', source: { kind: 'pairs', dataset: 'pairs' } }))
      await lab.labelQueues.ended(queueId)
    },
    'near duplicates': () => check('near-duplicates', images),
    'exact duplicates': () => check('exact-duplicates', pairs),
    'a snapshot': () => lab.datasets.takeSnapshot(pairs.datasetId!),
    'deleting 200,000 samples': () => lab.datasets.delete(pairs.datasetId!),
  }
  try {
    for (const [what, go] of Object.entries(work)) {
      const from = performance.now()
      const longest = await longestBlockOf(go)
      yield measureOf(`${what}, all of it`, 'ms', [performance.now() - from])
      yield measureOf(`${what}, longest that main stood still`, 'ms', [longest])
    }
    await lab.close()
  } finally {
    child.close()
  }
}

async function longestBlockOf(work: () => Promise<unknown>): Promise<number> {
  let [longest, last, isOver] = [0, performance.now(), false]
  const beat = () => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
    if (!isOver) setImmediate(beat)
  }
  setImmediate(beat)
  await work()
  isOver = true
  return Math.max(longest, performance.now() - last)
}

function timed(what: string, n: number, work: () => unknown): RoomMeasure {
  const times: number[] = []
  for (let i = 0; i < n; i++) {
    const from = performance.now()
    work()
    times.push(performance.now() - from)
  }
  return measureOf(what, 'ms', times, { goal: QUERY_GOAL_MS })
}

async function timedLater(what: string, n: number, work: () => Promise<unknown>): Promise<RoomMeasure> {
  const times: number[] = []
  for (let i = 0; i < n; i++) {
    const from = performance.now()
    await work()
    times.push(performance.now() - from)
  }
  return measureOf(what, 'ms', times)
}
