// Models at work for labellers, on a model of two blocks: answers under the true image and under others, margins with and
// without a reference, and the order in which images differ most.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AnswersJob, ItemResult, JobEvent, PairScoresJob } from '../../../src-main/domain/job.ts'
import { IMAGE_CONDITIONS } from '../../../src-main/domain/labelling/image-use.ts'
import { createRandom } from '../../../src-main/domain/random.ts'
import { sampleSchema, type ImageRef, type SampleOf } from '../../../src-main/domain/sample.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { runJob } from '../../../src-main/jobs/run-job.ts'
import { anotherImage, blurred, farthestOrder, mostAlike } from '../../../src-main/jobs/labelling/stand-in-images.ts'
import { faultOfPromise } from '../../support/fault-of.ts'
import { tinyProject, type TinyProject } from '../evaluate/tiny-project.ts'

const root = mkdtempSync(join(tmpdir(), 'pivot-lab-labelling-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

let tiny: TinyProject
let policy: string
let reference: string
let samples: readonly SampleOf<'preferences'>[]

beforeAll(async () => {
  await openBackend()
  tiny = tinyProject(root, { train: 8, validation: 2, test: 4 })
  policy = await tiny.checkpoint(1)
  reference = await tiny.checkpoint(2)
  samples = readFileSync(join(root, 'snapshots', `${tiny.snapshots.preferences}.jsonl`), 'utf8')
    .trim()
    .split('\n')
    .map((line) => sampleSchema.parse(JSON.parse(line)) as SampleOf<'preferences'>)
    .slice(0, 10)
})

const answers = (fields: Partial<AnswersJob> = {}): AnswersJob => ({
  kind: 'answers',
  project: root,
  checkpoint: policy,
  prompts: samples.map(({ id, image, content }) => ({ id, image, prompt: content.prompt })),
  image: 'true',
  temperature: 0,
  seed: 0,
  maxNewTokens: 4,
  batchSize: 4,
  ...fields,
})
const scores = (fields: Partial<PairScoresJob> = {}): PairScoresJob => ({
  kind: 'pair-scores',
  project: root,
  checkpoint: policy,
  reference: null,
  beta: 1,
  pairs: samples.map(({ id, image, content }) => ({ id, image, prompt: content.prompt, first: content.chosen, second: content.rejected })),
  images: ['true'],
  diversity: false,
  seed: 0,
  batchSize: 4,
  ...fields,
})

async function itemsOf(job: AnswersJob | PairScoresJob, metric: string): Promise<ReadonlyMap<string, ItemResult>> {
  const found = new Map<string, ItemResult>()
  for await (const event of runJob(job, { aborted: false }) as AsyncIterable<JobEvent>)
    if (event.kind === 'items' && event.metric === metric) for (const item of event.items) found.set(item.itemId, item)
  return found
}
const values = async (job: PairScoresJob, metric: string) => [...(await itemsOf(job, metric))].map(([id, { value }]) => [id, value] as const)
const texts = async (job: AnswersJob) => [...(await itemsOf(job, 'answers'))].map(([id, { detail }]) => [id, detail]).toSorted()

it('answers every prompt, the same every time and in batches of any size', async () => {
  const first = await texts(answers())
  expect(first).toHaveLength(samples.length)
  expect(await texts(answers())).toEqual(first)
  expect(await texts(answers({ batchSize: 3 }))).toEqual(first)
})

it('draws answers by temperature: a seed repeats itself, another seed says something else', async () => {
  const drawn = await texts(answers({ temperature: 1.5, seed: 1 }))
  expect(await texts(answers({ temperature: 1.5, seed: 1 }))).toEqual(drawn)
  expect(await texts(answers({ temperature: 1.5, seed: 2 }))).not.toEqual(drawn)
})

it('answers under images that stand in for the true one, and leaves no tensor behind', async () => {
  const before = tf.memory().numTensors
  for (const image of ['blurred', 'blank', 'shuffled'] as const) expect(await texts(answers({ image }))).toHaveLength(samples.length)
  expect(tf.memory().numTensors).toBe(before)
})

it('scores a margin that changes its sign when the answers change places', async () => {
  const job = scores()
  const margins = await values(job, 'margin/true')
  const exchanged = scores({ pairs: job.pairs.map((pair) => ({ ...pair, first: pair.second, second: pair.first })) })
  const opposite = new Map(await values(exchanged, 'margin/true'))
  for (const [id, value] of margins) expect(opposite.get(id)).toBeCloseTo(-value, 4)
})

it('takes the reference off: a model against itself has no margin, and β scales what remains', async () => {
  for (const [, value] of await values(scores({ reference: policy }), 'margin/true')) expect(Math.abs(value)).toBeLessThan(1e-5)
  const own = new Map(await values(scores(), 'margin/true'))
  const theirs = new Map(await values(scores({ checkpoint: reference }), 'margin/true'))
  for (const [id, value] of await values(scores({ reference, beta: 0.1 }), 'margin/true'))
    expect(value).toBeCloseTo(0.1 * (own.get(id)! - theirs.get(id)!), 5)
})

it('scores all four conditions over the same pairs; a blank image depends on the text alone', async () => {
  const job = scores({ images: [...IMAGE_CONDITIONS] })
  const before = tf.memory().numTensors
  const ids = (await values(job, 'margin/true')).map(([id]) => id)
  for (const condition of IMAGE_CONDITIONS) expect((await values(job, `margin/${condition}`)).map(([id]) => id).toSorted()).toEqual(ids.toSorted())
  expect(tf.memory().numTensors).toBe(before)
  const blank = await values(job, 'margin/blank')
  const withOtherImages = scores({ images: ['blank'], pairs: job.pairs.map((pair, i) => ({ ...pair, image: job.pairs[(i + 3) % job.pairs.length]!.image })) })
  expect(await values(withOtherImages, 'margin/blank')).toEqual(blank)
})

it('ranks each pair once by how unlike its image is, an image met again after all others', async () => {
  const job = scores({ images: [], diversity: true })
  const twice = { ...job, pairs: [...job.pairs, { ...job.pairs[0]!, id: 'again', prompt: 'Another question?' }] }
  const ranks = await itemsOf(twice, 'diversity/rank')
  expect(new Set([...ranks.values()].map(({ value }) => value)).size).toBe(twice.pairs.length)
  expect(ranks.get('again')!.value).toBeGreaterThan(Math.max(...job.pairs.map(({ id }) => ranks.get(id)!.value)))
})

it('stops when asked to', async () => {
  for (const job of [answers(), scores()])
    expect(
      await faultOfPromise(
        (async () => {
          for await (const _ of runJob(job, { aborted: true }));
        })(),
      ),
    ).toMatchObject({ code: 'cancelled' })
})

const image = (name: string): ImageRef => ({ sha256: name, path: `${name}.png`, width: 8, height: 8 })

it('lends another image and never the own one; a set of one image has none to lend', () => {
  const images = ['a', 'b', 'a', 'c', null, 'a'].map((name) => name && image(name)) as (ImageRef | null)[]
  for (let seed = 0; seed < 30; seed++) {
    const lent = anotherImage(images, createRandom(seed))
    lent.forEach((other, i) => {
      if (images[i] === null) expect(other).toBeNull()
      else expect(other!.sha256).not.toBe(images[i]!.sha256)
    })
  }
  expect(anotherImage([image('a'), image('a')], createRandom(0))).toEqual([null, null])
})

it('finds the most alike row, and orders rows by the farthest from all before', () => {
  // Directions at 0°, 10°, 90° and 180°.
  const angles = [0, 10, 90, 180].map((degrees) => (degrees * Math.PI) / 180)
  const matrix = { rows: 4, columns: 2, values: Float64Array.from(angles.flatMap((angle) => [3 * Math.cos(angle), 3 * Math.sin(angle)])) }
  expect(mostAlike(matrix)).toEqual([1, 0, 1, 2])
  const order = farthestOrder(matrix, 0)
  expect(order.map(({ row }) => row)).toEqual([0, 3, 2, 1])
  // After 0° and 180° the nearest to 90° is a right angle away: 1 − cos 90° = 1.
  expect(order[2]!.distance).toBeCloseTo(1, 12)
  expect(farthestOrder({ rows: 1, columns: 1, values: Float64Array.of(1) }, 0)).toEqual([{ row: 0, distance: 1 }])
})

it('blurs detail and keeps colour and size', () => {
  const data = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (Math.floor(i / 3) % 2 ? 255 : 0))
  const smooth = blurred({ data, width: 32, height: 32 } as Parameters<typeof blurred>[0])
  expect([smooth.width, smooth.height]).toEqual([32, 32])
  // Stripes of 0 and 255, one pixel wide, become their mean.
  for (const value of smooth.data) expect(Math.abs(value - 127.5)).toBeLessThan(16)
})
