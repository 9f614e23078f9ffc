// Measures one training step in a process of its own, so that its peak memory is its own: forked by bench.ts with
// configuration, objective, backend, execution mode and number of steps; prints one line of JSON.

import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import type { ExecutionMode, BackendPreference } from '../../src-main/domain/device.ts'
import { trainingSchema } from '../../src-main/domain/run-config.ts'
import { SharedState } from '../../src-main/engine/compile/shared-state.ts'
import { createObjective } from '../../src-main/engine/objectives/objective.ts'
import { createTrainStep, stepNumbers, trainableModel } from '../../src-main/engine/train-step.ts'
import { initialWeights } from '../../src-main/engine/weights/initial.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { compileStep } from '../../src-main/jobs/compile/compile-step.ts'
import { CONFIGURATIONS, randomBatch } from './configurations.ts'

const [name, kind, backend, execution, steps] = process.argv.slice(2) as ['tiny' | 'small', 'sft' | 'dpo', BackendPreference, ExecutionMode, string]
const info = await openBackend(backend)
const configuration = CONFIGURATIONS[name]
const training = trainingSchema.parse({ objective: { kind }, steps: 1000, warmupRatio: 0, learningRate: 1e-4 })
const objective = createObjective(training.objective)
const trainable = trainableModel(configuration.spec, initialWeights(configuration.spec, 0), training)
const step = createTrainStep(trainable, objective, training)
const program = compileStep((batch, scalars) => step.run(batch, scalars), {
  state: new SharedState(step.variables),
  prefer: execution,
  cacheFolder: join(tmpdir(), `pivot-lab-bench-${process.pid}`),
  warn: (message) => process.stderr.write(`${message}\n`),
})
const { tensors, numTokens } = randomBatch(configuration, objective)
const baseMb = process.memoryUsage().rss / 1e6

let losses: number[] = []
const once = (index: number): number => {
  const begun = performance.now()
  const scalars = Object.fromEntries(Object.entries(stepNumbers(training, index)).map(([key, value]) => [key, tf.scalar(value)]))
  const outputs = program.run(tensors, scalars)
  losses.push(outputs['loss']!.dataSync()[0]!)
  tf.dispose([outputs, scalars])
  return performance.now() - begun
}
const firstMs = once(1)
once(2)
const aliveBefore = tf.memory().numTensors
let operations = 0
if (program.mode === 'eager') operations = countOperations(() => once(3))
const times = Array.from({ length: Number(steps) }, (_, i) => once(4 + i)).sort((a, b) => a - b)
const medianMs = times[times.length >> 1]!
process.stdout.write(
  `${JSON.stringify({
    configuration: name,
    objective: kind,
    engine: info.kind,
    device: info.device,
    mode: program.mode,
    medianMs,
    minMs: times[0],
    firstMs,
    tokensPerSecond: (numTokens * 1000) / medianMs,
    operations,
    peakMb: process.resourceUsage().maxRSS / 1000,
    baseMb,
    tensorsLeaked: tf.memory().numTensors - aliveBefore,
    firstLoss: losses[0],
    lastLoss: losses.at(-1),
  })}\n`,
)
program.dispose()
process.exit(0)

/** Kernels that one call runs. */
function countOperations(work: () => void): number {
  const engine = tf.engine() as unknown as { runKernelFunc: (...args: unknown[]) => unknown }
  const original = engine.runKernelFunc
  let count = 0
  engine.runKernelFunc = function (...args: unknown[]) {
    count += 1
    return original.apply(this, args)
  }
  try {
    work()
  } finally {
    engine.runKernelFunc = original
  }
  return count
}
