// XLA's cache of machine code across processes: TensorFlow reads its settings once a process, so each start here is one.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { openNativeEngine } from './native-engine.ts'

const native = await openNativeEngine()
// Compiling is the processor's work: beside other work it takes several times as long.
vi.setConfig({ testTimeout: 300_000 })
const folder = mkdtempSync(join(tmpdir(), 'pivot-lab-xla-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const source = (path: string): string => JSON.stringify(new URL(`../../../src-main/${path}`, import.meta.url).href)

/** Another start of the lab: prepares the cache, runs one small program by XLA, and says how. */
function start(): { readonly mode: string; readonly sum: number; readonly warnings: readonly string[] } {
  const script = `
    const { prepareXla } = await import(${source('jobs/compile/xla-cache.ts')})
    prepareXla(${JSON.stringify(join(folder, 'xla'))})
    const { openBackend } = await import(${source('jobs/backend/backend.ts')})
    const { SharedState } = await import(${source('engine/compile/shared-state.ts')})
    const { compileStep } = await import(${source('jobs/compile/compile-step.ts')})
    const tf = await import(${JSON.stringify(import.meta.resolve('@tensorflow/tfjs'))})
    await openBackend('native')
    const warnings = []
    const program = compileStep((batch) => ({ sum: tf.sum(tf.exp(tf.tanh(batch.x))) }), {
      state: new SharedState({}), prefer: 'xla', cacheFolder: ${JSON.stringify(join(folder, 'programs'))},
      warn: (message) => warnings.push(message),
    })
    const sum = program.run({ x: tf.linspace(-1, 1, 1000) }).sum.dataSync()[0]
    process.stdout.write(JSON.stringify({ mode: program.mode, sum, warnings }))`
  const environment = { ...process.env }
  delete environment['TF_XLA_FLAGS']
  delete environment['XLA_FLAGS']
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
    env: environment,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return JSON.parse(output) as ReturnType<typeof start>
}

function machineCode(): Record<string, string> {
  const [processor] = readdirSync(join(folder, 'xla'))
  const files = readdirSync(join(folder, 'xla', processor!))
  return Object.fromEntries(
    files.map((name) => [
      join(folder, 'xla', processor!, name),
      readFileSync(join(folder, 'xla', processor!, name)).toString('base64'),
    ]),
  )
}

describe.skipIf(!native)("XLA's cache", () => {
  it('serves the next start; a damaged file is compiled anew instead of ending XLA', () => {
    const first = start()
    expect(first).toEqual({ mode: 'xla', sum: first.sum, warnings: [] })
    const written = machineCode()
    const [code, seal] = Object.keys(written).sort()
    expect(Object.keys(written)).toHaveLength(2)
    expect(seal).toBe(`${code}.sha256`)

    expect(start()).toEqual(first)
    expect(machineCode()).toEqual(written)

    truncateSync(code!, 100)
    expect(start()).toEqual(first)
    expect(Buffer.from(machineCode()[code!]!, 'base64').length).toBeGreaterThan(1000)

    rmSync(seal!)
    expect(start()).toEqual(first)
    expect(Object.keys(machineCode())).toHaveLength(2)
  })
})
