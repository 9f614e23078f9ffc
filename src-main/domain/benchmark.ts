// Published benchmarks by name, how one is asked, and the paper's summary of sixteen of them. Records, prompts and scores are
// in jobs/benchmarks, one file a benchmark.

import { z } from 'zod'

export const BENCHMARKS = [
  'mme', 'mmbench', 'seed', 'gqa', 'chartqa', 'ocrbench', 'textvqa', 'docvqa', 'mmvp', 'realworldqa', 'cv-bench', 'scienceqa',
  'mmmu', 'mathvista', 'ai2d', 'pope', 'vstar', 'own',
] as const
export type BenchmarkName = (typeof BENCHMARKS)[number]

export const BENCHMARK_TITLES: Readonly<Record<BenchmarkName, string>> = {
  mme: 'MME',
  mmbench: 'MMBench',
  seed: 'SEED-Image',
  gqa: 'GQA',
  chartqa: 'ChartQA',
  ocrbench: 'OCRBench',
  textvqa: 'TextVQA',
  docvqa: 'DocVQA',
  mmvp: 'MMVP',
  realworldqa: 'RealWorldQA',
  'cv-bench': 'CV-Bench',
  scienceqa: 'ScienceQA',
  mmmu: 'MMMU',
  mathvista: 'MathVista',
  ai2d: 'AI2D',
  pope: 'POPE',
  vstar: 'V*Bench',
  own: 'Own benchmark',
}

/** How one answer is judged, each a value from 0 to 1. */
export const MEASURES = ['option', 'yes-no', 'first-word', 'exact', 'contains', 'relaxed', 'vqa', 'anls'] as const
export type Measure = (typeof MEASURES)[number]

/** What a question of a benchmark has beyond question and answer. */
export const benchmarkItemSchema = z.strictObject({
  name: z.enum(BENCHMARKS),
  /** Questions of one unit are judged together (MMVP's pair, MME's image, a question of MMBench); null: the image is the unit. */
  unit: z.string().nullable(),
  /** A part with a score of its own where the category is another thing (CV-Bench: where the picture is from). */
  part: z.string().nullable(),
  /** All that count as right; of a question with options, the letter. */
  answers: z.array(z.string()).min(1),
  /** In the order of their letters; empty: an open question. */
  options: z.array(z.string()),
  /** Stands before the question: a hint, recognised words. */
  context: z.string().nullable(),
  /** One's own benchmark says how it is judged; a published one has its definition. */
  measure: z.enum(MEASURES).exactOptional(),
})
export type BenchmarkItem = z.output<typeof benchmarkItemSchema>

/** How a benchmark is asked. What decides an answer is here, and stored with it. */
export const benchmarkSettingsSchema = z.strictObject({
  /** Stands behind every question; null: the benchmark's own. */
  suffix: z.string().nullable().default(null),
  /** An answer ends after so many tokens. */
  maxNewTokens: z.int().min(1).default(32),
  /** At most so many units, drawn by the seed; null: all. */
  limit: z.int().min(1).nullable().default(null),
  seed: z.int().min(0).default(0),
  batchSize: z.int().min(1).default(16),
})
export type BenchmarkSettings = z.output<typeof benchmarkSettingsSchema>

/** An answer as it came, and the prompt that it answers. `itemId` is a sample's id, with the rotation of its options where there are several. */
export const benchmarkAnswerSchema = z.strictObject({ itemId: z.string(), prompt: z.string(), answer: z.string() })
export type BenchmarkAnswer = z.output<typeof benchmarkAnswerSchema>

/** A dataset that holds a benchmark, and who has answered it. */
export const benchmarkRowSchema = z.strictObject({
  datasetId: z.string(),
  dataset: z.string(),
  benchmark: z.enum(BENCHMARKS),
  title: z.string(),
  /** The paper's; null: outside of its sixteen. */
  group: z.string().nullable(),
  questions: z.int(),
  images: z.int(),
  /** Headline scores; `encoder` is one set of weights, as encoders.list has it. Newest last. */
  results: z.array(z.strictObject({ encoder: z.string(), metric: z.string(), value: z.number(), n: z.int(), low: z.number().nullable(), high: z.number().nullable() })),
})
export type BenchmarkRow = z.output<typeof benchmarkRowSchema>

/** The paper's four groups of four (arXiv 2510.16333, table T), by the score that enters. */
export const PAPER_GROUPS: Readonly<Record<'General' | 'OCR & Chart' | 'Vision-Centric' | 'Knowledge', readonly string[]>> = {
  General: ['benchmark/mme/perception', 'benchmark/mmbench/circular-accuracy', 'benchmark/seed/accuracy', 'benchmark/gqa/accuracy'],
  'OCR & Chart': ['benchmark/chartqa/accuracy', 'benchmark/ocrbench/accuracy', 'benchmark/textvqa/accuracy', 'benchmark/docvqa/anls'],
  'Vision-Centric': ['benchmark/mmvp/pair-accuracy', 'benchmark/realworldqa/accuracy', 'benchmark/cv-bench/2d', 'benchmark/cv-bench/3d'],
  Knowledge: ['benchmark/scienceqa/accuracy', 'benchmark/mmmu/accuracy', 'benchmark/mathvista/accuracy', 'benchmark/ai2d/accuracy'],
}

/** The paper's means as metrics of their own, in points of 100. */
export const PAPER_MEANS: readonly { readonly metric: string; readonly label: string; readonly of: readonly string[] }[] = [
  ...Object.entries(PAPER_GROUPS).map(([group, of]) => ({ metric: `paper/${group.toLowerCase().replaceAll(/[^a-z]+/g, '-')}`, label: `${group}, mean of four`, of })),
  { metric: 'paper/average', label: 'Average of the paper’s sixteen', of: Object.values(PAPER_GROUPS).flat() },
]

/** A benchmark's score as it enters the paper's means: shares by 100, MME's 2000 points of perception by 1/20. */
export const paperPoints = (metric: string, value: number): number => (metric === 'benchmark/mme/perception' ? value / 20 : value * 100)

export interface PaperSummary {
  readonly groups: readonly { readonly group: string; readonly value: number | null; readonly missing: readonly string[] }[]
  /** Average(All); null while one of the sixteen is missing. */
  readonly average: number | null
}

/**
 * Means of the paper's groups and over all sixteen, in points of 100; MME's 2000 points of perception are divided by 20.
 * A mean over fewer than its four is another number, so it is null.
 * @param values  by metric: shares, and MME's points
 */
export function paperSummary(values: ReadonlyMap<string, number>): PaperSummary {
  const points = (metric: string) => {
    const value = values.get(metric)
    return value === undefined ? null : paperPoints(metric, value)
  }
  const groups = Object.entries(PAPER_GROUPS).map(([group, metrics]) => {
    const known = metrics.map(points).filter((each) => each !== null)
    const isWhole = known.length === metrics.length
    return { group, value: isWhole ? sum(known) / known.length : null, missing: metrics.filter((metric) => !values.has(metric)) }
  })
  const all = groups.map(({ value }) => value).filter((each) => each !== null)
  return { groups, average: all.length === groups.length ? sum(all) / all.length : null }
}

const sum = (values: readonly number[]) => values.reduce((total, each) => total + each, 0)
