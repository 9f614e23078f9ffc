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

const NAMES = ['comparing', ...EVALUATE_PARTS] as const

/** @param names  parts to be measured; none: all @returns the exit code */
export async function benchEvaluate(names: readonly string[], isJson: boolean): Promise<number> {
  const unknown = names.find((name) => !NAMES.some((each) => each === name))
  if (unknown !== undefined) {
    process.stderr.write(`there is no part "${unknown}"; choose of ${NAMES.join(', ')}\n`)
    return 2
  }
  const row = (...[what, value, unit, processor, goal, n]: readonly string[]) => `${what!.padEnd(40)} ${value!.padStart(10)} ${unit!.padEnd(10)} ${processor!.padStart(9)}  ${goal!.padEnd(18)} ${n}\n`
  const tell = (measure: EvaluateMeasure) => {
    const { what, n, value, unit, processor, goal } = measure
    process.stdout.write(isJson ? `${JSON.stringify({ bench: 'evaluate', ...measure })}\n` : row(what, value.toFixed(1), unit, processor === undefined ? '' : `${processor.toFixed(2)} s`, goal ?? '', n))
  }
  if (!isJson) process.stdout.write(row('', '', '', 'processor', 'goal', ''))
  for (const part of names.length === 0 ? NAMES : (names as readonly (typeof NAMES)[number][])) {
    if (part === 'comparing') {
      for await (const measure of measureComparing(COMPARED.encoders, COMPARED.items)) tell(measure)
      continue
    }
    const script = join(import.meta.dirname, 'evaluate-part.ts')
    const { stdout } = await promisify(execFile)(process.execPath, [script, part, JSON.stringify(SIZES)], { env: { ...process.env, ...JOB_ENVIRONMENT }, maxBuffer: 1 << 24 })
    for (const line of stdout.trim().split('\n').filter((each) => each.startsWith('{'))) tell(JSON.parse(line) as EvaluateMeasure)
  }
  return 0
}
