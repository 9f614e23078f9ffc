// Laws of a recorded graph: written as ONNX and as a TensorFlow.js model, run by others, it gives the eager values at batch
// sizes that were never recorded; what no graph can say is refused by name.

import * as tf from '@tensorflow/tfjs'
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { recordBatchGraph, type BatchGraph } from '../../../src-main/engine/export/batch-graph.ts'
import { writeOnnx, type OnnxOptions } from '../../../src-main/engine/export/onnx.ts'
import { writeTfjsGraph } from '../../../src-main/engine/export/tfjs-graph.ts'
import type { NamedTensors } from '../../../src-main/engine/compile/recorder.ts'
import { faultOf } from '../../support/fault-of.ts'
import { openNativeEngine } from '../../jobs/compile/native-engine.ts'

const native = await openNativeEngine()
const onnx = await import('onnxruntime-node').catch(() => null)
if (onnx === null) console.warn('graphs are not run as ONNX: onnxruntime-node is not installed')

type Forward = (x: tf.Tensor3D, weights: Readonly<Record<string, tf.Variable>>) => tf.Tensor

let tensorsBefore = 0
beforeEach(() => void (tensorsBefore = tf.memory().numTensors))
afterEach(() => expect(tf.memory().numTensors).toBe(tensorsBefore))

/** (B, 6, 4) in (−1, 1). */
const imagesOf = (batch: number, seed: number) => tf.randomUniform([batch, 6, 4], -1, 1, 'float32', seed) as tf.Tensor3D
const VALUES: Readonly<Record<string, readonly number[]>> = { 'matrix.weight': [5, 4], 'row.bias': [1, 1, 4], kernel: [2, 2, 4, 3] }

function withWeights<T>(work: (weights: Record<string, tf.Variable>) => T): T {
  const weights = Object.fromEntries(
    Object.entries(VALUES).map(([name, shape], i) => [name, tf.tidy(() => tf.variable(tf.randomUniform([...shape], -1, 1, 'float32', i)))]),
  )
  try {
    return work(weights)
  } finally {
    tf.dispose(weights as tf.NamedTensorMap)
  }
}

function graphOf(forward: Forward): { readonly graph: BatchGraph; readonly valuesOf: (name: string) => Float32Array; readonly expected: (x: tf.Tensor3D) => Float32Array } {
  return withWeights((weights) => {
    const step = ({ x }: NamedTensors) => ({ y: forward(x as tf.Tensor3D, weights) })
    const held = Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, weight.dataSync().slice() as Float32Array]))
    return {
      graph: recordBatchGraph(step, (batch) => ({ x: imagesOf(batch, batch) }), weights),
      valuesOf: (name) => held[name]!,
      expected: (x) => withWeights((again) => tf.tidy(() => forward(x, again).dataSync().slice() as Float32Array)),
    }
  })
}

async function runOnnx({ graph, valuesOf }: ReturnType<typeof graphOf>, x: tf.Tensor, options: Partial<OnnxOptions> = {}): Promise<Tensor> {
  const { model } = writeOnnx(graph, valuesOf, { dtype: 'float32', metadata: {}, dataFile: 'weights', ...options })
  const session: InferenceSession = await onnx!.InferenceSession.create(Buffer.concat(model), { logSeverityLevel: 3 })
  const { y } = await session.run({ x: new onnx!.Tensor('float32', x.dataSync() as Float32Array, x.shape) })
  await session.release()
  return y!
}

async function runTfjs({ graph, valuesOf }: ReturnType<typeof graphOf>, x: tf.Tensor, dtype: 'float32' | 'float16' = 'float32'): Promise<Float32Array> {
  const { json, weights } = writeTfjsGraph(graph, valuesOf, { dtype, metadata: {} })
  const bytes = Buffer.concat(weights)
  const model = await tf.loadGraphModel({
    load: async () => ({
      modelTopology: json['modelTopology'] as object,
      signature: json['signature'] as object,
      weightSpecs: (json['weightsManifest'] as [{ weights: tf.io.WeightsManifestEntry[] }])[0].weights,
      weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer,
    }),
  })
  const y = model.predict(x) as tf.Tensor
  const values = y.dataSync().slice() as Float32Array
  y.dispose()
  model.dispose()
  return values
}

const w = (weights: Readonly<Record<string, tf.Variable>>, name: string) => weights[name]! as tf.Tensor

/** One case a group of operators; each adds its parts up, so every one of them counts. */
const CASES: Readonly<Record<string, Forward>> = {
  'products, either side transposed': (x, weights) => {
    const rows = tf.reshape(x, [-1, 4]) as tf.Tensor2D
    const mixed = tf.reshape(tf.matMul(rows, w(weights, 'matrix.weight') as tf.Tensor2D, false, true), [x.shape[0], 6, 5])
    return tf.matMul(tf.matMul(mixed, x, true), tf.softmax(x), false, true)
  },
  'shapes that grow with the batch': (x, weights) => {
    const B = x.shape[0]
    const prefix = tf.tile(w(weights, 'row.bias'), [B, 1, 1])
    const wide = tf.concat([prefix, tf.broadcastTo(w(weights, 'row.bias'), [B, 2, 4]), x], 1) // (B, 9, 4)
    return tf.transpose(tf.reshape(wide, [B, 3, 3, 2, 2]), [0, 3, 1, 4, 2])
  },
  'tensors of one value that grow with the batch': (x) => tf.add(tf.concat([x, tf.zeros([x.shape[0], 1, 4])], 1), tf.fill([x.shape[0], 7, 4], 2)),
  slices: (x) =>
    tf.concat(
      [tf.slice(x, [0, 1, 0], [-1, 2, 4]), tf.slice(x, [0, 2, 1], [x.shape[0], 1, 3]).pad([[0, 0], [0, 0], [1, 0]]), tf.stridedSlice(x, [0, 1, 0], [x.shape[0], 6, 4], [1, 2, 1])],
      1,
    ),
  'splits and stacks': (x) => tf.stack([...tf.unstack(x, 1).slice(0, 2), ...tf.split(x, 2, 1).map((part) => tf.mean(part, 1)), ...tf.split(x, [4, 2], 1).map((part) => tf.max(part, 1))] as tf.Tensor[], 1),
  'gathered rows': (x) => tf.gather(x, tf.tensor1d([3, 0, 3, 5], 'int32'), 1),
  reductions: (x) => tf.addN([tf.sum(x, [1], true), tf.mean(x, 1, true), tf.max(x, 1, true), tf.min(x, 1, true), tf.prod(x, 1, true), tf.cumsum(tf.sum(x, 1, true), 2)]),
  'one argument functions': (x) =>
    tf.addN([tf.erf(x), tf.sigmoid(x), tf.tanh(x), tf.exp(x), tf.square(x), tf.rsqrt(tf.add(tf.square(x), 1)), tf.relu(x), tf.relu6(x), tf.abs(x), tf.neg(x), tf.softplus(x), tf.elu(x), tf.log1p(tf.abs(x)), tf.expm1(x), tf.round(x), tf.leakyRelu(x), tf.zerosLike(x), tf.onesLike(x), tf.logSoftmax(x)]),
  'two argument functions': (x, weights) => {
    const b = tf.tile(w(weights, 'row.bias'), [x.shape[0], 6, 1])
    return tf.addN([tf.add(x, b), tf.sub(x, b), tf.mul(x, b), tf.div(x, tf.add(tf.square(b), 1)), tf.maximum(x, b), tf.minimum(x, b), tf.pow(tf.abs(x), 1.5), tf.squaredDifference(x, b), tf.divNoNan(x, tf.sub(b, b)), tf.where(tf.greater(x, b), x, b), tf.cast(tf.lessEqual(x, b), 'float32')])
  },
  convolution: (x, weights) => tf.conv2d(tf.reshape(x, [x.shape[0], 3, 2, 4]) as tf.Tensor4D, w(weights, 'kernel') as tf.Tensor4D, 1, 'valid'),
}

describe.runIf(native)('a graph of open batch size', () => {
  for (const [name, forward] of Object.entries(CASES))
    it(`computes ${name}, in ONNX and in TensorFlow.js, at sizes that were not recorded`, async () => {
      const recorded = graphOf(forward)
      for (const batch of [1, 4]) {
        const x = imagesOf(batch, 77)
        const expected = recorded.expected(x)
        const found = { tfjs: await runTfjs(recorded, x), ...(onnx && { onnx: (await runOnnx(recorded, x)).data as Float32Array }) }
        for (const [by, values] of Object.entries(found)) {
          expect(values.length, by).toBe(expected.length)
          values.forEach((value, i) => expect(Math.abs(value - expected[i]!), `${by} [${i}]`).toBeLessThan(2e-6 * (1 + Math.abs(expected[i]!))))
        }
        x.dispose()
      }
    })

  it('says its open sizes and names its weights as they were given', () => {
    const { graph } = graphOf((x, weights) => tf.reshape(tf.add(x, w(weights, 'row.bias')), [-1, 4]))
    expect(graph.weights).toEqual([{ name: 'row.bias', dtype: 'float32', shape: [1, 1, 4].map((plus) => ({ perBatch: 0, plus })) }])
    expect(graph.inputs[0]!.shape[0]).toEqual({ perBatch: 1, plus: 0 })
    expect(graph.outputs[0]!.shape).toEqual([{ perBatch: 6, plus: 0 }, { perBatch: 0, plus: 4 }])
  })

  it.runIf(onnx)('computes in float32 on weights that are stored in two bytes', async () => {
    const recorded = graphOf(CASES['products, either side transposed']!)
    const x = imagesOf(2, 5)
    const expected = recorded.expected(x)
    for (const [dtype, tolerance] of [['float16', 2e-3], ['bfloat16', 2e-2]] as const) {
      const values = (await runOnnx(recorded, x, { dtype })).data as Float32Array
      const worst = Math.max(...values.map((value, i) => Math.abs(value - expected[i]!)))
      expect(worst).toBeGreaterThan(0)
      expect(worst).toBeLessThan(tolerance * 4)
    }
    expect(await runTfjs(recorded, x, 'float16')).not.toEqual(expected)
    x.dispose()
  })

  it('puts large weights into a file of their own, each at a page’s beginning', () => {
    const { graph, valuesOf } = graphOf((x, weights) => tf.add(x, tf.mean(tf.reshape(w(weights, 'kernel'), [12, 4]), 0)))
    const values = new Float32Array(2048)
    const large = { ...graph, weights: graph.weights.map((weight) => ({ ...weight, shape: [{ perBatch: 0, plus: 2048 }] })) }
    const inside = writeOnnx(large, () => values, { dtype: 'float32', metadata: {}, dataFile: 'w.data' })
    const outside = writeOnnx(large, () => values, { dtype: 'float32', metadata: {}, dataFile: 'w.data', externalFrom: 0 })
    expect(inside.data).toBeNull()
    expect(Buffer.concat([...outside.data!]).length).toBe(values.byteLength)
    expect(Buffer.concat([...outside.model]).includes('w.data')).toBe(true)
    expect(Buffer.concat([...inside.model]).length - Buffer.concat([...outside.model]).length).toBeGreaterThan(8000)
    expect(valuesOf('kernel')).toHaveLength(48)
  })

  it('refuses, by name, numbers and operators that change with the batch, and what a format cannot hold', () => {
    expect(faultOf(() => graphOf((x) => tf.mul(x, 1 / x.shape[0]))).message).toMatch(/Mul: .*changes with the batch/)
    expect(faultOf(() => graphOf((x) => tf.stack(tf.unstack(x)))).message).toContain('Unpack')
    expect(faultOf(() => graphOf((x) => (x.shape[0] === 3 ? tf.sin(x) : tf.cos(x)))).message).toContain('other operators run')
    expect(faultOf(() => graphOf((x) => tf.broadcastTo(tf.mean(x), [x.shape[0] ** 2, 4]))).message).toMatch(/4, 9, 25 for batches of 2, 3, 5/)
    const untranslatable = graphOf((x) => tf.atan2(x, tf.onesLike(x)))
    expect(faultOf(() => writeOnnx(untranslatable.graph, untranslatable.valuesOf, { dtype: 'float32', metadata: {}, dataFile: 'w' })).message).toMatch(/^Atan2: /)
    expect(faultOf(() => writeTfjsGraph(untranslatable.graph, untranslatable.valuesOf, { dtype: 'bfloat16', metadata: {} })).message).toContain('bfloat16')
  })
})
