// `npm run bench -- --rooms`: the Data room at the size of a real project. Import of pictures (rate, peak memory of the
// process that reads them), what browsing asks of a project with 100,000 pictures and 200,000 pairs, as percentiles, and for how
// long main stands still while all of it is walked over.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PlacedEvent } from '../../src-main/domain/data-job.ts'
import type { Runner } from '../../src-main/domain/job.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import { dataCheckSettingsSchema, type DataCheck } from '../../src-main/domain/data-check.ts'
import { queueRequestSchema } from '../../src-main/domain/labelling/queue.ts'
import { pageRequestSchema, sampleFilterSchema, type Cursor, type SampleFilter } from '../../src-main/domain/sample-query.ts'
import { splitRuleSchema } from '../../src-main/domain/split-rule.ts'
import { createChildProcessRunner } from '../../src-main/jobs/child-process.ts'
import { sha256 } from '../../src-main/jobs/files.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { openLab } from './bench-lab.ts'

export interface RoomMeasure {
  readonly what: string
  readonly n: number
  readonly value: number
  readonly unit: string
  readonly p95?: number
}

export interface RoomSizes {
  readonly imported: number
  readonly images: number
  readonly pairs: number
}

export async function* measureRooms({ imported, images, pairs }: RoomSizes): AsyncGenerator<RoomMeasure> {
  const folder = mkdtempSync(join(tmpdir(), 'pivot-lab-rooms-'))
  try {
    yield* measureImport(join(folder, 'import'), imported)
    yield* measureQueries(join(folder, 'browse'), images, pairs)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Pictures of 96 × 96 with one question each, by the same process as the lab's. */
async function* measureImport(folder: string, count: number): AsyncGenerator<RoomMeasure> {
  mkdirSync(join(folder, 'pictures'), { recursive: true })
  const random = createRandom(0, 'rooms')
  const lines: string[] = []
  for (let i = 0; i < count; i++) {
    const data = new Uint8Array(96 * 96 * 3).fill(random.integer(256))
    for (let at = 0; at < 600; at++) data[random.integer(data.length)] = random.integer(256)
    writeFileSync(join(folder, 'pictures', `${i}.png`), encodePng({ width: 96, height: 96, data }))
    lines.push(JSON.stringify({ image: `pictures/${i}.png`, question: `What is in picture ${i}?`, answer: String(i % 10) }))
  }
  writeFileSync(join(folder, 'questions.jsonl'), lines.join('\n'))
  const runner = createChildProcessRunner(new URL('../../src-main/data-process-entry.ts', import.meta.url))
  let peakKb = 0
  const lab = openLab(join(folder, 'project'), runner.run)
  const watch = setInterval(() => (peakKb = Math.max(peakKb, peakOfChildren())), 200)
  const from = performance.now()
  await lab.datasets.import({ path: join(folder, 'questions.jsonl'), name: 'mine' })
  const seconds = (performance.now() - from) / 1000
  clearInterval(watch)
  yield { what: 'import of pictures', n: count, value: count / seconds, unit: 'images/s' }
  yield { what: 'peak memory of the reading process', n: count, value: peakKb / 1000, unit: 'MB' }
  const again = performance.now()
  await lab.datasets.import({ path: join(folder, 'questions.jsonl'), name: 'mine' })
  yield { what: 'the same import again', n: count, value: count / ((performance.now() - again) / 1000), unit: 'images/s' }
  await lab.close()
  runner.close()
}

/** Largest resident set of any child, kB; Linux. */
function peakOfChildren(): number {
  try {
    const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
    return Math.max(0, ...children.map((pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)))
  } catch {
    return 0
  }
}

const WORDS = 'dog cat red blue left right under over table chair street sign green wheel tree river house window door cup'.split(' ')

async function* measureQueries(project: string, images: number, pairs: number): AsyncGenerator<RoomMeasure> {
  const random = createRandom(1, 'rooms')
  const sentence = (length: number) => Array.from({ length }, () => random.pick(WORDS)).join(' ')
  // Rows as an import would tell them; no files, since no query opens one.
  const invented: Runner = async function* (job) {
    if (job.kind !== 'import') return
    const isPairs = job.path.endsWith('pairs')
    const n = isPairs ? pairs : images
    for (let from = 0; from < n; from += 500) {
      const rows = Array.from({ length: Math.min(500, n - from) }, (_, k): PlacedEvent => {
        const i = from + k
        const hash = sha256(`image ${i % images}`)
        const side = 64 + ((i * 37) % 900)
        return {
          kind: 'sample',
          split: i % 10 === 0 ? 'test' : i % 10 === 1 ? 'validation' : 'train',
          source: `scene ${i % 5000}`,
          image: { sha256: hash, path: `images/${hash}.jpg`, width: side, height: 64 + ((i * 53) % 700), bytes: side * 100, format: i % 3 === 0 ? 'png' : 'jpeg' },
          content: isPairs
            ? { kind: 'preferences', prompt: `<image>\n${sentence(12)} ${i}?`, chosen: sentence(25), rejected: sentence(25), group: null, category: `kind ${i % 40}`, region: [] }
            : { kind: 'objects', objects: [{ category: `class ${i % 1000}`, box: [0, 0, 10, 10], mask: null }] },
        }
      })
      yield { kind: 'imported', rows }
    }
  }
  const lab = openLab(project, invented)
  const from = performance.now()
  await lab.datasets.import({ path: '/data/images', name: 'images' })
  await lab.datasets.import({ path: '/data/pairs', name: 'pairs' })
  yield { what: 'rows written', n: images + pairs, value: (images + pairs) / ((performance.now() - from) / 1000), unit: 'rows/s' }
  const { id: pairsId } = lab.datasets.named('pairs')
  await lab.close()

  const opening = performance.now()
  const open = openLab(project, invented)
  open.curation.page(pageRequestSchema.parse({ filter: { datasetId: pairsId } }))
  yield { what: 'open the project and its first page', n: 1, value: performance.now() - opening, unit: 'ms' }
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
  yield* measureHeavyWork(project)
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
        differenceHash: i % 5 === 0 ? alike.slice(0, 12) + sha256.slice(0, 4) : sha256.slice(16, 32),
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
  for (const [what, go] of Object.entries(work)) {
    const from = performance.now()
    const longest = await longestBlockOf(go)
    yield { what: `${what}, all of it`, n: 1, value: performance.now() - from, unit: 'ms' }
    yield { what: `${what}, longest that main stood still`, n: 1, value: longest, unit: 'ms' }
  }
  await lab.close()
  child.close()
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
  return percentiles(what, times)
}

async function timedLater(what: string, n: number, work: () => Promise<unknown>): Promise<RoomMeasure> {
  const times: number[] = []
  for (let i = 0; i < n; i++) {
    const from = performance.now()
    await work()
    times.push(performance.now() - from)
  }
  return percentiles(what, times)
}

function percentiles(what: string, times: number[]): RoomMeasure {
  const n = times.length
  times.sort((a, b) => a - b)
  return { what, n, value: times[Math.floor(n / 2)]!, unit: 'ms', p95: times[Math.min(n - 1, Math.ceil(0.95 * n) - 1)]! }
}
