// The files in which benchmarks come, and how answers are judged, in words for a form.

import { BENCHMARK_TITLES, BENCHMARKS, type BenchmarkName, type BenchmarkRow, type Measure } from '../../../src-main/domain/benchmark.ts'
import type { EncoderRow } from '../../../src-main/domain/encoder.ts'

export const BENCHMARK_CHOICES: readonly { readonly value: BenchmarkName; readonly label: string }[] = BENCHMARKS.map((name) => ({ value: name, label: BENCHMARK_TITLES[name] }))

export const MEASURE_LABELS: Readonly<Record<Measure, string>> = {
  option: 'letter of an option',
  'yes-no': 'yes or no',
  'first-word': 'first word',
  exact: 'exact match',
  contains: 'contains the answer',
  relaxed: 'number within 5 %',
  vqa: 'VQA, agreement of ten people',
  anls: 'ANLS, letters alike',
}

/** The files that main's dialog offers. */
export const BENCHMARK_FILES = ['json', 'jsonl', 'csv', 'tsv', 'parquet', 'txt'] as const

/** The newest headline score of an encoder (of an arm, the mean over the seeds that have one); null: not asked yet. */
export function scoreOf(row: BenchmarkRow, encoder: Pick<EncoderRow, 'id' | 'members'>): { readonly metric: string; readonly value: number; readonly seeds: number } | null {
  const metric = row.results.at(-1)?.metric
  const values = encoder.members.flatMap((member) => row.results.findLast((each) => each.encoder === member && each.metric === metric)?.value ?? [])
  return metric === undefined || values.length === 0 ? null : { metric, value: values.reduce((sum, value) => sum + value, 0) / values.length, seeds: values.length }
}
