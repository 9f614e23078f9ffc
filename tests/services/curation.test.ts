// Samples under a filter: what is found is what is changed, every change can be taken back, and what was divided stays put.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { DATABASE_NAME, type Lab } from '../../src-main/compose.ts'
import { curationChangeSchema, type ChangeProgress, type CurationChange, type Selection } from '../../src-main/domain/curation.ts'
import { dataCheckSettingsSchema, type DataCheck } from '../../src-main/domain/data-check.ts'
import type { DataJob } from '../../src-main/domain/data-job.ts'
import { pageRequestSchema, SAMPLE_SORTS, sampleFilterSchema, type Cursor, type SampleRow } from '../../src-main/domain/sample-query.ts'
import { SPLITS } from '../../src-main/domain/sample.ts'
import { splitRuleSchema } from '../../src-main/domain/split-rule.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { runDataJob } from '../../src-main/jobs/run-data-job.ts'
import type { Announcement } from '../../src-main/services/parts.ts'
import { createCurationStore, type CurationStore, type Walk } from '../../src-main/store/curation.ts'
import { openForWriting } from '../../src-main/store/database.ts'
import { searchWords } from '../../src-main/store/sample-filter.ts'
import { aLab } from '../support/a-lab.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let lab: Lab
let folder: string
let announced: (told: Announcement) => void
beforeEach(async () => {
  folder = temporaryFolder()
  lab = aLab(folder, { dataRunner: (job, signal) => runDataJob(job as DataJob, signal), announce: (told) => announced(told) }).lab
  announced = () => {}
  onTestFinished(() => lab.close())
})

/** Questions about a few pictures: n rows, image i % images, category i % 3, length growing. */
async function importQuestions(name: string, rows: number, { images = 5, from = 0, split }: { images?: number; from?: number; split?: string } = {}) {
  const source = temporaryFolder()
  for (let i = 0; i < images; i++) {
    const data = Uint8Array.from({ length: 24 * 20 * 3 }, (_, at) => (at * (i + 3) * 7 + i * 31) % 256)
    writeFileSync(join(source, `${i}.png`), encodePng({ width: 24, height: 20, data }))
  }
  const lines = Array.from({ length: rows }, (_, i) =>
    JSON.stringify({
      id: `scene ${(i + from) % 7}`,
      image: `${(i + from) % images}.png`,
      question: `What is number ${i + from}?${' really'.repeat((i * 7) % 5)}`,
      answer: String((i + from) % 4),
      category: ['count', 'colour', 'shape'][(i + from) % 3],
      ...(split === undefined ? {} : { split }),
    }),
  )
  writeFileSync(join(source, 'rows.jsonl'), lines.join('\n'))
  return lab.datasets.import({ path: join(source, 'rows.jsonl'), name })
}

/** Pairs about the pictures of `importQuestions`: one for each number of a picture. */
async function importPairs(name: string, images: readonly number[]) {
  const source = temporaryFolder()
  const lines = images.map((image, i) => {
    const data = Uint8Array.from({ length: 24 * 20 * 3 }, (_, at) => (at * (image + 3) * 7 + image * 31) % 256)
    writeFileSync(join(source, `${image}.png`), encodePng({ width: 24, height: 20, data }))
    return JSON.stringify({ image: `${image}.png`, prompt: `<image>What of pair ${i}?`, chosen: 'this', rejected: `that ${i}`, category: 'pairs' })
  })
  writeFileSync(join(source, 'pairs.jsonl'), lines.join('\n'))
  await lab.datasets.import({ path: join(source, 'pairs.jsonl'), name })
}

/** An image with one object of a category, one with several, one with none. */
async function importObjects(name: string) {
  const source = temporaryFolder()
  const objects = [['cat'], ['cat', 'dog', 'dog'], []]
  const categories = ['cat', 'dog']
  const images = objects.map((_, i) => ({ id: i, file_name: `${i}.png`, width: 24, height: 20 }))
  for (const { id, file_name } of images) writeFileSync(join(source, file_name), encodePng({ width: 24, height: 20, data: new Uint8Array(24 * 20 * 3).fill(40 * id) }))
  const annotations = objects.flatMap((of, image) => of.map((category, i) => ({ id: 10 * image + i, image_id: image, category_id: categories.indexOf(category), bbox: [i, 0, 5, 5] })))
  writeFileSync(join(source, 'coco.json'), JSON.stringify({ images, annotations, categories: categories.map((each, id) => ({ id, name: each })) }))
  await lab.datasets.import({ path: join(source, 'coco.json'), name })
}

const tally = (values: readonly string[]) => Object.fromEntries([...Map.groupBy(values, (each) => each)].map(([value, of]) => [value, of.length]))

const filter = (fields: object = {}) => sampleFilterSchema.parse(fields)
const all = (fields: object = {}): Selection => ({ kind: 'filter', filter: filter(fields), except: [] })
const change = (what: object): CurationChange => curationChangeSchema.parse(what)

function pages(fields: object): SampleRow[] {
  const rows: SampleRow[] = []
  let after: Cursor | null = null
  do {
    const page = lab.curation.page(pageRequestSchema.parse({ ...fields, after }))
    rows.push(...page.rows)
    after = page.next
  } while (after !== null)
  return rows
}

describe('pages', () => {
  it.each(SAMPLE_SORTS.flatMap((sort) => (['ascending', 'descending'] as const).map((direction) => [sort, direction] as const)))(
    'by %s, %s, hold every sample once and in order, whatever the size of a page',
    async (sort, direction) => {
      await importQuestions('mine', 40)
      const { id } = lab.datasets.named('mine')
      const whole = pages({ filter: { datasetId: id }, sort, direction, limit: 1000 })
      expect(new Set(whole.map(({ row }) => row)).size).toBe(40)
      const order = lab.curation.order({ filter: filter({ datasetId: id }), sort, direction })
      expect(order).toEqual(whole.map(({ row }) => row))
      expect(lab.curation.list([...order, 999_999])).toEqual(whole)
      for (const limit of [1, 7, 40]) expect(pages({ filter: { datasetId: id }, sort, direction, limit })).toEqual(whole)
      if (sort === 'textLength') {
        const lengths = whole.map(({ textLength }) => textLength)
        expect(lengths).toEqual(lengths.toSorted((a, b) => (direction === 'ascending' ? a - b : b - a)))
      }
    },
  )

  it('an order by value leaves out what is excluded, whether that is none, some or in another dataset', async () => {
    await importQuestions('mine', 12)
    await importQuestions('other', 9)
    const ofOne = { datasetId: lab.datasets.named('mine').id }
    const assertOrders = () => {
      for (const fields of [ofOne, {}, { states: ['kept', 'excluded'] }, { ...ofOne, states: ['excluded'] }, { ...ofOne, splits: ['train'] }])
        for (const direction of ['ascending', 'descending'] as const)
          expect(lab.curation.order({ filter: filter(fields), sort: 'textLength', direction })).toEqual(pages({ filter: fields, sort: 'textLength', direction }).map(({ row }) => row))
    }
    assertOrders()
    await lab.curation.change(all({ ...ofOne, categories: ['shape'] }), change({ kind: 'state', state: 'excluded' }))
    assertOrders()
    await lab.curation.undo()
    assertOrders()
  })

  it('count and facets agree with what is listed', async () => {
    await importQuestions('mine', 40)
    for (const fields of [{}, { categories: ['count'] }, { text: 'number 1' }, { textLength: { from: 25 } }, { hasImage: false }]) {
      const rows = pages({ filter: fields })
      expect(lab.curation.count(filter(fields))).toBe(rows.length)
      const facets = lab.curation.facets(filter(fields))
      expect(facets.total).toBe(rows.length)
      expect(facets.categories.reduce((sum, { count }) => sum + count, 0)).toBe(rows.flatMap(({ categories }) => categories).length)
    }
  })

  it('values of a facet that are equally frequent stand in the order of their numbers, those left out last', async () => {
    const source = temporaryFolder()
    const classes = Array.from({ length: 120 }, (_, i) => `class ${i}`)
    const line = (category: string, i: number) => JSON.stringify({ question: `What is number ${i}?`, answer: 'it', category })
    writeFileSync(join(source, 'rows.jsonl'), ['class 07', ...classes, 'class 119'].map(line).join('\n'))
    await lab.datasets.import({ path: join(source, 'rows.jsonl'), name: 'classes' })
    const expected = ['class 119', ...classes.slice(0, 7), 'class 07', ...classes.slice(7, 119)]
    // From the kept counts, and from a walk.
    for (const fields of [{}, { textLength: { from: 1 } }]) {
      const { categories } = lab.curation.facets(filter(fields))
      expect(categories.map(({ value }) => value)).toEqual(expected.slice(0, 100))
    }
    const { categories } = await lab.curation.statistics(filter({}))
    expect(categories.map(({ value }) => value)).toEqual(expected)
  })

  it('histograms count every sample once, however many share a bin', async () => {
    await importQuestions('mine', 200)
    const { textLength, imageSize } = await lab.curation.statistics(filter({}))
    for (const bins of [textLength, imageSize]) expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(200)
    const lengths = pages({}).map(({ textLength: each }) => each)
    for (const { from, to, count } of textLength) expect(count).toBe(lengths.filter((each) => from <= each && each <= to).length)
  })

  it('text search finds words, beginnings of the last one, and no syntax of its own', async () => {
    await importQuestions('mine', 12)
    expect(lab.curation.count(filter({ text: 'number 1' }))).toBe(5) // numbers 1, 10 and 11, and the answers 1 of 5 and 9
    expect(lab.curation.count(filter({ text: 'NUMBER 11 ' }))).toBe(1)
    for (const hostile of ['"', 'a OR b', 'NEAR(', '*', "'; DROP TABLE samples; --", '-x', 'text:x', '('])
      expect(() => lab.curation.count(filter({ text: hostile }))).not.toThrow()
    expect(searchWords('a OR b')).toBe('"a" "OR" "b"*')
  })
})

describe('kept counts', () => {
  it('are what counting one by one gives, whatever is changed, deleted and imported, and taken back', async () => {
    await importQuestions('mine', 24)
    await importPairs('pairs', [0, 1, 1, 3])
    await importObjects('objects')
    const filters = [
      {},
      ...[{ kinds: ['questions'] }, { splits: ['train'] }, { splits: ['test', 'validation'] }, { states: ['excluded', 'kept'] }],
      ...[{ hasPair: true }, { hasPair: false }, { hasImage: true }, { imageFormats: ['png'] }, { hasMask: false }],
      { states: ['deleted'], hasPair: true },
      // These walk, and must tell the same.
      ...[{ textLength: { from: 0 } }, { textLength: { from: 25 } }, { width: { from: 1 }, splits: ['train'] }, { states: ['excluded', 'deleted'], textLength: { to: 40 } }],
      { text: 'number', hasPair: true },
    ]
    const assertCounts = () => {
      const images = new Map(lab.datasets.list().map(({ id, images: of }) => [id, of]))
      for (const fields of filters) {
        const rows = pages({ filter: fields })
        expect([fields, lab.curation.count(filter(fields))]).toEqual([fields, rows.length])
        const { total, categories, splits, kinds, states, imageFormats, hasImage } = lab.curation.facets(filter(fields))
        expect([total, hasImage]).toEqual([rows.length, rows.filter(({ image }) => image !== null).length])
        const told = (facet: readonly { value: string; count: number }[]) => Object.fromEntries(facet.map(({ value, count }) => [value, count]))
        expect(told(categories)).toEqual(tally(rows.flatMap((row) => row.categories)))
        expect(told(splits)).toEqual(tally(rows.map(({ split }) => split)))
        expect(told(kinds)).toEqual(tally(rows.map(({ kind }) => kind)))
        expect(told(states)).toEqual(tally(rows.map(({ state }) => state)))
        expect(told(imageFormats)).toEqual(tally(rows.flatMap(({ image }) => image?.format ?? [])))
      }
      const kept = pages({})
      for (const [id, of] of images) expect(of).toBe(new Set(kept.filter(({ datasetId }) => datasetId === id).map(({ image }) => image!.sha256)).size)
      const paired = new Set(kept.filter(({ kind }) => kind === 'preferences').map(({ image }) => image!.sha256))
      expect(pages({ filter: { hasPair: true } })).toEqual(kept.filter(({ image }) => paired.has(image!.sha256)))
    }
    assertCounts()
    const steps: [object, object][] = [
      [{ kinds: ['preferences'], text: 'pair 1' }, { kind: 'state', state: 'excluded' }],
      [{ categories: ['count'] }, { kind: 'split', split: 'test' }],
      [{ kinds: ['preferences'] }, { kind: 'state', state: 'deleted' }],
      [{ categories: ['shape'] }, { kind: 'state', state: 'excluded' }],
      [{ states: ['kept', 'excluded'] }, { kind: 'divide', rule: { seed: 3 } }],
    ]
    for (const [fields, what] of steps) {
      expect(await lab.curation.change(all(fields), change(what))).not.toBeNull()
      assertCounts()
    }
    for (const _ of steps) {
      await lab.curation.undo()
      assertCounts()
    }
    await lab.datasets.delete(lab.datasets.named('pairs').id)
    assertCounts()
    expect(lab.curation.count(filter({ hasPair: true }))).toBe(0)
  })
})

describe('changes', () => {
  it('any sequence of them, taken back to the beginning and done again, gives every state once more', async () => {
    await importQuestions('mine', 12)
    const state = () => JSON.stringify(pages({ filter: { states: ['kept', 'excluded', 'deleted'] } }).map(({ id, split, state: of, tags }) => [id, split, of, tags]))
    const changes = fc.oneof(
      fc.record({ kind: fc.constantFrom('tag', 'untag'), tag: fc.constantFrom('odd', 'blurred') }),
      fc.record({ kind: fc.constant('split'), split: fc.constantFrom(...SPLITS) }),
      fc.record({ kind: fc.constant('state'), state: fc.constantFrom('kept', 'excluded', 'deleted') }),
      fc.record({ kind: fc.constant('divide'), rule: fc.record({ seed: fc.nat(9), groupBy: fc.constantFrom('image', 'source', 'sample') }) }),
    )
    const where = fc.constantFrom({}, { categories: ['count'] }, { splits: ['train'] }, { tags: ['odd'] }, { states: ['excluded', 'kept'] })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(where, changes), { minLength: 1, maxLength: 6 }), async (steps) => {
        const states = [state()]
        for (const [fields, what] of steps) if ((await lab.curation.change(all(fields), change(what))) !== null) states.push(state())
        for (const expected of states.slice(0, -1).toReversed()) {
          expect(await lab.curation.undo()).not.toBeNull()
          expect(state()).toBe(expected)
        }
        for (const expected of states.slice(1)) {
          expect(await lab.curation.redo()).not.toBeNull()
          expect(state()).toBe(expected)
        }
        for (let i = 1; i < states.length; i++) await lab.curation.undo()
      }),
      { numRuns: 25, seed: 3 },
    )
  })

  it('touch what is selected and nothing else, and say so when there is nothing to do', async () => {
    await importQuestions('mine', 9)
    const [first, second] = pages({})
    expect(await lab.curation.change({ kind: 'rows', rows: [first!.row] }, change({ kind: 'tag', tag: 'odd' }))).toMatchObject({ samples: 1 })
    const rest: Selection = { kind: 'filter', filter: filter({}), except: [second!.row] }
    expect(await lab.curation.change(rest, change({ kind: 'tag', tag: 'odd' }))).toMatchObject({ samples: 7, label: 'tag “odd”' })
    expect(await lab.curation.change(rest, change({ kind: 'tag', tag: 'odd' }))).toBeNull()
    expect(lab.curation.count(filter({ withoutTags: ['odd'] }))).toBe(1)
  })

  it('that a kill cuts between two transactions are taken back at the next start, an undo or redo is done to its end', async () => {
    const { datasets } = await importQuestions('mine', 2_400)
    const states = ['kept', 'excluded', 'deleted'] as const
    const state = () => {
      const every = filter({ states: [...states] })
      const { splits, tags } = lab.curation.facets(every)
      return { states: states.map((each) => lab.curation.count(filter({ states: [each] }))), splits, tags, journal: lab.curation.journal(9).map(({ label, samples, isUndone }) => [label, samples, isUndone]) }
    }
    /** Begins a walk, leaves it after `steps` transactions as a kill would, and opens the project again. */
    const cut = async (steps: number, begin: (store: CurationStore) => Walk<unknown>) => {
      await lab.close()
      const open = openForWriting(join(folder, DATABASE_NAME), 'a process that dies')
      const walk = begin(createCurationStore(open.db))
      for (let step = 0; step < steps; step++) expect(walk.next().done).toBe(false)
      const half = open.db.prepare("SELECT COUNT(*) FROM samples WHERE state = 'excluded'").pluck().get()
      open.close()
      lab = aLab(folder, { dataRunner: (job, signal) => runDataJob(job as DataJob, signal) }).lab
      return half
    }
    const exclude = change({ kind: 'state', state: 'excluded' })
    const untouched = state()
    for (const steps of [1, 2]) {
      expect(await cut(steps, (store) => store.apply(all({}), exclude, 1))).toBe(1_000 * steps)
      expect(state()).toEqual(untouched)
    }
    for (const what of [change({ kind: 'tag', tag: 'odd' }), change({ kind: 'split', split: 'test' })]) {
      await cut(2, (store) => store.apply(all({}), what, 1))
      expect(state()).toEqual(untouched)
    }

    expect(await lab.curation.change(all({}), exclude)).toMatchObject({ samples: 2_400 })
    const applied = state()
    expect(await cut(1, (store) => store.undo())).toBe(1_400)
    expect(state()).toEqual({ ...untouched, journal: [['exclude', 2_400, true]] })
    expect(await cut(2, (store) => store.redo())).toBe(2_000)
    expect(state()).toEqual(applied)

    // Cut while what had been undone is forgotten: the new change stands, and nothing is left to do again.
    await lab.curation.undo()
    await cut(4, (store) => store.apply(all({}), change({ kind: 'tag', tag: 'odd' }), 1))
    expect(state()).toMatchObject({ states: [2_400, 0, 0], journal: [['tag “odd”', 2_400, false]] })
    expect(await lab.curation.redo()).toBeNull()
    expect(await lab.datasets.snapshotOf('mine')).toBe(datasets[0]!.snapshot)
  })

  it('tell how far they are, and stopped half way leave everything as it was: change, division, undo and redo', async () => {
    await importQuestions('mine', 2_400)
    const states = ['kept', 'excluded'] as const
    const state = () => [states.map((each) => lab.curation.count(filter({ states: [each] }))), lab.curation.facets(filter({ states: [...states] })).splits, lab.curation.journal(9)]
    const steps: ChangeProgress[] = []
    let stopsAt: ChangeProgress['part'] | null = null
    announced = ({ name, value }) => {
      if (name !== 'samples.changing' || value.progress === null) return
      steps.push(value.progress)
      if (value.progress.part === stopsAt) lab.curation.cancelChange()
    }
    const stopped = async (work: () => Promise<unknown>, part: ChangeProgress['part'] = 'changing samples') => {
      const before = state()
      stopsAt = part
      await expect(work()).rejects.toMatchObject({ code: 'cancelled' })
      stopsAt = null
      expect(state()).toEqual(before)
    }
    const exclude = change({ kind: 'state', state: 'excluded' })
    await stopped(() => lab.curation.change(all({}), exclude))
    await stopped(() => lab.curation.change(all({}), change({ kind: 'divide', rule: { seed: 3, groupBy: 'sample' } })))
    await stopped(() => lab.curation.change(all({}), change({ kind: 'divide', rule: { seed: 3, groupBy: 'sample' } })), 'reading samples')
    steps.length = 0
    await lab.curation.change(all({}), exclude)
    expect(steps[0]).toMatchObject({ title: 'exclude', part: 'changing samples', of: 2_400 })
    expect(steps[0]!.done).toBeGreaterThan(0)
    await stopped(() => lab.curation.undo())
    await lab.curation.undo()
    await stopped(() => lab.curation.redo())
    const already = new AbortController()
    already.abort()
    await stopped(() => lab.curation.change(all({}), exclude, already.signal))
    expect(await lab.curation.redo()).toMatchObject({ samples: 2_400 })
  })

  it('asked for at once are made one after the other', async () => {
    await importQuestions('mine', 1_200)
    const [first, second, undone] = await Promise.all([
      lab.curation.change(all({}), change({ kind: 'tag', tag: 'odd' })),
      lab.curation.change(all({ tags: ['odd'] }), change({ kind: 'state', state: 'excluded' })),
      lab.curation.undo(),
    ])
    expect([first?.samples, second?.samples, undone?.id]).toEqual([1_200, 1_200, second?.id])
    expect(lab.curation.count(filter({ tags: ['odd'] }))).toBe(1_200)
  })

  it('is in a version that is asked for while it is under way, whole', async () => {
    await importQuestions('mine', 3_300)
    const excluding = lab.curation.change(all({ categories: ['count', 'shape'] }), change({ kind: 'state', state: 'excluded' }))
    const version = await lab.datasets.snapshotOf('mine')
    await excluding
    expect(await lab.datasets.snapshotOf('mine')).toBe(version)
    expect(lab.datasets.named('mine').samples.train).toBe(1_100)
  })

  it('of split and state make another snapshot, and back again the same one', async () => {
    const { datasets } = await importQuestions('mine', 9)
    const before = datasets[0]!.snapshot
    await lab.curation.change(all({ categories: ['count'] }), change({ kind: 'state', state: 'excluded' }))
    const after = await lab.datasets.snapshotOf('mine')
    expect(after).not.toBe(before)
    expect(lab.datasets.named('mine').samples.train).toBe(6)
    expect(await lab.datasets.compareVersions(before!, after)).toMatchObject({ added: 0, removed: 3, moved: 0, same: 6 })
    await lab.curation.undo()
    expect(await lab.datasets.snapshotOf('mine')).toBe(before)
    expect(lab.datasets.versions(datasets[0]!.id).map(({ sha256 }) => sha256)).toEqual([before, after])
  })

  it('a deleted sample that is imported again comes back', async () => {
    await importQuestions('mine', 9)
    await lab.curation.change(all({}), change({ kind: 'state', state: 'deleted' }))
    expect(await importQuestions('mine', 9)).toMatchObject({ added: 9, unchanged: 0 })
    expect(lab.curation.count(filter({}))).toBe(9)
  })
})

describe('splits', () => {
  it('keep groups together, are the same for the same seed, and stay where they are when data is added', async () => {
    await importQuestions('mine', 60, { images: 30 })
    const rule = splitRuleSchema.parse({ seed: 4, shares: { train: 0.5, validation: 0.25, test: 0.25 } })
    await lab.curation.change(all({}), change({ kind: 'divide', rule }))
    const splits = () => new Map(pages({}).map(({ id, split, image }) => [id, [image!.sha256, split] as const]))
    const before = splits()
    expect(new Set([...before.values()].map(([, split]) => split)).size).toBe(3)
    const ofImage = Map.groupBy(before.values(), ([image]) => image)
    for (const members of ofImage.values()) expect(new Set(members.map(([, split]) => split)).size).toBe(1)
    await importQuestions('mine', 60, { images: 45, from: 60 })
    await lab.curation.change(all({}), change({ kind: 'divide', rule }))
    const after = splits()
    expect(after.size).toBeGreaterThan(before.size)
    for (const [id, [, split]] of before) expect(after.get(id)![1]).toBe(split)
  })

  it('previews what it does', async () => {
    await importQuestions('mine', 30)
    const rule = splitRuleSchema.parse({ groupBy: 'sample', stratify: true, shares: { train: 1, validation: 0, test: 1 } })
    const table = await lab.curation.previewSplits(all({}), rule)
    expect(table.map(({ stratum }) => stratum)).toEqual(['colour', 'count', 'shape'])
    await lab.curation.change(all({}), change({ kind: 'divide', rule }))
    for (const { stratum, counts } of table)
      for (const split of SPLITS) expect(lab.curation.count(filter({ categories: [stratum], splits: [split] }))).toBe(counts[split])
  })
})

describe('checks', () => {
  async function found(check: DataCheck, settings: object = {}, fields: object = {}) {
    const { taskId } = lab.checks.start({ check, filter: filter(fields), settings: dataCheckSettingsSchema.parse(settings) })
    const { result } = await lab.tasks.ended(taskId)
    return { taskId, result }
  }

  async function importRows(name: string, rows: readonly object[], pictures: Readonly<Record<string, Uint8Array>>) {
    const source = temporaryFolder()
    for (const [file, bytes] of Object.entries(pictures)) writeFileSync(join(source, file), bytes)
    writeFileSync(join(source, 'rows.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'))
    await lab.datasets.import({ path: join(source, 'rows.jsonl'), name })
    return source
  }
  /** A picture of two slopes; `shift` moves its brightness a little. */
  const slope = (shift: number, flip = false) =>
    encodePng({ width: 64, height: 48, data: Uint8Array.from({ length: 64 * 48 * 3 }, (_, at) => {
      const x = Math.floor(at / 3) % 64
      const y = Math.floor(at / 3 / 64)
      return Math.min(255, Math.max(0, Math.round(128 + (flip ? -1 : 1) * 100 * Math.sin(x / 7 + y / 11)) + shift))
    }) })
  const ask = (image: string, question = 'What?', more: object = {}) => ({ image, question, answer: 'that', ...more })

  it('near duplicates are one cluster, the other picture is none, and the best can be kept alone', async () => {
    await importRows('mine', [ask('a.png'), ask('b.png'), ask('c.png')], { 'a.png': slope(0), 'b.png': slope(2), 'c.png': slope(0, true) })
    const { taskId, result } = await found('near-duplicates')
    expect(result).toMatchObject({ kind: 'check', samples: 3, findings: 2, clusters: 1 })
    expect(lab.checks.clusters(taskId, -1, 10)).toMatchObject([[{ isBest: true }, { isBest: false }]])
    await lab.curation.change(all({ finding: { taskId, which: 'others' } }), change({ kind: 'state', state: 'excluded' }))
    expect(lab.curation.count(filter({}))).toBe(2)
  })

  it('the same pixels in another file and the same words are an exact duplicate, across datasets', async () => {
    const [png, same] = [slope(0), Buffer.concat([slope(0), Buffer.from('trailing')])]
    await importRows('one', [ask('a.png'), ask('a.png', 'Who?')], { 'a.png': png })
    await importRows('two', [ask('b.png')], { 'b.png': same })
    expect((await found('exact-duplicates')).result).toMatchObject({ findings: 2, clusters: 1 })
  })

  it('leakage: a picture, or one that looks like it, on both sides; the sample that is trained on stays', async () => {
    await importRows('train', [ask('a.png', 'What?', { split: 'train' }), ask('c.png', 'What?', { split: 'train' })], { 'a.png': slope(0), 'c.png': slope(0, true) })
    await importRows('test', [ask('b.png', 'Which?', { split: 'test' })], { 'b.png': slope(2) })
    const { taskId, result } = await found('leakage')
    expect(result).toMatchObject({ findings: 2, clusters: 1 })
    expect(lab.checks.clusters(taskId, -1, 10)[0]!.map(({ isBest, detail }) => [isBest, detail.slice(0, 5)])).toEqual([
      [true, 'train'],
      [false, 'test '],
    ])
  })

  it('image faults: tiny, one colour, changed since and gone', async () => {
    const flat = encodePng({ width: 40, height: 40, data: new Uint8Array(4800).fill(9) })
    const tiny = encodePng({ width: 8, height: 4, data: Uint8Array.from({ length: 96 }, (_, i) => (i * 37) % 256) })
    const source = temporaryFolder()
    for (const [name, bytes] of [['flat.png', flat], ['tiny.png', tiny], ['gone.png', slope(0)], ['fine.png', slope(0, true)]] as const)
      writeFileSync(join(source, name), bytes)
    writeFileSync(join(source, 'rows.jsonl'), ['flat', 'tiny', 'gone', 'fine'].map((name) => JSON.stringify(ask(`${name}.png`, name))).join('\n'))
    await lab.datasets.import({ path: join(source, 'rows.jsonl'), name: 'mine', images: 'reference' })
    writeFileSync(join(source, 'gone.png'), slope(50))
    const { taskId } = await found('images')
    const details = lab.checks.clusters(taskId, -1, 10).map(([one]) => one!.detail)
    expect(details).toEqual([expect.stringContaining('one colour'), expect.stringContaining('tiny: 8 × 4'), expect.stringContaining('changed')])
  })

  it('token counts: what is longer than a training takes; counted once, and then filtered, sorted and drawn by', async () => {
    const lengths = [3, 9, 5, 30, 9]
    await importRows('mine', lengths.map((length, i) => ask('a.png', `${'word '.repeat(length - 2)}${i}?`)), { 'a.png': slope(0) })
    const check = () => found('token-counts', { checkpoint: '/model', maxTokens: 8 })
    const { taskId, result } = await check()
    expect(result).toMatchObject({ samples: 5, findings: 3, tokenizer: 'words of /model' })
    expect(lab.checks.clusters(taskId, -1, 9).flat().map(({ score, detail }) => [score, detail])).toEqual([
      [30, '22 tokens too many: 30 of at most 8'],
      [9, '1 tokens too many: 9 of at most 8'],
      [9, '1 tokens too many: 9 of at most 8'],
    ])
    const tokens = { tokenizer: 'words of /model', count: {} }
    expect(lab.curation.tokenizers(filter({}))).toEqual([{ tokenizer: tokens.tokenizer, folder: '/model', limit: 64, samples: 5, low: 3, high: 30 }])
    expect(lab.curation.count(filter({ tokens: { ...tokens, count: { from: 5, to: 9 } } }))).toBe(3)
    expect(lab.curation.count(filter({ tokens: { ...tokens, tokenizer: 'another' } }))).toBe(0)
    const rowOf = (i: number) => pages({})[i]!.row
    for (const limit of [1, 2, 9]) {
      const ascending = pages({ filter: { tokens }, sort: 'tokens', limit }).map(({ row }) => row)
      expect(ascending).toEqual([0, 2, 1, 4, 3].map(rowOf))
      expect(lab.curation.order({ filter: filter({ tokens }), sort: 'tokens', direction: 'descending' })).toEqual(ascending.toReversed())
    }
    const bins = lab.curation.tokenHistogram(filter({ tokens }))
    expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(5)
    expect([bins[0]!.from, bins.at(-1)!.to >= 30]).toEqual([3, true])
    expect((await check()).result).toMatchObject({ findings: 3 })
    await lab.datasets.delete(lab.datasets.named('mine').id)
    expect(lab.curation.tokenizers(filter({}))).toEqual([])
  })

  it('texts: an answer without a word', async () => {
    await importRows('mine', [ask('a.png'), { ...ask('a.png', 'Who?'), answer: '—' }], { 'a.png': slope(0) })
    expect((await found('texts')).result).toMatchObject({ findings: 1 })
  })
})

describe('the whole project', () => {
  it('is the same after backup and restore, and in another folder', async () => {
    await importQuestions('mine', 20)
    await lab.curation.change(all({ categories: ['count'] }), change({ kind: 'tag', tag: 'odd' }))
    const away = temporaryFolder()
    await lab.dataExports.backup(join(away, 'project.tar'))
    await lab.dataExports.restore(join(away, 'project.tar'), join(away, 'elsewhere'))
    const other = aLab(join(away, 'elsewhere')).lab
    onTestFinished(() => other.close())
    expect(other.curation.page(pageRequestSchema.parse({ limit: 100 }))).toEqual(lab.curation.page(pageRequestSchema.parse({ limit: 100 })))
    expect(await other.datasets.snapshotOf('mine')).toBe(await lab.datasets.snapshotOf('mine'))
    for (const { image } of other.curation.page(pageRequestSchema.parse({})).rows) expect(other.imageFile(image!.sha256)).toContain('elsewhere')
  })
})
