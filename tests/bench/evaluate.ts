// `npm run bench -- --evaluate`: how long it takes to see which encoder sees better. Features of a ViT-B/16, probes at the size of
// a real set, one picture's maps, each in a process of its own so that its peak of memory is its own; then the opening of a
// comparison. Features are drawn from a seed: what is measured is time.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { JOB_ENVIRONMENT } from '../../src-main/jobs/process-runner.ts'
import { measureComparing, type EvaluateMeasure } from './comparing.ts'

export const EVALUATE_PARTS = ['features', 'maps', 'linear', 'neighbours', 'prototypes'] as const
export type EvaluatePart = (typeof EVALUATE_PARTS)[number]

export interface ProbeSizes {
  readonly images: number
  readonly features: number
  readonly classes: number
  readonly test: number
}
const SIZES: ProbeSizes = { images: 50_000, features: 768, classes: 100, test: 5000 }
const COMPARED = { encoders: 8, items: 20_000 }

export async function benchEvaluate(isJson: boolean): Promise<void> {
  const tell = (measure: EvaluateMeasure) =>
    void process.stdout.write(`${isJson ? JSON.stringify({ bench: 'evaluate', ...measure }) : `${measure.what.padEnd(46)} ${measure.value.toFixed(1).padStart(9)} ${measure.unit}  (${measure.n})`}\n`)
  for await (const measure of measureComparing(COMPARED.encoders, COMPARED.items)) tell(measure)
  for (const part of EVALUATE_PARTS) {
    const script = join(import.meta.dirname, 'evaluate-part.ts')
    const { stdout } = await promisify(execFile)(process.execPath, [script, part, JSON.stringify(SIZES)], { env: { ...process.env, ...JOB_ENVIRONMENT }, maxBuffer: 1 << 24 })
    for (const line of stdout.trim().split('\n').filter((each) => each.startsWith('{'))) tell(JSON.parse(line) as EvaluateMeasure)
  }
}
