// A compiled step against the same step run eagerly: numbers, state, shapes, cache and leaks.

import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { SharedState } from '../../../src-main/engine/compile/shared-state.ts'
import {
  compileStep,
  type CompileOptions,
  type CompileReport,
  type StepProgram,
} from '../../../src-main/jobs/compile/compile-step.ts'
import { openNativeEngine } from './native-engine.ts'
import { SMALLEST, tinyBatch, tinyScalars, tinyStep, tinyVariables } from './tiny-step.ts'

const native = await openNativeEngine()
// Compiling is the processor's work: beside other work it takes several times as long.
vi.setConfig({ testTimeout: 300_000 })
const cacheFolder = mkdtempSync(join(tmpdir(), 'pivot-lab-programs-'))
afterAll(() => rmSync(cacheFolder, { recursive: true, force: true }))

interface Trial {
  readonly program: StepProgram
  readonly warnings: string[]
  readonly reports: CompileReport[]
}

const open: StepProgram[] = []
afterEach(() => {
  for (const program of open.splice(0)) program.dispose()
  tf.disposeVariables()
})

/** A trial of the smallest model; its weights are the same at every call. */
function trial(options: Partial<CompileOptions> & Pick<CompileOptions, 'prefer'>): Trial {
  const { weights, state } = tinyVariables(SMALLEST)
  const [warnings, reports]: [string[], CompileReport[]] = [[], []]
  const program = compileStep(tinyStep(SMALLEST, weights, state), {
    state: new SharedState(state),
    cacheFolder,
    warn: (message) => warnings.push(message),
    onCompiled: (report) => reports.push(report),
    ...options,
  })
  open.push(program)
  return { program, warnings, reports }
}

function runStep(program: StepProgram, step: number, batch: Record<string, tf.Tensor>): { loss: number; gradNorm: number } {
  const scalars = tinyScalars(step)
  const results = program.run(batch, scalars)
  const numbers = { loss: results['loss']!.dataSync()[0]!, gradNorm: results['grad_norm']!.dataSync()[0]! }
  tf.dispose([results, scalars])
  return numbers
}

function losses(program: StepProgram, steps: number, batches: readonly Record<string, tf.Tensor>[]): number[] {
  return Array.from({ length: steps }, (_, index) => runStep(program, index + 1, batches[index % batches.length]!).loss)
}

function worstDifference(found: readonly number[], expected: readonly number[]): number {
  return Math.max(...found.map((value, index) => Math.abs(value - expected[index]!) / Math.abs(expected[index]!)))
}

function stateBytes(program: StepProgram): Record<string, string> {
  const values = program.readState()
  const bytes = Object.entries(values).map(([name, tensor]) => [
    name,
    Buffer.from((tensor.dataSync() as Float32Array).slice().buffer).toString('hex'),
  ])
  tf.dispose(values)
  return Object.fromEntries(bytes)
}

describe.skipIf(!native)('a compiled training step', () => {
  it('gives the eager losses over 50 steps on two length buckets that share one state, as a graph and by XLA', () => {
    const batches = [tinyBatch(SMALLEST, 2, 6), tinyBatch(SMALLEST, 2, 4, 3), tinyBatch(SMALLEST, 2, 4, 5)]
    const expected = losses(trial({ prefer: 'eager' }).program, 50, batches)
    expect(expected.at(-1)!).toBeLessThan(expected[0]! * 0.9)
    for (const prefer of ['graph', 'xla'] as const) {
      const { program, warnings, reports } = trial({ prefer })
      const found = losses(program, 50, batches)
      expect(warnings).toEqual([])
      expect(reports.map(({ mode }) => mode)).toEqual([prefer, prefer])
      expect(program.mode).toBe(prefer)
      expect(worstDifference(found, expected)).toBeLessThan(1e-4)
    }
  })

  it('leaves as many tensors as it found', () => {
    const batch = tinyBatch(SMALLEST, 2, 6)
    for (const prefer of ['eager', 'graph'] as const) {
      const { program } = trial({ prefer })
      const before = tf.memory().numTensors
      losses(program, 3, [batch])
      expect(tf.memory().numTensors).toBe(before)
    }
  })

  it('returns the state that was written, bit for bit, signed zeros and subnormals included', () => {
    const { program } = trial({ prefer: 'graph' })
    const batch = tinyBatch(SMALLEST, 2, 6)
    runStep(program, 1, batch)
    const odd = Float32Array.from({ length: SMALLEST.width }, (_, i) => [-0, 1e-42, 3.4e38, Number.MIN_VALUE][i % 4]!)
    const written = { 'text0/norm1': tf.tensor1d(odd) }
    const before = stateBytes(program)
    program.writeState(written)
    expect(stateBytes(program)).toEqual({ ...before, 'text0/norm1': Buffer.from(odd.buffer).toString('hex') })
  })

  it('continues bit for bit from a state read out and written into a fresh program', () => {
    const batch = tinyBatch(SMALLEST, 2, 6)
    const whole = trial({ prefer: 'graph' }).program
    const expected = losses(whole, 6, [batch])
    const first = trial({ prefer: 'graph' }).program
    losses(first, 3, [batch])
    const saved = first.readState()
    const second = trial({ prefer: 'graph' }).program
    second.writeState(saved)
    const rest = [4, 5, 6].map((step) => runStep(second, step, batch).loss)
    expect(rest).toEqual(expected.slice(3))
    expect(stateBytes(second)).toEqual(stateBytes(whole))
  })

  it('is not disturbed by tensors read out of it or written into it', () => {
    const { program } = trial({ prefer: 'graph' })
    const batch = tinyBatch(SMALLEST, 2, 6)
    runStep(program, 1, batch)
    const read = program.readState(['patch'])['patch']!
    const before = read.dataSync().slice()
    losses(program, 3, [batch])
    expect(read.dataSync()).toEqual(before)
  })

  it('counts recording as no step: preparing leaves the state as it was', () => {
    const { program } = trial({ prefer: 'graph' })
    const before = stateBytes(program)
    program.prepare(tinyBatch(SMALLEST, 2, 6), tinyScalars(1))
    expect(stateBytes(program)).toEqual(before)
  })

  it('gives the state back to the variables when it is disposed, and holds NaN in them until then', () => {
    const { weights, state } = tinyVariables(SMALLEST)
    const program = compileStep(tinyStep(SMALLEST, weights, state), {
      state: new SharedState(state),
      cacheFolder,
      prefer: 'graph',
    })
    runStep(program, 1, tinyBatch(SMALLEST, 2, 6))
    expect(weights['patch']!.dataSync()[0]).toBeNaN()
    const inside = stateBytes(program)
    program.dispose()
    expect(Buffer.from((weights['patch']!.dataSync() as Float32Array).slice().buffer).toString('hex')).toBe(inside['patch'])
  })

  it('refuses a token id outside the embedding, which XLA would take for the nearest row', () => {
    const { program } = trial({ prefer: 'graph' })
    const batch = tinyBatch(SMALLEST, 2, 6)
    const before = stateBytes(program)
    runStep(program, 1, batch)
    const after = stateBytes(program)
    const wrong = { ...batch, ids: tf.fill([2, 6], SMALLEST.vocabulary, 'int32') }
    expect(() => program.run(wrong, tinyScalars(2))).toThrow(/batch\/ids: value 32 at position 0 is not in \[0, 32\)/)
    expect(stateBytes(program)).toEqual(after)
    expect(after).not.toEqual(before)
  })

  it('stays near the float32 losses with bfloat16 products', () => {
    const batch = tinyBatch(SMALLEST, 2, 6)
    const expected = losses(trial({ prefer: 'graph' }).program, 20, [batch])
    const found = losses(trial({ prefer: 'graph', precision: 'bfloat16' }).program, 20, [batch])
    expect(found).not.toEqual(expected)
    // bfloat16 keeps 8 bits: a relative rounding of 2^−9 per factor, averaged over a sum.
    expect(worstDifference(found, expected)).toBeLessThan(4e-3)
  })

  it('shares its weights with a forward program, in either direction', () => {
    const { weights, state } = tinyVariables(SMALLEST)
    const shared = new SharedState(state)
    const train = compileStep(tinyStep(SMALLEST, weights, state), { state: shared, cacheFolder, prefer: 'graph' })
    const score = compileStep((inputs) => ({ total: tf.sum(tf.mul(weights['projector']!, inputs['factor']!)) }), {
      state: shared,
      cacheFolder,
      prefer: 'graph',
    })
    open.push(train, score)
    const factor = { factor: tf.scalar(2) }
    const total = (): number => tf.tidy(() => score.run(factor)['total']!.dataSync()[0]!)
    const projector = (): number => tf.tidy(() => tf.sum(train.readState(['projector'])['projector']!).dataSync()[0]!)
    const first = total()
    losses(train, 2, [tinyBatch(SMALLEST, 2, 6)])
    const second = total()
    expect(second).toBeCloseTo(2 * projector(), 5)
    expect(second).not.toBe(first)
    train.writeState({ projector: tf.ones(weights['projector']!.shape) })
    expect(total()).toBeCloseTo(2 * weights['projector']!.size, 3)
  })
})

describe.skipIf(!native)('what cannot be compiled', () => {
  const cases: Record<string, { step: (x: tf.Tensor) => tf.Tensor; words: RegExp }> = {
    'a value read back': {
      step: (x) => tf.mul(x, tf.sum(x).dataSync()[0]!),
      words: /read back into JavaScript.*compile-step\.test\.ts:\d+/,
    },
    'a number that changes': {
      step: (x) => tf.mul(x, performance.now()),
      words: /changes from step to step; give it to the step as an input \(at .*compile-step\.test\.ts:\d+/,
    },
    'an operator of unknown output shape': {
      step: (x) => tf.cast(tf.unique(tf.reshape(x, [-1])).indices, 'float32'),
      words: /operator UniqueV2 cannot be part of a compiled step/,
    },
  }

  for (const [name, { step, words }] of Object.entries(cases))
    it(`runs eagerly with a warning that says where: ${name}`, () => {
      const warnings: string[] = []
      const state = new SharedState({ scale: tf.variable(tf.scalar(2)) })
      const program = compileStep((inputs) => ({ result: step(inputs['x']!) }), {
        state,
        cacheFolder,
        prefer: 'graph',
        warn: (message) => warnings.push(message),
      })
      const result = program.run({ x: tf.tensor1d([1, 2]) })
      expect(result['result']!.shape).toEqual([2])
      expect(program.mode).toBe('eager')
      expect(warnings).toHaveLength(1)
      expect(warnings[0]).toMatch(words)
      expect(warnings[0]).toMatch(/The step runs eagerly instead/)
    })

  it('is refused, not run eagerly, where the run asks for bfloat16: eager steps have none', () => {
    const step = (inputs: Readonly<Record<string, tf.Tensor>>) => ({ result: tf.mul(inputs['x']!, tf.sum(inputs['x']!).dataSync()[0]!) })
    const options = { state: new SharedState({}), cacheFolder, precision: 'bfloat16' } as const
    const program = compileStep(step, { ...options, prefer: 'graph' })
    expect(() => program.run({ x: tf.tensor1d([1, 2]) })).toThrow(/bfloat16 exists in compiled steps only.*read back into JavaScript/)
    expect(() => compileStep(step, { ...options, prefer: 'eager' })).toThrow(/Choose float32/)
  })

  it('includes what reads a variable that was not declared', () => {
    const warnings: string[] = []
    const forgotten = tf.variable(tf.scalar(5))
    const state = new SharedState({})
    const program = compileStep((inputs) => ({ result: tf.mul(inputs['x']!, forgotten) }), {
      state,
      cacheFolder,
      prefer: 'graph',
      warn: (message) => warnings.push(message),
    })
    expect(program.run({ x: tf.scalar(2) })['result']!.dataSync()[0]).toBe(10)
    expect(warnings[0]).toMatch(/Mul reads variable '.*', which was not declared to it/)
  })

  it('falls back to the graph, with the state untouched, where XLA cannot compile an operator', () => {
    const warnings: string[] = []
    const total = tf.variable(tf.scalar(1))
    const program = compileStep(
      (inputs) => {
        // XLA has no kernel for this one.
        const crops = tf.image.cropAndResize(
          inputs['image'] as tf.Tensor4D,
          tf.tensor2d([[0, 0, 1, 1]]),
          tf.tensor1d([0], 'int32'),
          [2, 2],
        )
        total.assign(tf.add(total, tf.sum(crops)))
        return { total: tf.add(total, 0) }
      },
      { state: new SharedState({ total }), cacheFolder, prefer: 'xla', warn: (message) => warnings.push(message) },
    )
    open.push(program)
    const result = program.run({ image: tf.ones([1, 2, 2, 1]) })
    expect(result['total']!.dataSync()[0]).toBe(5)
    expect(program.mode).toBe('graph')
    expect(warnings[0]).toMatch(/xla could not run the step .* trying graph/)
  })
})

describe.skipIf(!native)('the cache of programs', () => {
  function freshCache(): string {
    return mkdtempSync(join(cacheFolder, 'cache-'))
  }

  it('serves a second start, by what was recorded or, unrecorded, by its identity', () => {
    const batch = tinyBatch(SMALLEST, 2, 6)
    for (const more of [{}, { identity: 'smallest model, test' }]) {
      const folder = freshCache()
      const first = trial({ prefer: 'graph', cacheFolder: folder, ...more })
      const expected = losses(first.program, 2, [batch])
      const second = trial({ prefer: 'graph', cacheFolder: folder, ...more })
      expect(losses(second.program, 2, [batch])).toEqual(expected)
      expect([first, second].map(({ reports }) => reports.map(({ origin }) => origin))).toEqual([['recorded'], ['cache']])
    }
  })

  it('does not take a captured tensor for part of the identity', () => {
    const folder = freshCache()
    const total = (captured: number): number => {
      const constant = tf.scalar(captured)
      const options = { state: new SharedState({}), cacheFolder: folder, prefer: 'graph', identity: 'the same' } as const
      const program = compileStep((inputs) => ({ sum: tf.add(inputs['x']!, constant) }), options)
      open.push(program)
      return program.run({ x: tf.scalar(1) })['sum']!.dataSync()[0]!
    }
    expect([total(1), total(2)]).toEqual([2, 3])
  })

  it('detects a damaged entry and writes it anew', () => {
    const batch = tinyBatch(SMALLEST, 2, 6)
    for (const file of ['saved_model.pb', 'program.json']) {
      const folder = freshCache()
      const expected = losses(trial({ prefer: 'graph', cacheFolder: folder }).program, 2, [batch])
      const [entry] = readdirSync(folder)
      const path = join(folder, entry!, file)
      const sound = readFileSync(path)
      const damaged = Buffer.from(sound)
      damaged[Math.floor(damaged.length / 2)]! ^= 0xff
      writeFileSync(path, damaged)
      const { program, reports, warnings } = trial({ prefer: 'graph', cacheFolder: folder })
      expect(losses(program, 2, [batch])).toEqual(expected)
      expect([reports[0]!.origin, warnings]).toEqual(['recorded', []])
      expect(readFileSync(path).equals(sound)).toBe(true)
    }
  })
})
