// The Compare room of the invented lab: eight encoders of every kind, measured by probes, questions and benchmarks, with ten thousand
// items behind each number. Seeded; none of it may ever be shown as a result.

import { benchmarkRowSchema, type BenchmarkRow } from '../../../src-main/domain/benchmark.ts'
import type { ComparedItem, ComparedPair, ComparedRow, Comparison } from '../../../src-main/domain/comparison.ts'
import type { EncoderRow } from '../../../src-main/domain/encoder.ts'
import { LabError } from '../../../src-main/domain/errors.ts'
import { familyOf, metricNamed } from '../../../src-main/domain/metric.ts'
import { createRandom } from '../../../src-main/domain/random.ts'
import type { Handlers } from '../../../src-preload/contract/operations.ts'

type CompareName = Extract<keyof Handlers, 'encoders.list' | 'compare.table' | 'compare.items' | 'benchmarks.list'>

const NOW = Date.now()
const ITEMS = 10_000
const HEADLINES = [
  'vqa/all', 'vqa/general', 'vqa/vision-centric', 'preference/accuracy', 'probe/linear', 'probe/knn', 'segmentation/macro-recall', 'segmentation/mean-iou',
  'localisation/dpo/energy', 'localisation/dpo/pointing', 'alignment/mutual-knn', 'transplant/all', 'benchmark/mmvp/pair-accuracy', 'benchmark/cv-bench/overall',
  'benchmark/pope/f1', 'benchmark/mme/perception', 'benchmark/ocrbench/points', 'paper/general',
]
const PARTS = ['vqa/text', 'vqa/knowledge', 'benchmark/pope/precision', 'benchmark/pope/recall', 'benchmark/pope/yes-ratio', 'benchmark/mmvp/unparsed', 'localisation/dpo/entropy']

const encoder = (id: string, shortName: string, colour: number, over: Partial<EncoderRow> = {}): EncoderRow => ({
  id,
  kind: 'folder',
  name: over.study == null ? shortName : `${shortName} · ${over.study}`,
  shortName,
  studyId: null,
  study: null,
  arm: null,
  stage: null,
  seeds: [],
  runId: null,
  step: null,
  folder: `/home/ada/models/${id}`,
  sha256: '5e1f'.repeat(16),
  preprocessing: ['resize to 224 × 224', 'mean 0.5 0.5 0.5, spread 0.5 0.5 0.5'],
  members: [id],
  colour,
  isAvailable: true,
  results: 37,
  createdAtMs: NOW,
  ...over,
})
const ofStudy = { studyId: 'study-1', study: 'Demo study', kind: 'arm' as const, seeds: [0, 1, 2], folder: null, sha256: null }

const ENCODERS: readonly EncoderRow[] = [
  encoder('study-1/stage-1', 'Stage 1', 0, { ...ofStudy, arm: 'stage-1', stage: 'instruction' }),
  encoder('study-1/sft', 'SFT', 1, { ...ofStudy, arm: 'sft', stage: 'sft' }),
  encoder('study-1/dpo', 'DPO', 2, { ...ofStudy, arm: 'dpo', stage: 'dpo' }),
  encoder('run-7@100', 'DPO, seed 0, step 100', 3, { kind: 'checkpoint', studyId: 'study-1', study: 'Demo study', runId: 'run-7', step: 100, seeds: [0] }),
  encoder('run-7@150', 'DPO, seed 0, step 150', 4, { kind: 'checkpoint', studyId: 'study-1', study: 'Demo study', runId: 'run-7', step: 150, seeds: [0] }),
  encoder('folder-siglip', 'siglip2-base-patch16-224', 5),
  encoder('folder-clip', 'clip-vit-base-patch32', 6),
  encoder('folder-dino', 'dinov2-small-with-registers', 7),
]

function comparedRow(metric: string, encoders: readonly EncoderRow[]): ComparedRow {
  const { label, meaning, unit, better } = metricNamed(metric)
  const random = createRandom(5, metric)
  const scale = unit === 'share' ? 1 : metric.includes('perception') ? 1400 : metric.includes('points') ? 900 : metric.startsWith('paper') ? 80 : 2
  const base = (0.35 + 0.3 * random.uniform()) * scale
  const gains = new Map(ENCODERS.map(({ id }, e) => [id, (0.012 * e + 0.02 * random.normal()) * scale]))
  const value = ({ id }: EncoderRow) => base + gains.get(id)!
  const half = 0.022 * scale
  const best = encoders.reduce((a, b) => (value(b) > value(a) ? b : a))
  const isClear = (difference: number) => Math.abs(difference) > 1.4 * half
  const pairs = encoders.flatMap((a, i) =>
    encoders.slice(i + 1).map((b): ComparedPair => {
      const difference = value(b) - value(a)
      const winner = !isClear(difference) || better === 'neither' ? 'neither' : difference > 0 ? 'b' : 'a'
      return {
        a: a.id,
        b: b.id,
        difference,
        low: difference - half,
        high: difference + half,
        pValue: isClear(difference) ? 0.0004 : 0.21,
        holmPValue: isClear(difference) ? 0.011 : 1,
        winner,
        basis: `${ITEMS} items in 2500 images`,
        method: 'invented',
        effects: [{ name: 'Cohen’s d_z', value: difference / scale, size: 'small' }],
        needed: winner === 'neither' && better !== 'neither' ? { moreItems: Math.ceil((half / (difference || 1e-3)) ** 2 * 400), moreSeeds: null } : null,
        words: winner === 'neither' ? 'not told apart' : `${winner === 'b' ? b.shortName : a.shortName} is better`,
      }
    }),
  )
  return {
    id: `${metric}#0`,
    metric,
    label,
    meaning,
    unit,
    better,
    family: familyOf(metric),
    dataset: metric.startsWith('paper/') ? '4 benchmarks' : 'sight-test questions',
    conditions: [{ name: 'max new tokens', value: '8' }, { name: 'seed', value: '0' }],
    hasItems: !metric.startsWith('paper/') && !metric.startsWith('alignment/'),
    cells: encoders.map((each) => ({
      encoder: each.id,
      value: value(each),
      low: value(each) - half,
      high: value(each) + half,
      n: ITEMS * Math.max(1, each.seeds.length),
      perSeed: (each.seeds.length === 0 ? [null] : each.seeds).map((seed) => ({ seed, value: value(each) })),
      isBest: better !== 'neither' && each === best,
      isTied: better !== 'neither' && each !== best && !isClear(value(best) - value(each)),
    })),
    pairs,
  }
}

const chosen = (ids: readonly string[]) => ids.map((id) => ENCODERS.find((each) => each.id === id)!)

function comparedItem(index: number, encoders: readonly EncoderRow[]): ComparedItem {
  const random = createRandom(9, index)
  const right = encoders.map((_, e) => (e === 0 ? 0 : e === 1 ? Number(index < 1400) : random.integer(2)))
  const sha256 = String(index % 10).repeat(64)
  return {
    itemId: `item-${String(index).padStart(5, '0')}`,
    group: ['vision-centric', 'text', 'general'][index % 3]!,
    slice: ['count', 'printed word', 'colour'][index % 3]!,
    image: { sha256, width: 64, height: 64 },
    region: [[12, 12, 20, 18]],
    gain: right[1]! - right[0]!,
    encoders: encoders.map(({ id, seeds }, e) => ({
      encoder: id,
      value: right[e]!,
      perSeed: (seeds.length === 0 ? [null] : seeds).map((seed) => ({
        seed,
        value: right[e]!,
        detail: { kind: 'question' as const, image: sha256, question: `How many mugs stand on table ${index}?`, expected: 'three', given: right[e] === 1 ? 'three' : 'two', region: [] },
      })),
    })),
  }
}

export function fakeCompare(isEmpty: boolean): Pick<Handlers, CompareName> {
  return {
    'encoders.list': () => (isEmpty ? [] : [...ENCODERS]),
    'compare.table': ({ encoders: ids, scope, reference }): Comparison => {
      const encoders = chosen(ids)
      const rows = [...HEADLINES, ...(scope === 'all' ? PARTS : [])].map((metric) => comparedRow(metric, encoders))
      return {
        encoders,
        reference,
        confidence: 0.95,
        tests: rows.reduce((sum, { pairs }) => sum + pairs.length, 0),
        verdict: ['Invented numbers of the preview: nothing may be concluded from them.', `${encoders.at(-1)!.shortName} is better than every other on 3 of ${rows.length} measurements.`],
        rows,
      }
    },
    'compare.items': ({ encoders: ids, row, from, limit, show }) => {
      if (!row.endsWith('#0')) throw new LabError('not-found', `${row}: the preview has no such row`)
      const total = show === 'discordant' ? 1400 : ITEMS
      return {
        items: Array.from({ length: Math.max(0, Math.min(limit, total - from)) }, (_, i) => comparedItem(from + i, chosen(ids))),
        total,
        slicings: ['group', 'category'],
        slices: ['vision-centric', 'text', 'general'].map((slice, i) => ({ slice, n: 3333, values: ids.map((_, e) => 0.4 + 0.02 * e + 0.03 * i), difference: 0.02 + 0.01 * i, low: 0.01 * i, high: 0.04 + 0.02 * i, pValue: 0.02, holmPValue: i === 2 ? 0.03 : 0.2 })),
        agreement: { both: 4100, firstOnly: 0, secondOnly: 1400, neither: 4500 },
      }
    },
    'benchmarks.list': (): BenchmarkRow[] =>
      isEmpty
        ? []
        : ([['mmvp', 'MMVP', 'Vision-Centric', 'benchmark/mmvp/pair-accuracy', 300], ['pope', 'POPE', null, 'benchmark/pope/f1', 9000], ['mme', 'MME', 'General', 'benchmark/mme/perception', 2374]] as const).map(([benchmark, title, group, metric, questions], i) =>
            benchmarkRowSchema.parse({
              datasetId: `benchmark-${i}`,
              dataset: title,
              benchmark,
              title,
              group,
              questions,
              images: Math.round(questions / 2),
              results: ENCODERS.slice(0, 6).map(({ id }, e) => ({ encoder: id, metric, value: metric.endsWith('perception') ? 900 + 40 * e : 0.4 + 0.03 * e, n: questions, low: null, high: null })),
            }),
          ),
  }
}
