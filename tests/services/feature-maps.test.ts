// A map and the samples are two views of the same: what lies inside a line is what the filter finds, and what is selected in a
// list is what is marked on the map.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { Lab } from '../../src-main/compose.ts'
import type { Runner } from '../../src-main/domain/job.ts'
import { dataCheckSettingsSchema } from '../../src-main/domain/data-check.ts'
import { sampleFilterSchema } from '../../src-main/domain/sample-query.ts'
import { aFakeRunner, aLab } from '../support/a-lab.ts'
import { anImportedPair, anImportedScene } from '../support/builders.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const IMAGES = 6
const imageOf = (i: number) => ({ file: `/images/${i}.png`, sha256: String(i).repeat(64), bytes: 100 + i, width: 20 + i, height: 10, format: i % 2 ? 'png' : 'jpeg' })
const filter = (fields: object = {}) => sampleFilterSchema.parse(fields)
const all = (fields: object = {}) => ({ kind: 'filter' as const, filter: filter(fields), except: [] })

let lab: Lab
let taskId: string
let scenes: string
/** Two pairs about each of six images, then one scene about each; the scenes are mapped, in a line from left to right. */
beforeEach(async () => {
  const made = aLab(temporaryFolder(), {
    async *readDataset(path) {
      const isScenes = path.endsWith('scenes')
      for (let i = 0; i < (isScenes ? IMAGES : 2 * IMAGES); i++)
        yield isScenes
          ? { ...anImportedScene(i % 2), image: imageOf(i), source: i < 4 ? 'left street' : 'right street' }
          : { ...anImportedPair(i), image: imageOf(i % IMAGES) }
    },
  })
  lab = made.lab
  onTestFinished(() => lab.close())
  await lab.datasets.import({ path: '/data/pairs', name: 'pairs' })
  await lab.datasets.import({ path: '/data/scenes', name: 'scenes' })
  scenes = lab.datasets.named('scenes').id
  taskId = lab.checks.startMap({ filter: filter({ datasetId: scenes }), checkpoint: '/model', method: 'pca', seed: 0, neighbours: 5 }).taskId
  await lab.tasks.ended(taskId)
})

describe('points', () => {
  it('stand for the mapped samples, though others about the same images came first', () => {
    const { rows, categories, x } = lab.checks.points(taskId)
    expect(rows).toEqual(lab.curation.order({ filter: filter({ datasetId: scenes }), sort: 'imported', direction: 'ascending' }))
    expect(categories).toEqual(['class 0', 'class 1', 'class 0', 'class 1', 'class 0', 'class 1'])
    expect(x).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('inside a line are what a filter finds, of every dataset that is about those images', async () => {
    const region = { taskId, outline: [[0.5, -1], [3.5, -1], [3.5, 1], [0.5, 1]] }
    expect(lab.curation.count(filter({ datasetId: scenes, region }))).toBe(3)
    expect(lab.curation.count(filter({ region }))).toBe(9)
    expect(lab.curation.count(filter({ datasetId: scenes, region, categories: ['class 0'] }))).toBe(1)
    expect(lab.curation.count(filter({ region: { ...region, taskId: 'another map' } }))).toBe(0)
    expect(await lab.curation.change(all({ region, datasetId: scenes }), { kind: 'tag', tag: 'middle' })).toMatchObject({ samples: 3 })
  })

  it('that a selection means are marked, by whichever samples it names the images', () => {
    const { rows } = lab.checks.points(taskId)
    const [firstPair] = lab.curation.order({ filter: filter({ kinds: ['preferences'] }), sort: 'imported', direction: 'ascending' })
    expect(lab.checks.marked(taskId, { kind: 'rows', rows: [firstPair!] })).toEqual([rows[0]])
    expect(lab.checks.marked(taskId, all({ datasetId: scenes, sources: ['right street'] })).toSorted()).toEqual(rows.slice(4))
    expect(lab.checks.marked(taskId, { ...all({ datasetId: scenes }), except: [rows[2]!] }).toSorted()).toEqual(rows.filter((_, i) => i !== 2))
  })
})

describe('colours', () => {
  it('of classes name each value once, the most frequent first, in the order of the points', async () => {
    const { rows } = lab.checks.points(taskId)
    expect(coloured(lab, taskId, { by: 'class', field: 'source' })).toEqual({ kind: 'classes', rows, names: ['left street', 'right street'], of: [0, 0, 0, 0, 1, 1] })
    expect(coloured(lab, taskId, { by: 'class', field: 'tag' })).toMatchObject({ names: [], of: [-1, -1, -1, -1, -1, -1] })
    await lab.curation.change({ kind: 'rows', rows: [rows[3]!] }, { kind: 'tag', tag: 'odd' })
    expect(coloured(lab, taskId, { by: 'class', field: 'tag' })).toMatchObject({ names: ['odd'], of: [-1, -1, -1, 0, -1, -1] })
    for (const field of ['category', 'split', 'dataset', 'group', 'kind', 'format'] as const) expect(coloured(lab, taskId, { by: 'class', field })).toMatchObject({ rows })
  })

  it('of amounts are the amounts, and NaN where nothing is known', () => {
    expect(coloured(lab, taskId, { by: 'amount', field: 'pixels' })).toMatchObject({ kind: 'amounts', of: [200, 210, 220, 230, 240, 250] })
    expect(coloured(lab, taskId, { by: 'amount', field: 'brightness' })).toMatchObject({ of: Array(6).fill(NaN) })
    expect(coloured(lab, taskId, { by: 'measured', evaluationId: 'none', metric: 'none' })).toMatchObject({ of: Array(6).fill(NaN) })
  })

  it('of a check say where it found something', async () => {
    const check = lab.checks.start({ check: 'texts', filter: filter({ kinds: ['preferences'] }), settings: dataCheckSettingsSchema.parse({}) })
    await lab.tasks.ended(check.taskId)
    const found = coloured(lab, taskId, { by: 'finding', taskId: check.taskId })
    expect(found).toMatchObject({ names: ['not found'], of: [0, 0, 0, 0, 0, 0] })
  })
})

/** As lists, which can be compared. */
function coloured(lab: Lab, ...of: Parameters<Lab['checks']['colours']>) {
  const values = lab.checks.colours(...of)
  return { ...values, rows: [...values.rows], of: [...values.of] }
}

it('similar images are told from what the map has kept: the engine, which may be training, is not asked again', async () => {
  const project = temporaryFolder()
  const file = join(project, 'features')
  writeFileSync(file, 'kept')
  const runner = aFakeRunner(async function* () {
    for (let i = 0; i < IMAGES; i++) yield { ...anImportedScene(i % 2), image: imageOf(i) }
  })
  const asked: string[] = []
  const answering: Runner = async function* (job, signal) {
    asked.push(job.kind)
    if (job.kind === 'image-features') yield { kind: 'artifact', name: 'features', path: file }
    else if (job.kind === 'feature-neighbours') yield { kind: 'answer', value: { of: job.of, neighbours: [[imageOf(4).sha256, imageOf(1).sha256]], similarities: [[0.9, 0.5]] } }
    else yield* runner.run(job, signal)
  }
  const { lab: own } = aLab(project, { runner: { ...runner, run: answering } })
  onTestFinished(() => own.close())
  await own.datasets.import({ path: '/data/scenes', name: 'scenes' })
  const map = own.checks.startMap({ filter: filter(), checkpoint: '/model', method: 'pca', seed: 0, neighbours: 5 }).taskId
  await own.tasks.ended(map)
  const { rows, images } = own.checks.points(map)
  asked.length = 0
  const near = await own.checks.similar(map, images[0]!, 2)
  expect(near.map(({ sha256, similarity, row }) => [sha256, similarity, row])).toEqual([4, 1].map((i, rank) => [imageOf(i).sha256, [0.9, 0.5][rank], rows[images.indexOf(imageOf(i).sha256)]]))
  expect(asked).toEqual(['feature-neighbours'])
  // Without them they are computed anew.
  rmSync(file)
  await own.checks.similar(map, images[0]!, 2)
  expect(asked).toEqual(['feature-neighbours', 'image-features', 'feature-neighbours'])
})

describe('what a filter offers', () => {
  it('sources, by a part of their name, however it is written', () => {
    expect(lab.curation.sources(filter({ datasetId: scenes }), '', 10)).toEqual([
      { value: 'left street', count: 4 },
      { value: 'right street', count: 2 },
    ])
    expect(lab.curation.sources(filter({ datasetId: scenes }), 'RIGHT', 10)).toEqual([{ value: 'right street', count: 2 }])
    expect(lab.curation.sources(filter({ datasetId: scenes }), '%', 10)).toEqual([])
  })

  it('no measurement where none was taken', () => {
    expect(lab.curation.measures(filter())).toEqual([])
  })
})

it('a summary of findings counts clusters by size, and what is left when some are excluded', async () => {
  const { taskId: check } = lab.checks.start({ check: 'leakage', filter: filter(), settings: dataCheckSettingsSchema.parse({}) })
  await lab.tasks.ended(check)
  // Each image: two pairs to train on, one scene to measure on.
  expect(lab.checks.summary(check)).toMatchObject({ samples: 18, clusters: 6, kept: 18, keptOthers: 6, sizes: [{ size: 3, clusters: 6 }], scores: [] })
  await lab.curation.change(all({ finding: { taskId: check, which: 'others' } }), { kind: 'state', state: 'excluded' })
  expect(lab.checks.summary(check)).toMatchObject({ samples: 18, kept: 12, keptOthers: 0 })
})
