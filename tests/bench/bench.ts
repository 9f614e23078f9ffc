// `npm run bench`: one training step of the two configurations, SFT and DPO, on every engine and execution mode that this
// machine has, as ratios to the lab's own eager step. Each case is a process of its own; the native ones take turns, a few
// steps each, so that other work on the machine meets all alike. A table, or JSON lines with --json.
// --peer measures the same model in PyTorch beside it. --endurance takes many steps of one case and shows what memory does.
// --rooms measures the window instead, --full-size a model of published size, --evaluate probes, maps and comparisons.

import { execFile, fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { JOB_ENVIRONMENT } from '../../src-main/jobs/process-runner.ts'
import { nameOf, type Case, type Ended, type FromCase, type Ready, type Taken, type ToCase } from './cases.ts'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    steps: { type: 'string', default: '12' },
    configuration: { type: 'string', multiple: true, default: ['tiny', 'small'] },
    objective: { type: 'string', multiple: true, default: ['sft', 'dpo'] },
    mode: { type: 'string', multiple: true, default: ['eager', 'graph', 'xla'] },
    precision: { type: 'string', multiple: true, default: ['float32', 'bfloat16'] },
    checkpointing: { type: 'boolean', default: false },
    automatic: { type: 'boolean', default: false },
    wasm: { type: 'boolean', default: false },
    peer: { type: 'boolean', default: false },
    python: { type: 'string', default: 'python3' },
    endurance: { type: 'string' },
    cache: { type: 'string' },
    rooms: { type: 'boolean', default: false },
    fuzz: { type: 'string' },
    'full-size': { type: 'boolean', default: false },
    memory: { type: 'boolean', default: false },
    'large-export': { type: 'boolean', default: false },
    evaluate: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (options.help) {
  process.stdout.write(
    [
      'npm run bench -- [--configuration tiny|small] [--objective sft|dpo] [--mode eager|graph|xla] [--precision float32|bfloat16]',
      '  --steps 12       steps of each case, in turns of three',
      '  --checkpointing  with gradient checkpointing',
      "  --automatic      also the eager step with TensorFlow.js's own gradients",
      '  --wasm           also the WebAssembly engine',
      '  --peer           also the same model in PyTorch, by --python (python3), which must have torch',
      '  --endurance 1000 that many steps of each case, and what its resident memory does meanwhile',
      '  --cache FOLDER   keep programs there: a second run shows a start that records nothing',
      '  --fuzz 100000    instead: reads that many hostile files',
      '  --rooms [import] [queries] [window] [labels]',
      '                   instead: how fast the rooms are at 100,000 images and 200,000 pairs, those parts or all; --cache FOLDER keeps the project',
      '  --evaluate [comparing] [features] [maps] [linear] [neighbours] [prototypes]',
      '                   instead: features, probes, maps, and the opening of a comparison of eight encoders, those parts or all',
      '  --full-size      instead: a model of published size loads, takes a DPO step and answers',
      '  --large-export   instead: an encoder of more than 2 GB exported in each format, verified, with peak memory',
      '  --memory         instead: peaks of trainings in each --mode beside their predictions, and the overhead that fits best',
      '  --json           JSON lines',
      '',
    ].join('\n'),
  )
  process.exit(0)
}

if (options['large-export']) {
  const { benchLargeExport } = await import('./large-export.ts')
  await benchLargeExport(options.json)
  process.exit(0)
}
if (options.memory) {
  const { benchMemory } = await import('./memory.ts')
  await benchMemory(options.mode, options.json)
  process.exit(0)
}
if (options.fuzz !== undefined) {
  const { fuzz } = await import('./fuzz.ts')
  process.exit(await fuzz(Number(options.fuzz), options.json))
}

if (options.rooms) {
  const { benchRooms } = await import('./rooms.ts')
  process.exit(await benchRooms(positionals, options.cache ?? null, options.json))
}

if (options.evaluate) {
  const { benchEvaluate } = await import('./evaluate.ts')
  process.exit(await benchEvaluate(positionals, options.json))
}
if (options['full-size']) {
  const { benchFullSize } = await import('./full-size.ts')
  await benchFullSize(options.json)
  process.exit(0)
}

const STEPS_A_TURN = 3

interface Row {
  readonly name: string
  readonly medianMs: number
  readonly fastestMs: number
  readonly cpuMs: number
  readonly tokensPerSecond: number
  readonly firstMs: number
  readonly operations: number | null
  readonly shareOfPeak: number | null
  readonly peakMb: number
  readonly deviceMb: number | null
  readonly tensorsLeaked: number | null
}

const say = (line: string) => void (options.json || process.stdout.write(`${line}\n`))
for (const configuration of options.configuration as Case['configuration'][])
  for (const objective of options.objective as Case['objective'][]) await (options.endurance === undefined ? compare : endure)(casesOf(configuration, objective))

function casesOf(configuration: Case['configuration'], objective: Case['objective']): readonly Case[] {
  const base = {
    configuration,
    objective,
    engine: 'native',
    precision: 'float32',
    gradients: 'written',
    checkpointing: options.checkpointing,
    cache: options.cache ?? null,
  } as const
  const compiled = (['graph', 'xla'] as const)
    .filter((mode) => options.mode.includes(mode))
    .flatMap((mode) => (options.precision as Case['precision'][]).map((precision): Case => ({ ...base, mode, precision })))
  return [
    ...(options.automatic ? [{ ...base, mode: 'eager', gradients: 'automatic' } as const] : []),
    ...(options.mode.includes('eager') ? [{ ...base, mode: 'eager' } as const] : []),
    ...compiled,
    ...(options.wasm ? [{ ...base, engine: 'wasm', mode: 'eager' } as const] : []),
  ]
}

async function compare(cases: readonly Case[]): Promise<void> {
  const { configuration, objective } = cases[0]!
  say(`\n${configuration}, ${objective}`)
  say(line(['', 'ms/step', '× eager', 'fastest', '× eager', 'CPU ms', '× eager', 'tokens/s', 'first s', 'kernels', 'of peak', 'peak MB', ...(options.json ? [] : ['leaked'])]))
  const started: (Measured | string)[] = []
  // One after the other, so that each first step, which compiles, has the machine to itself.
  for (const each of cases) started.push(await start(each))
  const running = started.filter((each) => typeof each !== 'string')
  const flops = running.find(({ ready }) => ready.flops !== null)?.ready.flops ?? null
  for (let taken = 0; taken < Number(options.steps); taken += STEPS_A_TURN)
    for (const each of running) each.steps.push(await each.take(STEPS_A_TURN))
  const rows: (Row | string)[] = []
  for (const [i, each] of started.entries()) {
    if (typeof each === 'string') {
      rows.push(`${nameOf(cases[i]!)}: ${each}`)
      continue
    }
    const { ready, steps } = each
    const medianMs = median(steps.flatMap(({ ms }) => ms))
    const { peakMb, deviceMb, tensorsLeaked } = await each.end()
    rows.push({
      name: nameOf(cases[i]!),
      medianMs,
      fastestMs: Math.min(...steps.flatMap(({ ms }) => ms)),
      cpuMs: median(steps.flatMap(({ cpuMs }) => cpuMs)),
      tokensPerSecond: (ready.numTokens * 1000) / medianMs,
      firstMs: ready.firstMs,
      operations: ready.operations,
      shareOfPeak: flops === null || ready.peakMatmul === null ? null : (flops / medianMs) * (1000 / ready.peakMatmul),
      peakMb,
      deviceMb,
      tensorsLeaked,
    })
  }
  if (options.peer) rows.push(...(await peerRows(configuration, objective)))
  const eager = rows.find((row) => typeof row !== 'string' && row.name === 'eager') as Row | undefined
  for (const row of rows) {
    if (typeof row === 'string') say(row)
    else print({ configuration, objective }, row, eager)
  }
}

function print(about: Pick<Case, 'configuration' | 'objective'>, row: Row, eager: Row | undefined): void {
  const ratio = (of: 'medianMs' | 'fastestMs' | 'cpuMs') => (eager === undefined ? null : row[of] / eager[of])
  if (options.json) {
    const record = { ...about, ...row, ratioToEager: ratio('medianMs'), fastestRatioToEager: ratio('fastestMs'), cpuRatioToEager: ratio('cpuMs') }
    process.stdout.write(`${JSON.stringify(record)}\n`)
    return
  }
  const known = (value: number | null, write: (value: number) => string) => (value === null ? '–' : write(value))
  say(
    line([
      row.name,
      row.medianMs.toFixed(0),
      known(ratio('medianMs'), (value) => value.toFixed(3)),
      row.fastestMs.toFixed(0),
      known(ratio('fastestMs'), (value) => value.toFixed(3)),
      row.cpuMs.toFixed(0),
      known(ratio('cpuMs'), (value) => value.toFixed(3)),
      row.tokensPerSecond.toFixed(0),
      (row.firstMs / 1000).toFixed(1),
      known(row.operations, String),
      known(row.shareOfPeak, (value) => `${(100 * value).toFixed(0)} %`),
      row.peakMb.toFixed(0) + known(row.deviceMb, (value) => `, card ${value}`).replace('–', ''),
      known(row.tensorsLeaked, String),
    ]),
  )
}

/** Many steps of each case, alone: resident memory every tenth of the way, after a tenth to settle. */
async function endure(cases: readonly Case[]): Promise<void> {
  const count = Number(options.endurance)
  for (const each of cases) {
    const started = await start(each)
    say(`\n${each.configuration}, ${each.objective}, ${nameOf(each)}: ${count} steps`)
    if (typeof started === 'string') {
      say(started)
      continue
    }
    const residentMb: number[] = []
    for (let part = 0; part < 10; part += 1) residentMb.push((await started.take(Math.ceil(count / 10))).residentMb)
    const { peakMb, tensorsLeaked } = await started.end()
    const growthMb = residentMb.at(-1)! - residentMb[0]!
    if (options.json) process.stdout.write(`${JSON.stringify({ ...each, name: nameOf(each), count, residentMb, growthMb, peakMb, tensorsLeaked })}\n`)
    say(`resident MB: ${residentMb.map((mb) => mb.toFixed(0)).join(', ')}; growth ${growthMb.toFixed(0)}; peak ${peakMb.toFixed(0)}; ${tensorsLeaked} tensors leaked`)
  }
}

interface Measured {
  readonly ready: Ready
  readonly steps: Taken[]
  take(count: number): Promise<Taken>
  end(): Promise<Ended>
}

/** A process whose first steps are done, or why there is none. */
async function start(of: Case): Promise<Measured | string> {
  const child = fork(join(import.meta.dirname, 'measure-step.ts'), [JSON.stringify(of)], {
    env: { ...process.env, ...JOB_ENVIRONMENT },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let words = ''
  child.stderr!.on('data', (chunk: Buffer) => (words = (words + String(chunk)).slice(-2000)))
  const ask = async <Answer extends FromCase>(message: ToCase): Promise<Answer> => {
    child.send(message)
    return (await nextFrom(child, () => words)) as Answer
  }
  try {
    const ready = (await nextFrom(child, () => words)) as Ready
    if (ready.mode !== of.mode) {
      child.kill()
      return `ran ${ready.mode} instead: ${words.trim().split('\n').at(-1)}`
    }
    return { ready, steps: [], take: (count) => ask<Taken>({ kind: 'steps', count }), end: () => ask<Ended>({ kind: 'end' }) }
  } catch (thrown) {
    return (thrown as Error).message
  }
}

function nextFrom(child: ChildProcess, words: () => string): Promise<FromCase> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null, signal: string | null) =>
      reject(new Error(`ended with ${code ?? signal}: ${words().trim().split('\n').slice(-2).join(' ')}`))
    child.once('exit', ended)
    child.once('message', (message) => {
      child.off('exit', ended)
      resolve(message as FromCase)
    })
  })
}

/** The same step in PyTorch: eager, compiled, and compiled in bfloat16; DPO as TRL does it. */
async function peerRows(configuration: string, objective: string): Promise<readonly (Row | string)[]> {
  try {
    const script = join(import.meta.dirname, 'peer.py')
    const { stdout } = await promisify(execFile)(options.python, [script, configuration, objective, options.steps], { maxBuffer: 1 << 24 })
    return stdout
      .trim()
      .split('\n')
      .map((json) => {
        const peer = JSON.parse(json) as Record<'medianMs' | 'fastestMs' | 'cpuMs' | 'firstMs' | 'peakMb' | 'tokensPerSecond', number> & { name: string }
        return { ...peer, operations: null, shareOfPeak: null, deviceMb: null, tensorsLeaked: null }
      })
  } catch (thrown) {
    const reason = (thrown as { stderr?: string }).stderr?.trim().split('\n').at(-1) ?? (thrown as Error).message
    return [`PyTorch by ${options.python}: ${reason}`]
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

function line(cells: readonly string[]): string {
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(34) : cell.padStart(9))).join(' ')
}
