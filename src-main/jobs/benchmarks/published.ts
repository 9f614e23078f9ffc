// The benchmarks by name, and a row of a file as a question of one.

import type { BenchmarkName, Measure } from '../../domain/benchmark.ts'
import type { QuestionContent } from '../../domain/sample.ts'
import type { Row } from '../import/row-fault.ts'
import { ai2d } from './ai2d.ts'
import type { Benchmark } from './benchmark.ts'
import { chartQa } from './chartqa.ts'
import { cvBench } from './cv-bench.ts'
import { docVqa } from './docvqa.ts'
import { gqa } from './gqa.ts'
import { mathVista } from './mathvista.ts'
import { mmbench } from './mmbench.ts'
import { mme } from './mme.ts'
import { mmmu } from './mmmu.ts'
import { mmvp } from './mmvp.ts'
import { ocrBench } from './ocrbench.ts'
import { own } from './own.ts'
import { pope } from './pope.ts'
import { realWorldQa } from './realworldqa.ts'
import { scienceQa } from './scienceqa.ts'
import { seed } from './seed.ts'
import { textVqa } from './textvqa.ts'
import { vstar } from './vstar.ts'

export const BENCHMARK_OF: Readonly<Record<BenchmarkName, Benchmark>> = {
  mme, mmbench, seed, gqa, chartqa: chartQa, ocrbench: ocrBench, textvqa: textVqa, docvqa: docVqa, mmvp, realworldqa: realWorldQa,
  'cv-bench': cvBench, scienceqa: scienceQa, mmmu, mathvista: mathVista, ai2d, pope, vstar, own,
}

export const recognisedBenchmark = (row: Row): Benchmark | null => Object.values(BENCHMARK_OF).find(({ recognises }) => recognises?.(row) === true) ?? null

/**
 * null: the published score leaves the row out.
 * @param measure  of one's own benchmark
 * @throws RowFault
 */
export function benchmarkQuestion(benchmark: Benchmark, row: Row, file: string, measure?: Measure): QuestionContent | null {
  const record = benchmark.record(row, file)
  if (record === null) return null
  const { question, answers, options = [], category = null, unit = null, part = null, context = null } = record
  return {
    kind: 'questions',
    question,
    answer: answers[0]!,
    group: benchmark.group,
    category,
    region: [],
    benchmark: {
      name: benchmark.name,
      unit,
      part,
      answers: [...answers],
      options: [...options],
      context,
      ...(benchmark.name === 'own' && measure !== undefined ? { measure } : {}),
    },
  }
}
