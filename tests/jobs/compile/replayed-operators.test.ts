// Every operator family a step may use, recorded and replayed as a graph and by XLA, against the eager values.
// One program holds all cases, so the whole table costs one compilation a mode.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { record } from '../../../src-main/engine/compile/recorder.ts'
import { isRecordable, outputReference, recordableOperators } from '../../../src-main/engine/compile/operators.ts'
import { SharedState } from '../../../src-main/engine/compile/shared-state.ts'
import { compileStep } from '../../../src-main/jobs/compile/compile-step.ts'
import { openNativeEngine } from './native-engine.ts'

const native = await openNativeEngine()
// Compiling is the processor's work: beside other work it takes several times as long.
vi.setConfig({ testTimeout: 300_000 })
const cacheFolder = mkdtempSync(join(tmpdir(), 'pivot-lab-operators-'))
afterAll(() => rmSync(cacheFolder, { recursive: true, force: true }))

interface Operands {
  readonly x: tf.Tensor3D // (2, 3, 4), values in (−1, 1)
  readonly p: tf.Tensor3D // (2, 3, 4), values in (0, 1)
  readonly m: tf.Tensor2D // (4, 5)
  readonly image: tf.Tensor4D // (1, 6, 6, 2)
  readonly kernel: tf.Tensor4D // (3, 3, 2, 3)
  readonly ids: tf.Tensor1D // (5), int32 in [0, 4)
}

/** The gradient of a function's sum of squares, which needs its backward operators. */
function gradientOf(f: (x: tf.Tensor) => tf.Tensor): (x: tf.Tensor) => tf.Tensor {
  return (x) => tf.grad((y: tf.Tensor) => tf.sum(tf.square(f(y))))(x)
}

const CASES: Readonly<Record<string, (o: Operands) => tf.Tensor>> = {
  unary: ({ x }) =>
    tf.addN([
      tf.abs(x),
      tf.ceil(x),
      tf.cos(x),
      tf.cosh(x),
      tf.elu(x),
      tf.erf(x),
      tf.exp(x),
      tf.expm1(x),
      tf.floor(x),
      tf.neg(x),
      tf.relu(x),
      tf.relu6(x),
      tf.round(x),
      tf.selu(x),
      tf.sigmoid(x),
      tf.sign(x),
      tf.sin(x),
      tf.sinh(x),
      tf.softplus(x),
      tf.square(x),
      tf.tan(x),
      tf.tanh(x),
      tf.leakyRelu(x),
      tf.onesLike(x),
      tf.zerosLike(x),
      tf.atan(x),
      tf.asinh(x),
    ]),
  'unary of positives': ({ p }) =>
    tf.addN([
      tf.log(p),
      tf.log1p(p),
      tf.reciprocal(p),
      tf.rsqrt(p),
      tf.sqrt(p),
      tf.acos(p),
      tf.asin(p),
      tf.atanh(tf.mul(p, 0.9)),
    ]),
  binary: ({ x, p }) =>
    tf.addN([
      tf.add(x, p),
      tf.sub(x, p),
      tf.mul(x, p),
      tf.div(x, p),
      tf.divNoNan(x, p),
      tf.maximum(x, p),
      tf.minimum(x, p),
      tf.pow(p, x),
      tf.squaredDifference(x, p),
      tf.atan2(x, p),
      tf.floorDiv(x, p),
      tf.mod(x, p),
    ]),
  comparison: ({ x, p }) =>
    tf.addN(
      [
        tf.equal(x, p),
        tf.notEqual(x, p),
        tf.less(x, p),
        tf.lessEqual(x, p),
        tf.greater(x, p),
        tf.greaterEqual(x, p),
        tf.logicalAnd(tf.less(x, p), tf.less(p, 0.5)),
        tf.logicalOr(tf.less(x, p), tf.less(p, 0.5)),
        tf.logicalNot(tf.less(x, p)),
        tf.isNaN(x),
      ].map((t) => tf.cast(t, 'float32')),
    ),
  where: ({ x, p }) => tf.where(tf.less(x, p), x, p),
  sum: ({ x }) => tf.concat([tf.sum(x, 1), tf.mean(x, 1), tf.max(x, 1), tf.min(x, 1), tf.prod(x, 1)], 0),
  'sum, axis kept': ({ x }) => tf.add(tf.sum(x, -1, true), tf.mean(x, -1, true)),
  'any and all': ({ x }) => tf.cast(tf.concat([tf.any(tf.less(x, 0), -1), tf.all(tf.less(x, 0.5), -1)], 0), 'float32'),
  argmax: ({ x }) => tf.cast(tf.concat([tf.argMax(x, -1), tf.argMin(x, -1)], 0), 'float32'),
  softmax: ({ x }) => tf.softmax(x),
  'log-softmax and its gradient': ({ x }) => gradientOf(tf.logSoftmax)(x),
  'log-sum-exp': ({ x }) => tf.logSumExp(x, -1),
  cumulative: ({ x }) => tf.add(tf.cumsum(x, 1), tf.cumprod(x, 1)),
  'matMul, batched and transposed': ({ x, p }) => tf.matMul(x, p, false, true),
  'matMul of rank 2': ({ m }) => tf.matMul(m, m, true, false),
  'fused matMul': ({ m }) => tf.fused.matMul({ a: m, b: m, transposeA: true, bias: tf.ones([5]), activation: 'relu' }),
  einsum: ({ x, m }) => tf.einsum('btd,de->bte', x, m),
  'reshape and transpose': ({ x }) => tf.transpose(tf.reshape(x, [4, 3, 2]), [2, 0, 1]),
  'expand, squeeze, tile': ({ x }) => tf.tile(tf.expandDims(tf.squeeze(tf.slice(x, [0, 0, 0], [1, 3, 4])), 0), [2, 1, 1]),
  'slice and pad': ({ x }) =>
    tf.pad(
      tf.slice(x, [0, 1, 1], [2, 2, 2]),
      [
        [0, 0],
        [1, 0],
        [0, 1],
      ],
      0.5,
    ),
  'mirror pad': ({ x }) =>
    tf.mirrorPad(
      x,
      [
        [0, 0],
        [1, 1],
        [1, 1],
      ],
      'reflect',
    ),
  'strided slice': ({ x }) => tf.stridedSlice(x, [0, 0, 0], [2, 3, 4], [1, 2, 2]),
  reverse: ({ x }) => tf.reverse(x, [1]),
  'concat and split': ({ x }) => tf.concat(tf.split(x, [1, 3], 2).reverse(), 2),
  'stack and unstack': ({ x }) => tf.stack(tf.unstack(x, 1).reverse(), 1),
  'gather and its gradient': ({ m, ids }) => tf.concat([tf.gather(m, ids), gradientOf((w) => tf.gather(w, ids))(m)], 0),
  'gather in batches': ({ x }) =>
    tf.gather(
      x,
      tf.tensor2d(
        [
          [0, 2],
          [1, 1],
        ],
        [2, 2],
        'int32',
      ),
      1,
      1,
    ),
  gatherND: ({ x }) =>
    tf.gatherND(
      x,
      tf.tensor2d(
        [
          [0, 1],
          [1, 2],
        ],
        [2, 2],
        'int32',
      ),
    ),
  scatterND: ({ m }) => tf.scatterND(tf.tensor2d([[1], [3]], [2, 1], 'int32'), tf.slice(m, [0, 0], [2, 5]), [4, 5]),
  'one-hot': ({ ids }) => tf.oneHot(ids, 6),
  'segment sum': ({ ids }) => tf.unsortedSegmentSum(tf.cast(ids, 'float32'), ids, 4),
  'top k': ({ x }) => tf.topk(x, 2).values,
  'top k, positions': ({ x }) => tf.cast(tf.topk(x, 2).indices, 'float32'),
  'band part': ({ m }) => tf.linalg.bandPart(m, 1, 0),
  'fill, range, eye': ({ m }) => tf.add(tf.mul(m, tf.fill([4, 5], 2)), tf.add(tf.range(0, 5), tf.eye(4, 5))),
  'layer norm and its gradient': ({ x }) =>
    gradientOf((y) => {
      const centred = tf.sub(y, tf.mean(y, -1, true))
      return tf.mul(centred, tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), 1e-5)))
    })(x),
  'attention and its gradient': ({ x }) => gradientOf((y) => tf.matMul(tf.softmax(tf.matMul(y, y, false, true)), y))(x),
  'convolution and its gradients': ({ image, kernel }) =>
    gradientOf((k) => tf.conv2d(image, k as tf.Tensor4D, 1, 'same'))(kernel),
  'convolution, gradient of its input': ({ image, kernel }) =>
    gradientOf((i) => tf.conv2d(i as tf.Tensor4D, kernel, 2, 'valid'))(image),
  'depthwise convolution': ({ image, kernel }) => tf.depthwiseConv2d(image, kernel, 1, 'same'),
  'pooling and its gradient': ({ image }) =>
    gradientOf((i) => tf.concat([tf.maxPool(i as tf.Tensor4D, 2, 2, 'same'), tf.avgPool(i as tf.Tensor4D, 2, 2, 'same')], 3))(
      image,
    ),
  'resize and its gradient': ({ image }) => gradientOf((i) => tf.image.resizeBilinear(i as tf.Tensor4D, [4, 4]))(image),
  'batch normalisation': ({ image }) =>
    tf.batchNorm(image, tf.tensor1d([0.1, 0.2]), tf.tensor1d([1, 2]), tf.tensor1d([0, 1]), tf.tensor1d([1, 1.5])),
  'depth to space': ({ image }) => tf.depthToSpace(tf.concat([image, image], 3) as tf.Tensor4D, 2, 'NHWC'),
  'a uniform constant of full size': ({ x }) => tf.add(x, tf.fill([2, 3, 4], -0)),
}

function operands(): Record<string, tf.Tensor> {
  const wave = (size: number, from: number, to: number): Float32Array =>
    Float32Array.from({ length: size }, (_, i) => from + (to - from) * (0.5 + 0.49 * Math.sin(1 + i * 2.3)))
  return {
    x: tf.tensor(wave(24, -1, 1), [2, 3, 4]),
    p: tf.tensor(wave(24, 0, 1), [2, 3, 4]).reverse(),
    m: tf.tensor(wave(20, -1, 1), [4, 5]),
    image: tf.tensor(wave(72, -1, 1), [1, 6, 6, 2]),
    kernel: tf.tensor(wave(54, -1, 1), [3, 3, 2, 3]),
    ids: tf.tensor1d([3, 0, 2, 2, 1], 'int32'),
  }
}

function evaluate(inputs: Readonly<Record<string, tf.Tensor>>): Record<string, tf.Tensor> {
  return Object.fromEntries(Object.entries(CASES).map(([name, f]) => [name, f(inputs as unknown as Operands)]))
}

function numbers(results: Record<string, tf.Tensor>): Record<string, number[]> {
  return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, [...tensor.dataSync()]]))
}

describe.skipIf(!native)('a recorded operator', () => {
  const inputs = native ? operands() : {}
  const expected = native ? numbers(evaluate(inputs)) : {}

  for (const prefer of ['graph', 'xla'] as const)
    it(`gives the eager values when replayed by ${prefer}`, () => {
      const warnings: string[] = []
      const program = compileStep(evaluate, {
        state: new SharedState({}),
        cacheFolder,
        prefer,
        warn: (message) => warnings.push(message),
      })
      const found = numbers(program.run(inputs))
      expect(warnings).toEqual([])
      expect(program.mode).toBe(prefer)
      for (const [name, values] of Object.entries(expected)) {
        // XLA fuses and reorders sums; its tanh and pow are approximations of their own.
        const tolerance = prefer === 'graph' ? 1e-5 : 1e-4
        const scale = Math.max(1, ...values.map(Math.abs))
        found[name]!.forEach((value, i) => expect(Math.abs(value - values[i]!) / scale, `${name} [${i}]`).toBeLessThan(tolerance))
        expect(found[name]).toHaveLength(values.length)
      }
      program.dispose()
    })

  for (const prefer of ['graph', 'xla'] as const)
    it(`multiplies factors rounded to bfloat16 by ${prefer}, transposed or not, batched or not`, () => {
      const shapes = { single: [3, 5], batched: [2, 4, 3, 5] }
      // Small whole numbers: exact in bfloat16, their sums of products too, so nothing but a wrong product can differ.
      const whole = (shape: number[], from: number) => tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => ((i * from) % 7) - 3), shape)
      const factors = Object.fromEntries(
        Object.entries(shapes).flatMap(([name, shape]) => [
          [`${name}/x`, whole(shape, 3)],
          [`${name}/y`, whole([...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!], 5)],
          [`${name}/z`, whole(shape, 4)],
        ]),
      )
      const products = (inputs: Readonly<Record<string, tf.Tensor>>): Record<string, tf.Tensor> =>
        Object.fromEntries(
          Object.keys(shapes).flatMap((name) => {
            const [x, y, z] = ['x', 'y', 'z'].map((factor) => inputs[`${name}/${factor}`]!) as [tf.Tensor, tf.Tensor, tf.Tensor]
            return [
              [`${name} xy`, tf.matMul(x, y)],
              [`${name} xᵀz`, tf.matMul(x, z, true, false)],
              [`${name} xzᵀ`, tf.matMul(x, z, false, true)],
              [`${name} xᵀyᵀ`, tf.matMul(x, y, true, true)],
            ]
          }),
        )
      const warnings: string[] = []
      const program = compileStep(products, {
        state: new SharedState({}),
        cacheFolder,
        prefer,
        precision: 'bfloat16',
        warn: (message) => warnings.push(message),
      })
      expect(numbers(program.run(factors))).toEqual(numbers(products(factors)))
      const rounded = { ...factors, 'single/x': tf.fill([3, 5], 1 + 2 ** -10) }
      expect(numbers(program.run(rounded))['single xy']).toEqual(numbers(products({ ...factors, 'single/x': tf.ones([3, 5]) }))['single xy'])
      expect(warnings).toEqual([])
      program.dispose()
    })

  it('has the shape and type that it has eagerly, although recording computes nothing', () => {
    const results = evaluate(inputs)
    const { nodes, outputs } = record(evaluate, inputs, {})
    const found = Object.fromEntries(
      outputs.map(({ name, source }) => [name, source.kind === 'node' ? [nodes[source.index]!.outputShapes[source.output], nodes[source.index]!.outputTypes[source.output]] : null]),
    )
    const types = { float32: 1, int32: 3, bool: 10 } as Readonly<Record<string, number>>
    expect(found).toEqual(Object.fromEntries(Object.entries(results).map(([name, { shape, dtype }]) => [name, [shape, types[dtype]]])))
    tf.dispose(results)
  })

  it('may be larger than any memory while it is recorded', () => {
    const rows = tf.zeros([1_000_000, 1])
    const recording = record(({ x }) => ({ sum: tf.sum(tf.matMul(tf.square(x!), x!, false, true)) }), { x: rows }, {})
    expect(recording.nodes.map(({ operator, outputShapes }) => [operator, outputShapes[0]])).toContainEqual(['BatchMatMulV2', [1_000_000, 1_000_000]])
    rows.dispose()
  })

  it('is one that the table names, for all cases above', () => {
    const used = new Set(record(evaluate, inputs, {}).nodes.map(({ operator }) => operator))
    expect([...used].filter((operator) => !isRecordable(operator))).toEqual([])
    expect(used.size).toBeGreaterThan(70)
  })
})

describe('the table of operators', () => {
  it('names the value of a list, of one output and of one output among several', () => {
    expect(outputReference('Unpack', 3)).toBe('output:3')
    expect(outputReference('Mul', 0)).toBe('z:0')
    expect(outputReference('TopKV2', 1)).toBe('indices:0')
    expect(() => outputReference('TopKV2', 2)).toThrow(/2 outputs/)
  })

  it('leaves out operators whose output shape depends on values', () => {
    for (const operator of ['Where', 'UniqueV2', 'NonMaxSuppressionV3', 'DecodeJpeg', 'Multinomial'])
      expect(recordableOperators()).not.toContain(operator)
  })
})
