import { expect, it } from 'vitest'
import { EVALUATION_METRICS } from '../../../src-main/domain/metric.ts'
import type { Difference, Example, MetricResult, StudyResults } from '../../../src-main/domain/study-results.ts'
import { armDifference, commonTop, energyInside, mapExamples } from '../../../src-renderer/rooms/study/map-examples.ts'
import { resultGroups, resultRows, tally } from '../../../src-renderer/rooms/study/results-table.ts'

const result = (
  means: readonly [number, number, number],
  winner: Difference['winner'] | null,
  over: Partial<MetricResult> = {},
): MetricResult => ({
  metric: 'probe/linear',
  label: 'Linear probe',
  meaning: '',
  unit: 'share',
  better: 'higher',
  encoders: (['stage-1', 'sft', 'dpo'] as const).map((encoder, index) => ({
    encoder,
    mean: means[index]!,
    low: null,
    high: null,
    perSeed: [],
    n: 10,
  })),
  difference:
    winner === null
      ? null
      : {
          mean: means[2] - means[1],
          low: null,
          high: null,
          pValue: null,
          holmPValue: null,
          basis: '',
          method: '',
          winner,
          verdict: '',
        },
  ...over,
})
const results = (...metrics: readonly MetricResult[]): StudyResults => ({
  studyId: 's',
  name: 'n',
  seeds: [0],
  encoderNames: { 'stage-1': 'Stage 1', sft: 'SFT', dpo: 'DPO' },
  confidence: 0.95,
  verdict: [],
  metrics: [...metrics],
})
const bests = (...metrics: readonly MetricResult[]) =>
  resultGroups(results(...metrics)).flatMap((group) => group.lines.map((line) => line.best))

it('marks the best mean in the direction that is better', () => {
  expect(bests(result([0.1, 0.2, 0.3], 'dpo'), result([0.1, 0.2, 0.3], 'dpo', { better: 'lower' }))).toEqual(['dpo', 'stage-1'])
})

it('marks nothing as best where the arms are statistically tied, equal, or without a better direction', () => {
  expect(
    bests(
      result([0.1, 0.29, 0.3], 'neither'),
      result([0.4, 0.29, 0.3], 'neither'),
      result([0.1, 0.2, 0.3], 'neither', { better: 'neither' }),
    ),
  ).toEqual([null, null, null])
  expect(bests(result([0.2, 0.2, 0.2], 'neither'), result([0.2, 0.2, 0.1], 'sft'))).toEqual([null, null])
})

it('counts a measure once: for an arm, as a tie, or not at all', () => {
  const groups = resultGroups(
    results(
      result([0, 0, 1], 'dpo'),
      result([0, 1, 0], 'sft'),
      result([0, 1, 1], 'neither'),
      result([0, 1, 1], null),
      result([0, 1, 2], 'neither', { better: 'neither' }),
    ),
  )
  expect(tally(groups)).toEqual({ dpo: 1, sft: 1, tied: 1 })
})

it('has a group for every measure that the lab knows, and loses none', () => {
  const all = EVALUATION_METRICS.map((metric) => result([0, 0, 0], null, { metric: metric.name }))
  const groups = resultGroups(results(...all))
  expect(groups.flatMap((group) => group.lines)).toHaveLength(all.length)
  expect(groups.map((group) => group.title)).not.toContain('Other measures')
})

it('gives one line a measure and encoder, with the difference once', () => {
  const rows = resultRows(results(result([0.1, 0.2, 0.3], 'dpo')))
  expect(rows).toHaveLength(4)
  expect(rows.every((row) => row.length === rows[0]!.length)).toBe(true)
  expect(rows.slice(1).filter((row) => row[8] !== null)).toHaveLength(1)
})

it('calls the second arm by its own objective in what is copied', () => {
  const given = results(result([0.1, 0.2, 0.3], 'dpo'))
  expect(resultRows(given).flat()).toEqual(expect.arrayContaining(['dpo_minus_sft', 'dpo']))
  const copied = resultRows({ ...given, encoderNames: { ...given.encoderNames, dpo: 'SimPO' } }).flat().join(' ')
  expect(copied).toContain('simpo_minus_sft')
  expect(copied).not.toMatch(/dpo/i)
})

const map = (values: readonly number[]) => ({ rows: 2, columns: 2, values: [...values] })
const example = (itemId: string, sftValues: readonly number[], dpoValues: readonly number[]): Example => ({
  itemId,
  metric: 'localisation/dpo/energy',
  group: null,
  image: { sha256: 'a'.repeat(64), width: 64, height: 64 },
  encoders: (['sft', 'dpo'] as const).map((encoder) => {
    const values = map(encoder === 'sft' ? sftValues : dpoValues)
    return {
      encoder,
      value: 1,
      detail: {
        kind: 'maps',
        image: 'a'.repeat(64),
        prompt: 'p',
        chosen: 'c',
        rejected: 'r',
        region: [[0, 0, 32, 32]],
        maps: { sft: values, chosen: values, rejected: values, dpo: values },
      },
    }
  }),
})

it('shows an item once, however many of its measures carry the maps', () => {
  expect(
    mapExamples([
      example('a', [1, 1, 1, 1], [1, 1, 1, 1]),
      example('a', [1, 1, 1, 1], [1, 1, 1, 1]),
      example('b', [1, 0, 0, 0], [1, 0, 0, 0]),
    ]),
  ).toHaveLength(2)
  expect(mapExamples([{ ...example('a', [1], [1]), encoders: [] }])).toEqual([])
})

it('puts all encoders on one scale, and gradients of different size in one unit', () => {
  const [shown] = mapExamples([example('a', [1, 1, 1, 1], [600, 200, 0, 0])])
  expect(commonTop(shown!, 'dpo')).toBe(3)
  expect(armDifference(shown!, 'dpo')!.values).toEqual([2, 0, -1, -1])
})

it('says 1 for a map without preference and the inverse of the area for one that lies wholly inside', () => {
  const [shown] = mapExamples([example('a', [1, 1, 1, 1], [1, 0, 0, 0])])
  const { region, image, maps } = shown!
  expect(energyInside(maps.sft!.dpo, region, image)).toBeCloseTo(1, 12)
  expect(energyInside(maps.dpo!.dpo, region, image)).toBeCloseTo(4, 12)
  expect(energyInside(maps.sft!.dpo, [], image)).toBeNull()
})
