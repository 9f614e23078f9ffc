// Encoders as things of their own, and compared: the list is stable, a row holds only what was measured alike, every number
// opens its items, and what is written for others says the same.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { comparedItemsRequestSchema, comparisonRequestSchema, type ComparedItem, type Comparison } from '../../src-main/domain/comparison.ts'
import type { EncoderRow } from '../../src-main/domain/encoder.ts'
import { PAPER_GROUPS } from '../../src-main/domain/benchmark.ts'
import type { ItemResult } from '../../src-main/domain/job.ts'
import { scoreOfTotals } from '../../src-main/domain/score-of-totals.ts'
import { comparisonCsv, comparisonLatex, escapeLatex } from '../../src-main/services/comparison/export-text.ts'
import { conditionsOf, rowIdOf, settingWords } from '../../src-main/services/comparison/conditions.ts'
import { itemSection } from '../../src-main/services/report/comparison-items.ts'
import type { ItemDetail } from '../../src-main/domain/study-results.ts'
import { sliceOf } from '../../src-main/services/comparison/slices.ts'
import { openForWriting } from '../../src-main/store/database.ts'
import type { ItemFacts } from '../../src-main/store/item-facts.ts'
import { createStore } from '../../src-main/store/store.ts'
import { createComparisonService } from '../../src-main/services/comparisons.ts'
import { createEncoderService } from '../../src-main/services/encoders.ts'
import type { Parts } from '../../src-main/services/parts.ts'
import { createWorkQueue } from '../../src-main/services/work-queue.ts'
import { addStudyData, aLab, aLabWithData, readFakeDataset, type LabForTests } from '../support/a-lab.ts'
import { aStudyConfig, anImportedQuestion } from '../support/builders.ts'
import { faultOf } from '../support/fault-of.ts'

const folder = mkdtempSync(join(tmpdir(), 'pivot-lab-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const asked = (encoders: readonly string[], more: object = {}) => comparisonRequestSchema.parse({ encoders, ...more })

describe('of a study', () => {
  let made: LabForTests
  let studyId: string
  beforeAll(async () => {
    made = await aLabWithData(join(folder, 'study'))
    ;({ studyId } = made.lab.studies.start({ kind: 'config', config: aStudyConfig({ seeds: [0, 1], transplant: true }) }))
    await made.lab.studies.ended(studyId)
  })
  afterAll(() => made.lab.close())
  const arm = (name: string) => `${studyId}/${name}`
  const named = (id: string) => made.lab.encoders.find(id)

  it('its arms come first, each with a checkpoint a seed, in the colours that the window gives to stage 1, SFT and DPO', () => {
    const rows = made.lab.encoders.list()
    expect(rows.slice(0, 3).map(({ id, shortName, seeds, colour }) => ({ id, shortName, seeds, colour }))).toEqual([
      { id: arm('stage-1'), shortName: 'Stage 1', seeds: [0, 1], colour: 0 },
      { id: arm('sft'), shortName: 'SFT', seeds: [0, 1], colour: 1 },
      { id: arm('dpo'), shortName: 'DPO', seeds: [0, 1], colour: 2 },
    ])
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
    expect(new Set(rows.map(({ colour }) => colour)).size).toBe(rows.length)
    expect(named(named(arm('dpo')).members[1]!)).toMatchObject({ kind: 'checkpoint', shortName: 'DPO, seed 1', seeds: [1], arm: 'dpo', step: 3 })
  })

  it('an id and a colour outlive the process, and a later study takes other colours', async () => {
    const before = made.lab.encoders.list().map(({ id, colour }) => `${id} ${colour}`)
    const { studyId: later } = made.lab.studies.start({ kind: 'config', config: aStudyConfig({ seeds: [0] }) })
    await made.lab.studies.ended(later)
    const after = new Map(made.lab.encoders.list().map((each) => [each.id, each.colour]))
    expect(before.every((text) => text === `${text.split(' ')[0]} ${after.get(text.split(' ')[0]!)}`)).toBe(true)
    expect(after.get(`${later}/dpo`)).toBeGreaterThan(2)
    // Two studies of one name are told apart by their time.
    expect(named(`${later}/dpo`).name).not.toBe(named(arm('dpo')).name)
  })

  it('a comparison pairs seeds and items, clusters by image, and marks the best', () => {
    const { rows, tests } = made.lab.comparisons.table(asked([arm('sft'), arm('dpo')]))
    const all = rows.find(({ metric }) => metric === 'vqa/all')!
    expect(all.cells.map((cell) => [cell!.value, cell!.isBest])).toEqual([
      [0.5, false],
      [1, true],
    ])
    expect(all.pairs[0]).toMatchObject({ difference: expect.closeTo(0.5, 12), basis: '6 items in 3 images × 2 seeds' })
    expect(tests).toBe(rows.flatMap(({ pairs }) => pairs.filter(({ pValue }) => pValue !== null)).length)
    // A question group has the items of the whole that belong to it.
    expect(rows.find(({ metric }) => metric === 'vqa/text')!.pairs[0]!.basis).toBe('3 items in 2 images × 2 seeds')
  })

  it('a transplant’s numbers stand with the encoder that was transplanted', () => {
    const { rows } = made.lab.comparisons.table(asked([arm('sft'), arm('dpo')]))
    const transplant = rows.find(({ metric }) => metric === 'transplant/all')!
    expect([transplant.family, transplant.cells.every((cell) => cell !== null)]).toEqual(['Transplant', true])
  })

  it('a reference is compared with each, and nothing else is', () => {
    const { rows } = made.lab.comparisons.table(asked([arm('stage-1'), arm('sft'), arm('dpo')], { reference: arm('stage-1') }))
    expect(new Set(rows.flatMap(({ pairs }) => pairs.map(({ a }) => a)))).toEqual(new Set([arm('stage-1')]))
    expect(faultOf(() => made.lab.comparisons.table(asked([arm('sft'), arm('dpo')], { reference: 'nobody' }))).message).toContain('nobody')
  })

  it('every number opens its items, those that the second gains on first', () => {
    const { rows } = made.lab.comparisons.table(asked([arm('sft'), arm('dpo')]))
    const row = rows.find(({ metric }) => metric === 'vqa/all')!
    const found = made.lab.comparisons.items(comparedItemsRequestSchema.parse({ encoders: [arm('sft'), arm('dpo')], row: row.id }))
    expect(found.items.map(({ itemId, gain }) => [itemId, gain])).toEqual([
      ['item 0', 1], ['item 2', 1], ['item 4', 1], ['item 1', 0], ['item 3', 0], ['item 5', 0],
    ])
    expect(found.items[0]!.encoders.map(({ perSeed }) => perSeed.map(({ seed, value }) => [seed, value]))).toEqual([[[0, 0], [1, 0]], [[0, 1], [1, 1]]])
    expect(found.agreement).toEqual({ both: 3, firstOnly: 0, secondOnly: 3, neither: 0 })
    expect(found.slices.map(({ slice, n, difference }) => [slice, n, difference])).toEqual([['text', 3, expect.closeTo(2 / 3, 12)], ['general', 3, expect.closeTo(1 / 3, 12)]])
    const part = made.lab.comparisons.items(comparedItemsRequestSchema.parse({ encoders: [arm('sft'), arm('dpo')], row: row.id, slice: 'text', show: 'discordant' }))
    expect([part.total, part.items.every(({ slice }) => slice === 'text')]).toEqual([2, true])
  })

  it('the report opens offline: no script, no address, everything escaped', async () => {
    const { path } = await made.lab.comparisons.export(asked([arm('sft'), arm('dpo')]), 'html')
    const text = readFileSync(path, 'utf8')
    expect(text).toContain("default-src 'none'")
    expect(text).not.toMatch(/<script|https?:\/\//)
    expect(text).toContain('Questions, all')
    for (const chart of ['In which measures does DPO differ from SFT?', 'How far apart are they?', 'What is each encoder good at?']) expect(text).toContain(chart)
    // Every chart is well-formed: each mark and line closed, no number that is none.
    expect(text).not.toMatch(/NaN|undefined|Infinity/)
    expect(text.match(/<svg/g)!.length).toBe(text.match(/<\/svg>/g)!.length)
  })

  it('numbers of one name are told apart by what they were trained in', () => {
    const { rows } = made.lab.comparisons.table(asked([arm('sft'), arm('dpo')]))
    expect(rows.find(({ metric }) => metric === 'transplant/all')!.conditions[0]).toEqual({ name: 'trained in', value: expect.stringContaining('the study') })
  })

  it('an encoder that is not there is refused by its id', () => {
    expect(faultOf(() => made.lab.comparisons.table(asked([arm('sft'), 'gone']))).message).toContain('"gone"')
  })
})

/** A store with encoders that answered: one string each, "1" right, "0" wrong, "." not asked. */
function answered(texts: Readonly<Record<string, string>>, { metric = 'benchmark/own/accuracy', settings = {} as Readonly<Record<string, Record<string, unknown>>>, detail = null as unknown } = {}) {
  const store = createStore(openForWriting(':memory:', 'a test'))
  let colour = 0
  for (const [id, text] of Object.entries(texts)) {
    store.encoders.insert({ id, colour: colour++, name: id, folder: `/${id}`, sha256: id, preprocessing: [], createdAtMs: colour })
    const job = { kind: 'benchmark', project: '/', checkpoint: id, snapshot: 'a'.repeat(64), settings: { maxNewTokens: 8, batchSize: colour, ...settings[id] }, answers: [] }
    store.evaluations.insert({ id: `of ${id}`, studyId: null, phaseId: null, encoder: null, seed: null, encoderId: id, protocol: null, job: job as never, createdAtMs: colour })
    const items = [...text].flatMap((c, i): ItemResult[] => (c === '.' ? [] : [{ itemId: `q${String(i).padStart(6, '0')}`, cluster: `q${i}`, group: `c${i % 2}`, value: Number(c), detail }]))
    store.evaluations.insertItems(`of ${id}`, metric, items)
    if (items.length > 0) store.evaluations.insertResult(`of ${id}`, metric, items.reduce((sum, { value }) => sum + value, 0) / items.length, items.length)
  }
  const parts = { store, queue: createWorkQueue(), project: '/', now: () => 0, newId: (kind: string) => kind } as unknown as Parts
  return createComparisonService(parts, createEncoderService(parts))
}

describe('of folders', () => {
  it('two to eight are compared, each pair once; who ties with the best is told', () => {
    const texts = Object.fromEntries(Array.from({ length: 8 }, (_, e) => [`e${e}`, '1'.repeat(40 + 20 * e) + '0'.repeat(160 - 20 * e)]))
    const compare = answered(texts)
    const eight: Comparison = compare.table(asked(Object.keys(texts)))
    expect([eight.rows[0]!.pairs.length, eight.tests]).toEqual([28, 28])
    expect(eight.rows[0]!.cells.map((cell) => [cell!.isBest, cell!.isTied])).toEqual([...Array.from({ length: 7 }, () => [false, false]), [true, false]])
    const close = answered({ a: '1'.repeat(50) + '0'.repeat(50), b: '1'.repeat(51) + '0'.repeat(49) }).table(asked(['a', 'b']))
    expect(close.rows[0]!.cells.map((cell) => [cell!.isBest, cell!.isTied])).toEqual([[false, true], [true, false]])
    expect(close.rows[0]!.pairs[0]!.needed!.moreItems).toBeGreaterThan(100)
    expect(close.verdict.join(' ')).toContain('tells the two apart')
    expect(comparisonRequestSchema.safeParse({ encoders: ['a'] }).success).toBe(false)
    expect(comparisonRequestSchema.safeParse({ encoders: ['a', 'a'] }).success).toBe(false)
    expect(comparisonRequestSchema.safeParse({ encoders: Object.keys(texts).concat('e8') }).success).toBe(false)
  })

  it('equals are both best and nobody is told to be better', () => {
    const { rows } = answered({ a: '1100', b: '1010' }).table(asked(['a', 'b']))
    expect(rows[0]!.cells.map((cell) => cell!.isBest)).toEqual([true, true])
    expect(rows[0]!.pairs[0]).toMatchObject({ winner: 'neither', words: 'no difference at all' })
  })

  it('numbers of other settings stand in rows of their own; how many were asked at a time is no setting', () => {
    const alike = answered({ a: '1100', b: '1110' }).table(asked(['a', 'b']))
    expect(alike.rows).toHaveLength(1)
    const unlike = answered({ a: '1100', b: '1110' }, { settings: { b: { maxNewTokens: 9 } } }).table(asked(['a', 'b']))
    expect(unlike.rows.map(({ cells }) => cells.map((cell) => cell !== null)).toSorted()).toEqual([[false, true], [true, false]])
    expect(unlike.verdict[0]).toContain('No measurement')
  })

  it('items that only some have are left out of the pair and kept in the mean', () => {
    const { rows } = answered({ a: '110011001100', b: '..1111111111' }).table(asked(['a', 'b']))
    expect(rows[0]!.cells.map((cell) => [cell!.value, cell!.n])).toEqual([[0.5, 12], [1, 10]])
    expect(rows[0]!.pairs[0]).toMatchObject({ basis: '10 items that both answered, one seed', difference: expect.closeTo(0.6, 12) })
  })

  it('items in another order are the same items, whoever was measured first', () => {
    const compare = answered({ a: '.11.000', b: '1110000' })
    const [ab, ba] = [compare.table(asked(['a', 'b'])), compare.table(asked(['b', 'a']))]
    expect(ab.rows[0]!.pairs[0]!.difference).toBeCloseTo(-ba.rows[0]!.pairs[0]!.difference, 12)
  })

  it('eight encoders on ten thousand items are compared pair by pair, and paged to the last', () => {
    const texts = Object.fromEntries(Array.from({ length: 8 }, (_, e) => [`e${e}`, '1'.repeat(5000 + 300 * e).padEnd(10_000, '0')]))
    const compare = answered(texts)
    const ids = Object.keys(texts)
    const { rows, tests } = compare.table(asked(ids))
    expect([tests, rows[0]!.cells.map((cell) => cell!.isBest).lastIndexOf(true)]).toEqual([28, 7])
    const last = compare.items(comparedItemsRequestSchema.parse({ encoders: ids, row: rows[0]!.id, from: 9950, limit: 200 }))
    expect([last.total, last.items.length, last.items.every(({ encoders }) => encoders.length === 8)]).toEqual([10_000, 50, true])
  })

  it('ten thousand items are compared, and paged', () => {
    const compare = answered({ a: '10'.repeat(5000), b: '1'.repeat(10_000) })
    const { rows } = compare.table(asked(['a', 'b']))
    expect(rows[0]!.pairs[0]!.pValue).toBe(0)
    const page = compare.items(comparedItemsRequestSchema.parse({ encoders: ['a', 'b'], row: rows[0]!.id, from: 4990, limit: 20 }))
    expect([page.total, page.items.filter(({ gain }) => gain === 1).length, page.items.length]).toEqual([10_000, 10, 20])
  })

  it('answers that are empty or hold control characters are told as they are', () => {
    const given = 'a\u0000\u001b[31m\n"quoted"'
    const detail = { kind: 'benchmark', answers: [{ image: null, prompt: '', expected: ['A'], given, parsed: null, value: 0 }] }
    const compare = answered({ a: '01', b: '11' }, { detail })
    const { rows } = compare.table(asked(['a', 'b']))
    const { items } = compare.items(comparedItemsRequestSchema.parse({ encoders: ['a', 'b'], row: rows[0]!.id }))
    expect(items[0]!.encoders[0]!.perSeed[0]!.detail).toEqual(detail)
  })
})

describe('scores that are no mean of items', () => {
  /** Two encoders on benchmarks given by metric: what each item adds, "1" right, "0" wrong. */
  function measured(texts: Readonly<Record<string, readonly [a: string, b: string]>>, isKept = true) {
    const store = createStore(openForWriting(':memory:', 'a test'))
    for (const [e, id] of ['a', 'b'].entries()) {
      store.encoders.insert({ id, colour: e, name: id, folder: `/${id}`, sha256: id, preprocessing: [], createdAtMs: e })
      for (const [metric, of] of Object.entries(texts)) {
        const evaluationId = `${id} ${metric}`
        const job = { kind: 'benchmark', project: '/', checkpoint: id, snapshot: metric, settings: { maxNewTokens: 8 }, answers: [] }
        store.evaluations.insert({ id: evaluationId, studyId: null, phaseId: null, encoder: null, seed: null, encoderId: id, protocol: null, job: job as never, createdAtMs: e })
        const score = scoreOfTotals(metric)
        const items = [...of[e]!].map((c, i): ItemResult => {
          const terms = metric.startsWith('benchmark/mme') ? [2 * Number(c), 2, Number(c), 1] : [Number(c), 1]
          return { itemId: `q${i}`, cluster: `${metric} ${i}`, group: null, value: Number(c), detail: null, ...(score === null || !isKept ? {} : { terms: { stratum: `part ${i % 2}`, terms } }) }
        })
        store.evaluations.insertItems(evaluationId, metric, items)
        const [left, right] = [0, 1].map((part) => items.filter((_, i) => i % 2 === part).map(({ value }) => value)) as [number[], number[]]
        const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
        const value = score === null ? mean(items.map((item) => item.value)) : metric.startsWith('benchmark/mme') ? 200 * (mean(left) + mean(right)) : (mean(left) + mean(right)) / 2
        store.evaluations.insertResult(evaluationId, metric, value, items.length)
      }
    }
    const parts = { store, queue: createWorkQueue(), project: '/', now: () => 0, newId: (kind: string) => kind } as unknown as Parts
    return createComparisonService(parts, createEncoderService(parts)).table(asked(['a', 'b']))
  }
  const [low, high] = ['0110'.repeat(10), '1110'.repeat(10)]

  it('are tested on the pictures behind them', () => {
    const { rows, tests } = measured({ 'benchmark/mme/perception': [low, high] })
    expect(rows[0]).toMatchObject({ metric: 'benchmark/mme/perception', cells: [{ value: 200 }, { value: 300, isBest: true }], pairs: [{ difference: expect.closeTo(100, 9), winner: 'b', basis: '40 items, one seed' }] })
    expect(tests).toBe(1)
  })

  it('and say what to do where an earlier version has not kept what they are made of', () => {
    expect(measured({ 'benchmark/mme/perception': [low, high] }, false).rows[0]!.pairs[0]).toMatchObject({ pValue: null, words: expect.stringContaining('measure it again') })
  })

  it('of the paper are its means, each a difference with an interval, once all of their benchmarks are there', () => {
    const benchmarks = Object.fromEntries(Object.values(PAPER_GROUPS).flat().map((metric) => [metric, [low, high] as const]))
    const whole = measured(benchmarks).rows.filter(({ metric }) => metric.startsWith('paper/'))
    expect(whole.map(({ metric }) => metric)).toEqual(['paper/general', 'paper/ocr-chart', 'paper/vision-centric', 'paper/knowledge', 'paper/average'])
    for (const row of whole) {
      // Every benchmark rises by a quarter; MME by 100 of its 2000 points.
      const rise = row.metric === 'paper/general' ? (3 * 25 + 5) / 4 : row.metric === 'paper/average' ? (15 * 25 + 5) / 16 : 25
      expect(row.pairs[0]).toMatchObject({ difference: expect.closeTo(rise, 9), winner: 'b' })
      expect(row.pairs[0]!.low).toBeGreaterThan(0)
      expect([row.family, row.hasItems, row.dataset]).toEqual(['The paper’s averages', false, row.metric === 'paper/average' ? '16 benchmarks' : '4 benchmarks'])
    }
    const { ['benchmark/mmmu/accuracy']: _, ...fifteen } = benchmarks
    expect(measured(fifteen).rows.filter(({ metric }) => metric.startsWith('paper/')).map(({ metric }) => metric)).toEqual(['paper/general', 'paper/ocr-chart', 'paper/vision-centric'])
  })
})

describe('for other programs', () => {
  const compare = answered({ 'a_b & c': '1'.repeat(50) + '0'.repeat(50), '=cmd("x"),y': '1'.repeat(51) + '0'.repeat(49) })
  const comparison = compare.table(asked(['a_b & c', '=cmd("x"),y']))

  it('CSV quotes, and hands a spreadsheet no formula', () => {
    const text = comparisonCsv(comparison)
    expect(text).toContain('"\'=cmd(""x""),y"')
    expect(text.split('\r\n').filter((line) => line.startsWith('"Own benchmark, accuracy"')).length).toBe(3)
  })

  it('LaTeX escapes, has the best in bold and the tied underlined', () => {
    const text = comparisonLatex(comparison)
    expect(text).toContain('a\\_b \\& c & =cmd("x"),y')
    expect(text).toContain('\\textbf{51.0}')
    expect(text).toContain('\\underline{50.0}')
    expect(escapeLatex('\\{50 %}\n')).toBe('\\textbackslash{}\\{50 \\%\\} ')
  })
})

describe('the pictures of a report', () => {
  const comparison = answered({ a: '0011', b: '0111' }).table(asked(['a', 'b']))
  const image = { uri: 'data:image/png;base64,AA==', width: 64, height: 64 }
  const encoder = (id: string, colour: number): EncoderRow => ({ ...comparison.encoders[0]!, id, name: id, shortName: id, colour })
  const [a, b] = [encoder('a', 1), encoder('b', 2)]
  const map = (...values: number[]) => ({ rows: 1, columns: 2, values })
  const detail = (...values: number[]) => ({ kind: 'maps' as const, image: 'i', prompt: '<image>\nWhere is <it>?', chosen: 'left', rejected: 'right', region: [], maps: { sft: map(0, 0), chosen: map(0, 0), rejected: map(0, 0), dpo: map(...values) } })
  const item = (detailA: ItemDetail, detailB: ItemDetail): ComparedItem => ({
    itemId: 'x', group: null, slice: null, image: { sha256: 'i', width: 64, height: 64 }, region: [[0, 0, 32, 64]], gain: 1,
    encoders: [['a', detailA], ['b', detailB]].map(([id, each]) => ({ encoder: id as string, value: id === 'b' ? 1 : 0, perSeed: [{ seed: 0, value: id === 'b' ? 1 : 0, detail: each as ItemDetail }] })),
  })
  const row = { ...comparison.rows[0]!, metric: 'localisation/dpo/energy', label: 'Energy' }

  it('are the maps A and B and where each looks more than the other, in its colour', () => {
    const { text } = itemSection({ row, a, b, items: [{ item: item(detail(0, 1), detail(1, 0)), image }] }, [a, b], 0)!
    expect(text).toContain('A − B')
    expect(text).toContain('Where is &#60;it&#62;?')
    // Left is B's alone, right A's alone.
    expect([...text.matchAll(/fill="(var\(--e\d\))" opacity="([\d.]+)"/g)].map(([, fill, opacity]) => [fill, opacity])).toEqual([['var(--e2)', '0.85'], ['var(--e1)', '0.85']])
    expect(text.match(/data:image/g)).toHaveLength(1)
  })

  it('are what every model answered, and nothing where there is nothing', () => {
    const said = (given: string): ItemDetail => ({ kind: 'question', image: 'i', question: 'How many?', expected: 'two', given, region: [] })
    const { text } = itemSection({ row: { ...row, metric: 'vqa/all' }, a, b, items: [{ item: item(said(''), said('two')), image }] }, [a, b], 1)!
    expect(text).toMatch(/✗ \(nothing\)[\s\S]*✓ two/)
    expect(itemSection({ row, a, b, items: [] }, [a, b], 2)).toBeNull()
  })
})

describe('slices', () => {
  const facts = (over: Partial<ItemFacts>): ItemFacts => ({ sampleId: 's', sha256: 'i', width: 100, height: 50, group: null, category: null, region: [], objects: null, hasText: false, ...over })

  it('tell by size and place of what decides, in pixels of the picture', () => {
    const small = { itemId: 's', group: null, facts: facts({ region: [[80, 40, 10, 5]] }) }
    expect([sliceOf('object size', small), sliceOf('region', small)]).toEqual(['small, under 5 % of the picture', 'bottom right'])
    const crop = { itemId: 's#1', group: 'mug', facts: facts({ region: [[0, 0, 1, 1], [20, 5, 60, 40]] }) }
    expect([sliceOf('object size', crop), sliceOf('region', crop), sliceOf('category', crop)]).toEqual(['large, over 20 %', 'middle', 'mug'])
  })

  it('tell nothing of an item that does not say', () => {
    const bare = { itemId: 's', group: null, facts: null }
    for (const slicing of ['group', 'category', 'object size', 'object count', 'text in the image', 'depth', 'region'] as const) expect(sliceOf(slicing, bare)).toBeNull()
  })
})

it('conditions are data and settings, and not how fast it went', () => {
  const of = (job: object) => rowIdOf('vqa/all', conditionsOf({ job: { kind: 'evaluate', snapshots: { questions: 'x', objects: 'y' }, ...job }, protocol: null }, 'vqa/all'))
  const settings = { batchSize: 4, seed: 0, questions: { limit: 9 }, probe: { lambdas: [1] } }
  expect(of({ settings })).toBe(of({ settings: { ...settings, batchSize: 8, probe: {} } }))
  for (const other of [{ ...settings, seed: 1 }, { ...settings, questions: { limit: 8 } }]) expect(of({ settings: other })).not.toBe(of({ settings }))
  expect(of({ settings, snapshots: { questions: 'z' } })).not.toBe(of({ settings }))
})

it('settings are told in words', () => {
  expect(settingWords('questions.maxNewTokens')).toBe('questions: max new tokens')
})

describe('benchmarks as tasks', () => {
  let made: LabForTests
  let rows: readonly EncoderRow[]
  let studyId: string
  beforeAll(async () => {
    const benchmark = { name: 'own' as const, unit: null, part: null, answers: ['Yes'], options: [] as string[], context: null }
    made = aLab(join(folder, 'benchmarks'), {
      async *readDataset(path, options) {
        if (!path.endsWith('/own')) return yield* readFakeDataset(path, options)
        yield { kind: 'file', file: path, format: 'benchmark', content: 'questions', of: 2 }
        for (let i = 0; i < 2; i++) yield anImportedQuestion(i, { content: { kind: 'questions', question: `Is it ${i}?`, answer: 'Yes', group: null, category: null, region: [], benchmark } })
      },
    })
    await addStudyData(made.lab)
    await made.lab.datasets.import({ path: '/data/own', name: 'own' })
    ;({ studyId } = made.lab.studies.start({ kind: 'config', config: aStudyConfig({ seeds: [0, 1] }) }))
    await made.lab.studies.ended(studyId)
    rows = made.lab.encoders.list()
  })
  afterAll(() => made.lab.close())

  const settings = { suffix: null, maxNewTokens: 32, limit: null, seed: 0, batchSize: 16 }

  it('an arm is asked once a seed, is seen in the table, and is not asked again', async () => {
    const arms = [`${studyId}/sft`, `${studyId}/dpo`]
    const asks = () => made.runner.jobs.filter(({ kind }) => kind === 'benchmark').length
    const run = async () => made.lab.tasks.ended(made.lab.benchmarks.run({ encoders: arms, datasets: ['own'], settings }).taskId)
    expect((await run()).result).toMatchObject({ kind: 'benchmark', evaluations: 4, reused: 0, failures: [] })
    expect(asks()).toBe(4)
    const { rows: compared } = made.lab.comparisons.table(asked(arms))
    expect(compared.find(({ metric }) => metric === 'benchmark/own/accuracy')).toMatchObject({ dataset: 'own', family: 'Benchmarks', cells: [{ value: 1 }, { value: 1 }] })
    expect((await run()).result).toMatchObject({ evaluations: 0, reused: 4 })
    expect(asks()).toBe(4)
    expect(made.lab.benchmarks.list()).toMatchObject([{ dataset: 'own', benchmark: 'own', questions: 2, results: expect.arrayContaining([expect.objectContaining({ metric: 'benchmark/own/accuracy', value: 1 })]) }])
  })

  it('one that is stopped leaves no scores of half the questions, and goes on when it is resumed', async () => {
    const stage = `${studyId}/stage-1`
    made.runner.beforeEvent = (job, event) => {
      if (job.kind === 'benchmark' && event.kind === 'items' && event.metric.startsWith('benchmark/')) made.lab.tasks.stopAll('pause')
    }
    const { taskId } = made.lab.benchmarks.run({ encoders: [stage], datasets: ['own'], settings })
    await expect(made.lab.tasks.ended(taskId)).rejects.toMatchObject({ code: 'cancelled' })
    expect(made.lab.encoders.find(stage).results).toBe(rows.find(({ id }) => id === stage)!.results)
    made.runner.beforeEvent = () => {}
    made.lab.tasks.resume(taskId)
    expect((await made.lab.tasks.ended(taskId)).result).toMatchObject({ evaluations: 2 })
    expect(made.lab.encoders.find(stage).results).toBe(rows.find(({ id }) => id === stage)!.results + 2)
  })

  it('questions that are no benchmark are refused by name', () => {
    expect(faultOf(() => made.lab.benchmarks.run({ encoders: [`${studyId}/dpo`], datasets: ['questions'], settings })).message).toContain('"questions"')
  })
})
