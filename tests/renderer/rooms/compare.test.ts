// The Compare room's arrangements: where one is, what a table and its charts are made of, an item in words, maps on one scale.

import { expect, it } from 'vitest'
import { pairOf, rowLabel, type ComparedItem, type ComparedPair, type ComparedRow } from '../../../src-main/domain/comparison.ts'
import type { EncoderRow } from '../../../src-main/domain/encoder.ts'
import type { Maps, PatchLayer } from '../../../src-main/domain/patch-maps.ts'
import { firstEncoders, parsePlace, placeSection } from '../../../src-renderer/rooms/compare/compare-place.ts'
import { differenceRowsOf, neededWords, outcomeOf, tallyOf } from '../../../src-renderer/rooms/compare/comparison-rows.ts'
import { encoderGroups } from '../../../src-renderer/rooms/compare/encoder-search.ts'
import { gainWords, itemWords, scoreWords, wrongAnswer } from '../../../src-renderer/rooms/compare/item-words.ts'
import { classVerdicts, seenClasses, shownDifference, shownMaps, VERDICTS } from '../../../src-renderer/rooms/compare/map-layers.ts'
import { moduleSizeCurves, parseNumbers, parseSizes, rateCurves, sizeCurves, trainingsOf } from '../../../src-renderer/rooms/compare/sweep-grid.ts'
import { layerMatrix, motionsOf, tableNote, tableTitle } from '../../../src-renderer/rooms/compare/representation-views.ts'

it('comes back from the address to the same encoders in the same order, number and item', () => {
  const there = { encoders: ['study/sft', 'run-1@200', 'a b&c=d'], row: 'vqa/all\nlimit 8', item: 'x/1#2' }
  expect(parsePlace('items', placeSection(there))).toEqual({ page: 'items', ...there })
  expect(parsePlace(null, placeSection({ encoders: null, row: null, item: null }))).toEqual({ page: 'result', encoders: null, row: null, item: null })
  expect(parsePlace('attic', 'e=a&e=a').encoders).toEqual(['a'])
})

const encoder = (id: string, over: Partial<EncoderRow> = {}): EncoderRow => ({
  id,
  kind: 'arm',
  name: `${id} · study`,
  shortName: id,
  studyId: 's1',
  study: 'study',
  arm: null,
  stage: null,
  seeds: [0],
  runId: null,
  step: null,
  folder: null,
  sha256: null,
  preprocessing: null,
  members: [id],
  colour: 0,
  isAvailable: true,
  results: 3,
  createdAtMs: 1,
  ...over,
})

it('begins with what was compared last, and else with the newest study that has results', () => {
  const known = [encoder('old', { studyId: 's0' }), encoder('sft', { createdAtMs: 5 }), encoder('dpo', { createdAtMs: 5 }), encoder('new', { studyId: 's2', createdAtMs: 9, results: 0 }), encoder('x', { kind: 'checkpoint' })]
  expect(firstEncoders(known, ['x', 'gone', 'old'])).toEqual(['x', 'old'])
  expect(firstEncoders(known, ['x', 'gone'])).toEqual(['sft', 'dpo'])
  expect(firstEncoders([], ['a', 'b'])).toEqual([])
})

it('finds encoders by any words, leaves out what can be compared with nothing, and tells studies of one name apart', () => {
  const known = [
    encoder('sft', { createdAtMs: 1 }),
    encoder('sft2', { studyId: 's2', createdAtMs: 2 }),
    encoder('step', { kind: 'checkpoint', runId: 'run-7', isAvailable: false, results: 0 }),
    encoder('kept', { kind: 'checkpoint', runId: 'run-8' }),
    encoder('mine', { kind: 'folder', study: null, studyId: null }),
  ]
  expect(encoderGroups(known, '').map(({ encoders }) => encoders.map(({ id }) => id))).toEqual([['sft2'], ['sft'], ['mine'], ['kept']])
  expect(encoderGroups(known, 'RUN-8 study').flatMap(({ encoders }) => encoders.map(({ id }) => id))).toEqual(['kept'])
  expect(encoderGroups(known, 'nothing like it')).toEqual([])
})

const pair = (over: Partial<ComparedPair> = {}): ComparedPair => ({
  a: 'sft',
  b: 'dpo',
  difference: 0.1,
  low: 0.05,
  high: 0.2,
  pValue: 0.01,
  holmPValue: 0.02,
  winner: 'b',
  basis: '400 items',
  method: 'McNemar',
  effects: [{ name: 'Cohen’s h', value: 0.3, size: 'small' }],
  needed: null,
  words: '',
  ...over,
})
const cell = (value: number, isBest: boolean, isTied = false, encoder = isBest ? 'dpo' : 'sft') => ({ encoder, value, low: value - 0.1, high: value + 0.1, n: 10, perSeed: [], isBest, isTied })
const row = (over: Partial<ComparedRow> = {}): ComparedRow => ({
  id: 'r',
  metric: 'vqa/all',
  label: 'Questions',
  meaning: '',
  unit: 'share',
  better: 'higher',
  family: 'Questions',
  dataset: 'd',
  conditions: [],
  hasItems: true,
  cells: [cell(0.5, false), cell(0.6, true)],
  pairs: [pair()],
  ...over,
})

it('turns a pair round with its interval, its winner and its effects', () => {
  const turned = pairOf(row(), 'dpo', 'sft')!
  expect(turned).toMatchObject({ a: 'dpo', b: 'sft', difference: -0.1, low: -0.2, high: -0.05, winner: 'a' })
  expect(turned.effects[0]!.value).toBe(-0.3)
  expect(pairOf(row({ pairs: [turned] }), 'sft', 'dpo')).toEqual(pair())
  expect(pairOf(row(), 'sft', 'stage-1')).toBeNull()
  expect(pairOf(row({ pairs: [pair({ winner: 'neither', low: null, high: null })] }), 'dpo', 'sft')).toMatchObject({ winner: 'neither', low: null, high: null })
})

it('leaves measures without a better direction out of who sees better', () => {
  expect(differenceRowsOf([row(), row({ better: 'neither' })], 'sft', 'dpo')).toHaveLength(1)
  expect(differenceRowsOf([row({ better: 'lower' })], 'sft', 'dpo')[0]!.isTurned).toBe(true)
})

it('counts what could not be tested apart from what is tied', () => {
  const rows = [row(), row({ pairs: [pair({ winner: 'neither', holmPValue: 0.4 })] }), row({ pairs: [pair({ winner: 'neither', pValue: null, holmPValue: null })] })]
  expect(tallyOf(differenceRowsOf(rows, 'sft', 'dpo'))).toEqual({ a: 0, b: 1, tied: 1, untested: 1 })
})

it('says whether somebody is best, and never of equals that one is', () => {
  const outcome = (...cells: ComparedRow['cells']) => outcomeOf(row({ cells }))
  expect(outcome(cell(0.5, false), cell(0.6, true))).toBe('decided')
  expect(outcome(cell(0.5, false, true), cell(0.6, true))).toBe('all tied')
  expect(outcome(cell(0.6, true), cell(0.6, true))).toBe('all equal')
  expect(outcome(cell(0.2, false), cell(0.5, false, true), cell(0.6, true))).toBe('tied at the top')
  expect(outcome(cell(0.6, true), null)).toBe('not compared')
  expect(outcomeOf(row({ better: 'neither' }))).toBe('no better side')
  // The higher value alone decides nothing.
  const cells = [cell(0.5, false), cell(0.6, true), cell(0.4, false, false, 'stage-1')]
  expect(outcomeOf(row({ cells }))).toBe('partly tested')
  expect(outcomeOf(row({ pairs: [] }))).toBe('not tested')
  expect(outcomeOf(row({ pairs: [pair({ pValue: null, holmPValue: null, winner: 'neither' })] }))).toBe('not tested')
})

it('says what would decide it in items and seeds, one of one and many of many', () => {
  const needed = (moreItems: number | null, moreSeeds: number | null) => neededWords(pair({ needed: { moreItems, moreSeeds } }))
  expect(needed(1, null)).toBe('1 more item')
  expect(needed(1200, 2)).toBe('1\u2009200 more items or 2 more seeds')
  expect(neededWords(pair())).toBe('')
})

it('tells rows of one name apart by what differs', () => {
  const rows = [row(), row({ id: 'r2', dataset: 'e' }), row({ id: 'r3', label: 'Other' })]
  expect(rows.map((each) => rowLabel(each, rows))).toEqual(['Questions (d)', 'Questions (e)', 'Other'])
  const limits = [8, 9].map((limit) => row({ id: String(limit), conditions: [{ name: 'seed', value: '0' }, { name: 'limit', value: String(limit) }] }))
  expect(limits.map((each) => rowLabel(each, limits))).toEqual(['Questions (limit 8)', 'Questions (limit 9)'])
})

const scored = (values: readonly number[], given: readonly string[]): ComparedItem['encoders'][number] => ({
  encoder: 'e',
  value: values.reduce((sum, value) => sum + value, 0) / values.length,
  perSeed: values.map((value, seed) => ({ seed, value, detail: { kind: 'question', image: null, question: '<image>\nHow many?', expected: 'three', given: given[seed]!, region: [] } })),
})
const item = (first: ComparedItem['encoders'][number], second: ComparedItem['encoders'][number]): ComparedItem => ({
  itemId: 'i',
  group: 'text',
  slice: null,
  image: null,
  region: [],
  gain: second.value - first.value,
  encoders: [first, second],
})

it('puts an item into words: what was asked, what is right, what was said, and a wrong answer to set against it', () => {
  const each = item(scored([0, 1, 0], ['four', 'three', '']), scored([1, 1, 1], ['three', 'Three ', 'three']))
  const words = itemWords(each)
  expect(words).toMatchObject({ asked: 'How many?', expected: 'three', rejected: null })
  expect(words.given.map((answers) => answers.map(({ text }) => text))).toEqual([['four', 'three', ''], ['three', 'Three ', 'three']])
  expect(wrongAnswer(words)).toBe('four')
  expect(wrongAnswer(itemWords(item(scored([0], ['']), scored([1], ['three']))))).toBeNull()
})

it('says scores of right and wrong as such, over seeds as counts, and others in their unit', () => {
  const [some, all] = [scored([0, 1, 0], ['a', 'b', 'c']), scored([1, 1, 1], ['a', 'b', 'c'])]
  expect([scoreWords(some, 'share'), scoreWords(all, 'share'), scoreWords(scored([0], ['a']), 'share')]).toEqual(['1 of 3 right', 'right', 'wrong'])
  expect(scoreWords(scored([0.25], ['a']), 'share')).toBe('25.0 %')
  expect(gainWords(item(some, all), 'share')).toBe('+2 of 3')
  expect(gainWords(item(scored([0.5], ['a']), scored([0.25], ['a'])), 'share')).toBe('−0.25')
  expect(gainWords(item(scored([1], ['a']), scored([1], ['a'])), 'share')).toBe('0')
})

it('keeps no item’s words where nothing but its score was kept', () => {
  const bare = { encoder: 'e', value: 1, perSeed: [{ seed: 0, value: 1, detail: null }] }
  expect(itemWords(item(bare, bare))).toEqual({ asked: null, expected: null, rejected: null, given: [[], []] })
})

const layer = (encoder: string, over: Partial<Maps['layers'][number]> = {}): Maps['layers'][number] => ({
  encoder,
  method: 'gradient',
  target: 'contrast',
  token: null,
  rows: 1,
  columns: 2,
  channels: 1,
  values: [1, 3],
  low: 1,
  high: 3,
  note: null,
  scores: null,
  classes: null,
  ...over,
})
const maps = (layers: Maps['layers'], frames: readonly (readonly [number, number, number, number])[] = [[0, 0, 8, 8], [0, 0, 8, 8]]): Maps => ({
  encoders: ['a', 'b'].map((encoder, at) => ({ encoder, rows: 1, columns: 2, frame: [...frames[at]!], tokens: [], logProbs: { chosen: null, rejected: null } })),
  layers,
  missing: [{ encoder: 'b', method: 'attention', reason: 'its attention cannot be read' }],
}) as Maps
const gradient = { method: 'gradient', target: 'contrast', token: null } as const

it('sets maps of one kind on one scale, gradients relative to an even spread, and takes their difference there', () => {
  const shown = shownMaps(maps([layer('a'), layer('b', { values: [100, 100] })]), ['a', 'b'], gradient, 'nats')
  expect(shown.sides.map(({ map }) => map!.values)).toEqual([[0.5, 1.5], [1, 1]])
  expect(shown.scale).toMatchObject({ scale: 'viridis', top: 1.5, bottom: 0 })
  expect(shownDifference(shown, 'a', 'b')).toEqual({ rows: 1, columns: 2, values: [-0.5, 0.5] })
})

it('leaves signed maps as they are, white at zero, and patch norms between their least and greatest', () => {
  const signed = shownMaps(maps([layer('a', { method: 'occlusion', values: [-2, 1] }), layer('b', { method: 'occlusion', values: [0, 0.5] })]), ['a', 'b'], { ...gradient, method: 'occlusion' }, 'nats')
  expect(signed.scale).toMatchObject({ scale: 'difference', top: 2 })
  expect(signed.sides[0]!.map!.values).toEqual([-2, 1])
  const norms = shownMaps(maps([layer('a', { method: 'patch-norm', target: null, values: [7, 9] })]), ['a'], { method: 'patch-norm', target: null, token: null }, 'norm')
  expect(norms.scale).toMatchObject({ bottom: 7, top: 9 })
})

it('takes the target and the token that are asked for, and says why a map is not there', () => {
  const layers = [layer('a', { target: 'chosen', values: [1, 1] }), layer('a', { values: [0, 1] }), layer('a', { target: 'chosen', token: { index: 2, text: 'x' }, values: [1, 0] })]
  const values = (look: Parameters<typeof shownMaps>[2]) => shownMaps(maps(layers), ['a'], look, '').sides[0]!.layer?.values
  expect(values({ ...gradient, target: 'chosen' })).toEqual([1, 1])
  expect(values(gradient)).toEqual([0, 1])
  expect(values({ ...gradient, token: 2 })).toEqual([1, 0])
  expect(values({ ...gradient, token: 9 })).toBeUndefined()
  const missing = shownMaps(maps([]), ['a', 'b'], { method: 'attention', target: null, token: null }, '')
  expect(missing.sides.map(({ reason }) => reason)).toEqual(['not computed', 'its attention cannot be read'])
})

it('takes no difference of colours, nor of encoders that see different parts of the picture', () => {
  const colour = (encoder: string) => layer(encoder, { method: 'components', target: null, channels: 3, values: [0, 1, 2, 2, 1, 0], low: 0, high: 2 })
  const colours = shownMaps(maps([colour('a'), colour('b')]), ['a', 'b'], { method: 'components', target: null, token: null }, '')
  expect(colours.sides[0]!.map!.values).toEqual([0, 0.5, 1, 1, 0.5, 0])
  expect(shownDifference(colours, 'a', 'b')).toMatch(/no difference/)
  const cropped = shownMaps(maps([layer('a'), layer('b')], [[0, 0, 8, 8], [2, 2, 4, 4]]), ['a', 'b'], gradient, '')
  expect(shownDifference(cropped, 'a', 'b')).toMatch(/different parts/)
  expect(shownDifference(shownMaps(maps([layer('a')]), ['a', 'b'], gradient, ''), 'a', 'b')).toMatch(/no such map/)
})

it('names layers from what enters the first block, and puts what moved farthest first', () => {
  const table = { rows: 'a', columns: 'language', measure: 'cka', values: [[0.1, 0.2], [0.3, 0.4]], best: { row: 1, column: 1, value: 0.4 }, shuffled: { mean: 0, largest: 0.1 } } as const
  const matrix = layerMatrix({ ...table, values: table.values.map((line) => [...line]) }, { a: 'SFT', b: 'DPO' })
  expect([matrix.upwards, matrix.across.name]).toEqual([{ name: 'SFT', layers: ['embeddings', 'block 1'] }, 'language model'])
  const moved = [
    { image: 'near', before: [0, 0], after: [0, 1] },
    { image: 'far', before: [0, 0], after: [3, 4] },
  ] as [{ image: string; before: [number, number]; after: [number, number] }, { image: string; before: [number, number]; after: [number, number] }]
  expect(motionsOf({ moved } as unknown as Parameters<typeof motionsOf>[0]).map(({ image }) => image)).toEqual(['far', 'near'])
})

it('reads a grid as it is typed, and counts what it comes to before anything is trained', () => {
  expect(parseNumbers('3e-4, 1e-4 1e-4;')).toEqual([1e-4, 3e-4])
  expect([parseNumbers(''), parseNumbers('x'), parseNumbers('0'), parseNumbers('-1')]).toEqual([[], null, null, null])
  expect(trainingsOf({ arms: [{ learningRates: 3, betas: 1 }, { learningRates: 3, betas: 2 }], dataSizes: 4, starts: 1, seeds: 3 })).toBe(108)
})

it('draws a sweep against data size with "all" at its number, and against learning rate at the best of what else was varied', () => {
  const look = () => ({ color: '#000', index: 0 })
  const at = { low: null, high: null, seeds: 2, learningRate: 0.1, beta: null }
  const curve = { arm: 'DPO', start: 's', points: [{ ...at, dataSize: 10, value: 0.4 }, { ...at, dataSize: null, value: 0.6 }] }
  const xs = (all: number | null) => sizeCurves([curve], all, ({ arm }) => arm, look)[0]!.points.map(({ x }) => x)
  expect([xs(500), xs(null)]).toEqual([[10, 500], [10]])
  const point = { arm: 'DPO', start: 's', size: null, dataSize: null, beta: 0.1, seed: 0, runId: 'r', evaluationId: 'e', learningRate: 0.1, score: 0.2 }
  const [rates] = rateCurves([point, { ...point, seed: 1, score: 0.4 }, { ...point, beta: 0.5, score: 0.25 }, { ...point, learningRate: 1, score: 0.1 }], look)
  expect(rates!.points.map(({ x, mean, basis }) => [x, Number(mean.toFixed(6)), basis])).toEqual([[0.1, 0.3, '2 seeds'], [1, 0.1, '1 seed']])
})

it('categorical maps say patch by patch who is right, also on grids of their own, and whether two agree where nobody knows', () => {
  const classes = (values: readonly number[], truth: readonly number[] | null, over: Partial<PatchLayer> = {}): Partial<PatchLayer> => ({
    method: 'segmentation',
    target: null,
    values: [...values],
    classes: { names: ['background', 'cup', 'mug'], truth: truth && [...truth], scores: null, probe: { accuracy: 0, meanIou: 0, macroRecall: 0, trainedOn: 1, testedOn: 1 } },
    ...over,
  })
  const look = { method: 'segmentation', target: null, token: null } as const
  const shown = (a: Partial<PatchLayer>, b: Partial<PatchLayer>) => shownMaps(maps([layer('a', a), layer('b', b)]), ['a', 'b'], look, '')
  const four = { rows: 2, columns: 2 }
  const verdicts = (a: Partial<PatchLayer>, b: Partial<PatchLayer>) => {
    const found = classVerdicts(shown(a, b), 'a', 'b')
    return typeof found === 'string' ? found : found.values.map((value) => VERDICTS[value])
  }
  expect(verdicts(classes([1, 1, 0, 2], [1, 1, 2, 1], four), classes([1, 0, 2, 0], [1, 1, 2, 1], four))).toEqual(['both right', 'only A right', 'only B right', 'both wrong'])
  expect(verdicts(classes([1, 2, 0, 0], null, four), classes([1, 0, 0, 1], null, four))).toEqual(['the same class', 'not the same class', 'the same class', 'not the same class'])
  expect(verdicts(classes([2], [2], { rows: 1, columns: 1 }), classes([2, 0, 2, 0], [2, 0, 0, 2], four))).toEqual(['both right', 'both right', 'only A right', 'only A right'])
  expect(classVerdicts(shownMaps(maps([layer('a', classes([1, 2], null))]), ['a', 'b'], look, ''), 'a', 'b')).toMatch(/no such map/)
  expect(seenClasses(shown(classes([0, 2], [0, 1]), classes([0, 0], [0, 1])).sides).map(({ name }) => name)).toEqual(['background', 'cup', 'mug'])
})

it('reads sizes as width × blocks, and draws a score against the millions of parameters, saying what else was varied', () => {
  expect(parseSizes(' 96x4, 192×6 96*4')).toEqual([{ hiddenSize: 96, numHiddenLayers: 4 }, { hiddenSize: 192, numHiddenLayers: 6 }])
  expect(parseSizes('')).toEqual([])
  for (const wrong of ['96', '0x2', '96x', 'a×b', '96x4.5']) expect(parseSizes(wrong)).toBe(null)
  const setting = { value: 0.5, low: 0.4, high: 0.6, seeds: 3, learningRate: 0.1, beta: null }
  const curve = (arm: string, other: number) => ({ of: 'visionEncoder' as const, arm, dataSize: null, other, points: [{ ...setting, parameters: 2_500_000, start: 'x' }] })
  const look = () => ({ color: '#000', index: 1 })
  expect(moduleSizeCurves([curve('SFT', 1e6)], 'visionEncoder', look)).toMatchObject([{ name: 'SFT', points: [{ x: 2.5, mean: 0.5, low: 0.4, basis: expect.stringContaining('3 seeds') }] }])
  expect(moduleSizeCurves([curve('SFT', 1e6), curve('SFT', 2e6)], 'visionEncoder', look).map(({ name }) => name)).toEqual(['SFT, language model of 1 M', 'SFT, language model of 2 M'])
  expect(moduleSizeCurves([curve('SFT', 1e6)], 'languageModel', look)).toEqual([])
})

it('names a table of layers by its measure first, and shows no minus zero', () => {
  const table = { rows: 'a', columns: 'language', measure: 'cka', best: { value: 0.124 }, shuffled: { mean: -0.0004, largest: 0.001 } } as unknown as Parameters<typeof tableNote>[0]
  expect([tableTitle(table, { a: 'SFT', b: 'DPO' }), tableNote(table)]).toEqual(['Linear CKA to language: SFT', 'best 0.12, pictures shuffled 0.00 (≤ 0.00)'])
})
