// Measures one training step in a process of its own, so that its peak memory is its own. It takes its case as JSON on the
// command line, says when its first steps are done, and then takes a few more whenever it is told: bench.ts lets several
// such processes take turns, so that what else the machine does meets all of them alike.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import type { Precision } from '../../src-main/domain/device.ts'
import { trainingSchema } from '../../src-main/domain/run-config.ts'
import { SharedState } from '../../src-main/engine/compile/shared-state.ts'
import { createObjective } from '../../src-main/engine/objectives/objective.ts'
import { createTrainStep, stepNumbers, trainableModel } from '../../src-main/engine/train-step.ts'
import { initialWeights } from '../../src-main/engine/weights/initial.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { compileStep } from '../../src-main/jobs/compile/compile-step.ts'
import { CONFIGURATIONS, randomBatch } from './configurations.ts'
import type { Case, FromCase, ToCase } from './cases.ts'

const { configuration: name, objective: kind, engine, mode, precision, gradients, checkpointing, cache } = JSON.parse(
  process.argv[2]!,
) as Case
const cacheFolder = cache ?? mkdtempSync(join(tmpdir(), 'pivot-lab-bench-'))
const info = await openBackend(engine)
if (gradients === 'automatic') withAutomaticGradients()
const configuration = CONFIGURATIONS[name]
const training = trainingSchema.parse({
  objective: { kind },
  steps: 1_000_000,
  warmupRatio: 0,
  learningRate: 1e-4,
  precision,
  modules: { visionEncoder: { gradientCheckpointing: checkpointing }, languageModel: { gradientCheckpointing: checkpointing } },
})
const objective = createObjective(training.objective)
const trainable = trainableModel(configuration.spec, initialWeights(configuration.spec, 0), training)
const step = createTrainStep(trainable, objective, training)
const program = compileStep((batch, scalars) => step.run(batch, scalars), {
  state: new SharedState(step.variables),
  prefer: mode,
  precision: training.precision,
  cacheFolder,
  identity: `benchmark ${name} ${kind} ${checkpointing} ${gradients}`,
  warn: (message) => process.stderr.write(`${message}\n`),
})
const { tensors, numTokens } = randomBatch(configuration, objective)
const baseMb = process.memoryUsage().rss / 1e6
const losses: number[] = []
let index = 0

const firstMs = once().ms
// The second execution still finds buffers to allocate.
once()
const peakMatmul = flopsOfMatmul(precision)
let aliveBefore = tf.memory().numTensors
let flops: number | null = null
let operations: number | null = null
if (program.mode === 'eager') {
  const counted = countKernels(() => once())
  operations = counted.kernels
  flops = counted.flops
}
say({ kind: 'ready', device: info.device, gpu: info.gpu, mode: program.mode, numTokens, firstMs, baseMb, operations, flops, peakMatmul })

process.on('message', (message: ToCase) => {
  if (message.kind === 'steps') {
    const taken = Array.from({ length: message.count }, once)
    say({ kind: 'taken', ms: taken.map(({ ms }) => ms), cpuMs: taken.map(({ cpuMs }) => cpuMs), residentMb: process.memoryUsage().rss / 1e6 })
    return
  }
  say({
    kind: 'ended',
    peakMb: (process.resourceUsage().maxRSS * 1024) / 1e6,
    deviceMb: info.gpu ? deviceMb() : null,
    tensorsLeaked: tf.memory().numTensors - aliveBefore,
    firstLoss: losses[0]!,
    lastLoss: losses.at(-1)!,
  })
  program.dispose()
  if (cache === null) rmSync(cacheFolder, { recursive: true, force: true })
  process.disconnect()
  process.exit(0)
})

function say(message: FromCase): void {
  process.send!(message)
}

function once(): { readonly ms: number; readonly cpuMs: number } {
  const cpu = process.cpuUsage()
  const begun = performance.now()
  index += 1
  const scalars = Object.fromEntries(Object.entries(stepNumbers(training, index)).map(([key, value]) => [key, tf.scalar(value)]))
  const outputs = program.run(tensors, scalars)
  losses.push(outputs['loss']!.dataSync()[0]!)
  tf.dispose([outputs, scalars])
  const { user, system } = process.cpuUsage(cpu)
  return { ms: performance.now() - begun, cpuMs: (user + system) / 1000 }
}

/** TensorFlow.js's own gradients in place of the written ones: what a step costs that leaves differentiation to the tape. */
function withAutomaticGradients(): void {
  const engine = tf.engine() as unknown as { customGrad: (f: (...args: unknown[]) => { value: tf.Tensor }) => unknown }
  engine.customGrad =
    (f) =>
    (...inputs: unknown[]) =>
      f(...inputs, () => {}).value
}

/** Kernels that one call runs, and the floating-point operations in its matrix products: 2·m·n·k each. */
function countKernels(work: () => void): { readonly kernels: number; readonly flops: number } {
  interface Run {
    readonly kernelName?: string
    readonly inputs: Record<string, tf.Tensor>
    readonly attrs?: { readonly transposeA?: boolean }
  }
  const engine = tf.engine() as unknown as { runKernelFunc: (run: Run) => tf.Tensor }
  const original = engine.runKernelFunc
  let kernels = 0
  let flops = 0
  engine.runKernelFunc = function (run) {
    const result = original.call(this, run)
    kernels += 1
    if (run.kernelName === 'BatchMatMul') flops += 2 * result.size * run.inputs['a']!.shape.at(run.attrs?.transposeA === true ? -2 : -1)!
    return result
  }
  try {
    work()
    return { kernels, flops }
  } finally {
    engine.runKernelFunc = original
  }
}

/** What the engine reaches on one large product of this precision, floating-point operations a second: the best of five. */
function flopsOfMatmul(of: Precision): number | null {
  if (info.kind !== 'native') return null
  const N = info.gpu ? 8192 : 1024
  const product = compileStep((inputs) => ({ corner: tf.slice(tf.matMul(inputs['a'] as tf.Tensor2D, inputs['a'] as tf.Tensor2D), [0, 0], [1, 1]) }), {
    state: new SharedState({}),
    prefer: 'graph',
    precision: of,
    cacheFolder,
  })
  const a = tf.randomUniform([N, N], -1, 1, 'float32', 1)
  const seconds = Array.from({ length: 6 }, () => {
    const begun = performance.now()
    const { corner } = product.run({ a })
    corner!.dataSync()
    corner!.dispose()
    return (performance.now() - begun) / 1000
  })
  a.dispose()
  product.dispose()
  return (2 * N ** 3) / Math.min(...seconds.slice(1))
}

/** Memory of the card that this process holds. */
function deviceMb(): number | null {
  try {
    const rows = execFileSync('nvidia-smi', ['--query-compute-apps=pid,used_memory', '--format=csv,noheader,nounits'], {
      encoding: 'utf8',
      timeout: 10_000,
    })
    const own = rows.split('\n').find((row) => row.startsWith(`${process.pid},`))
    return own === undefined ? null : Number(own.split(',')[1])
  } catch {
    return null
  }
}
