// `npm run bench`: one training step of the two configurations, SFT and DPO, on every engine and execution mode that
// this machine has. Each case runs in a process of its own, so that its peak memory is its own; cases of one
// configuration follow each other, so that their ratios come from one run. A table, or JSON lines with --json.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { JOB_ENVIRONMENT } from '../../src-main/jobs/process-runner.ts'

interface Measured {
  readonly configuration: string
  readonly objective: string
  readonly engine: string
  readonly device: string
  readonly mode: string
  readonly medianMs: number
  readonly firstMs: number
  readonly tokensPerSecond: number
  readonly operations: number
  readonly peakMb: number
  readonly tensorsLeaked: number
}

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    steps: { type: 'string', default: '12' },
    configuration: { type: 'string', multiple: true, default: ['tiny', 'small'] },
    objective: { type: 'string', multiple: true, default: ['sft', 'dpo'] },
    help: { type: 'boolean', default: false },
  },
})

const CASES = [
  ['native', 'eager'],
  ['native', 'graph'],
  ['native', 'xla'],
  ['wasm', 'eager'],
] as const

if (options.help) {
  process.stdout.write('npm run bench -- [--json] [--steps 12] [--configuration tiny|small] [--objective sft|dpo]\n')
  process.exit(0)
}

const say = (line: string) => void (options.json || process.stdout.write(`${line}\n`))
const columns = ['engine', 'mode', 'ms/step', '× eager', 'tokens/s', 'first step s', 'operations', 'peak MB', 'tensors leaked']
for (const configuration of options.configuration)
  for (const objective of options.objective) {
    say(`\n${configuration}, ${objective}`)
    say(row(columns))
    let eagerMs: number | null = null
    for (const [engine, mode] of CASES) {
      const measured = await measure(configuration, objective, engine, mode)
      if (typeof measured === 'string') {
        say(row([engine, mode, measured]))
        continue
      }
      eagerMs ??= measured.medianMs
      if (options.json) process.stdout.write(`${JSON.stringify({ ...measured, ratioToEager: measured.medianMs / eagerMs })}\n`)
      say(
        row([
          measured.engine,
          measured.mode,
          measured.medianMs.toFixed(0),
          (measured.medianMs / eagerMs).toFixed(2),
          measured.tokensPerSecond.toFixed(0),
          (measured.firstMs / 1000).toFixed(1),
          measured.operations === 0 ? 'one graph' : String(measured.operations),
          measured.peakMb.toFixed(0),
          String(measured.tensorsLeaked),
        ]),
      )
    }
  }

/** What the child printed, or why there is nothing. */
async function measure(configuration: string, objective: string, engine: string, mode: string): Promise<Measured | string> {
  const script = join(import.meta.dirname, 'measure-step.ts')
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [script, configuration, objective, engine, mode, options.steps], {
      env: { ...process.env, ...JOB_ENVIRONMENT },
    })
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as Measured
  } catch (thrown) {
    return String((thrown as Error).message).split('\n').slice(-2).join(' ').slice(0, 120)
  }
}

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => (i < 2 ? cell.padEnd(8) : cell.padStart(13))).join(' ')
}
