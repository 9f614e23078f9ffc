import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { createRandom } from '../../../src-main/domain/random.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { difference, outcomeOn, type Expression, type Input } from './agreement.ts'

beforeAll(async () => {
  await openBackend('wasm', { threads: 4 })
})

async function expectAgreement(
  expression: Expression,
  inputs: readonly Input[],
  { tolerance = 2e-6, gradients = true, seed = 1 } = {},
) {
  const found = await outcomeOn('wasm', expression, inputs, seed, gradients)
  const expected = await outcomeOn('cpu', expression, inputs, seed, gradients)
  expect(difference(found, expected), JSON.stringify(inputs)).toBeLessThan(tolerance)
}

const FUNCTIONS: Readonly<Record<string, readonly [Expression, Input['draw']?]>> = {
  exp: [tf.exp],
  log: [tf.log, 'positive'],
  tanh: [tf.tanh],
  erf: [tf.erf],
  sigmoid: [tf.sigmoid],
  rsqrt: [tf.rsqrt, 'positive'],
  sqrt: [tf.sqrt, 'positive'],
  square: [tf.square],
  neg: [tf.neg],
  relu: [tf.relu, 'away from zero'],
  abs: [tf.abs, 'away from zero'],
  softplus: [tf.softplus],
  reciprocal: [tf.reciprocal, 'away from zero'],
  log1p: [tf.log1p, 'positive'],
  sin: [tf.sin],
  cos: [tf.cos],
}

describe.each(Object.entries(FUNCTIONS))('%s', (_, [expression, draw]) => {
  it.each([[1], [3], [4], [7, 5], [2, 3, 4, 5], [33_001]])(
    'agrees with the plain backend on [%s], gradient too',
    async (...shape) => {
      await expectAgreement(expression, [{ shape, ...(draw && { draw }) }])
    },
  )
})

describe('functions of one value', () => {
  const reference: Readonly<Record<string, (x: number) => number>> = {
    exp: Math.exp,
    log: Math.log,
    tanh: Math.tanh,
    sigmoid: (x) => 1 / (1 + Math.exp(-x)),
    sqrt: Math.sqrt,
    rsqrt: (x) => 1 / Math.sqrt(x),
  }

  it.each(Object.entries(reference))('%s is within 4 units in the last place over its whole range', async (name, exact) => {
    await tf.setBackend('wasm')
    const random = createRandom(2, name)
    const x = Float32Array.from({ length: 20_000 }, () => (random.uniform() - 0.5) * 2 ** random.integer(9))
    const found = tf.tidy(() => (FUNCTIONS[name]![0] as (x: tf.Tensor) => tf.Tensor)(tf.tensor1d(x)).dataSync())
    let worst = 0
    x.forEach((value, i) => {
      const expected = exact(value)
      if (Number.isNaN(expected)) return expect(found[i], `${name}(${value})`).toBeNaN()
      const rounded = Math.fround(expected)
      if (rounded === found[i]) return
      const unit = Math.max(2 ** (Math.floor(Math.log2(Math.abs(expected))) - 23), 2 ** -149)
      worst = Math.max(worst, Math.abs(found[i]! - expected) / unit)
    })
    expect(worst).toBeLessThan(4)
  })

  it('reach infinity, zero and one where they should, and keep NaN', async () => {
    await tf.setBackend('wasm')
    const of = (f: Expression, ...values: number[]) => tf.tidy(() => [...f(tf.tensor1d(values)).dataSync()])
    expect(of(tf.exp, 89, 1000, Infinity, -104, -1000, -Infinity, NaN)).toEqual([Infinity, Infinity, Infinity, 0, 0, 0, NaN])
    expect(of(tf.exp, -100)[0]).toBeCloseTo(Math.exp(-100), 44)
    expect(of(tf.log, 0, -1, Infinity, NaN, 1)).toEqual([-Infinity, NaN, Infinity, NaN, 0])
    expect(of(tf.log, 1e-40)[0]).toBeCloseTo(Math.log(1e-40), 3)
    expect(of(tf.tanh, 100, -100, 0, NaN)).toEqual([1, -1, 0, NaN])
    expect(of(tf.erf, 100, -100, 4.5, 0, NaN)).toEqual([1, -1, 1, 0, NaN])
    expect(of(tf.sigmoid, 100, -1000, 0, NaN)).toEqual([1, 0, 0.5, NaN])
    expect(of(tf.sigmoid, -100)[0]).toBeCloseTo(Math.exp(-100), 44)
  })

  it('erf is right to 1e-7 of the series', async () => {
    await tf.setBackend('wasm')
    const x = Float32Array.from({ length: 400 }, (_, i) => (i - 200) / 50)
    const found = tf.tidy(() => tf.erf(tf.tensor1d(x)).dataSync())
    x.forEach((value, i) => expect(Math.abs(found[i]! - erfSeries(value))).toBeLessThan(1.2e-7))
  })
})

/** erf(x) = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1)), all terms of one sign. */
function erfSeries(x: number): number {
  let term = x
  let sum = x
  for (let n = 1; n < 200; n++) sum += term *= (2 * x * x) / (2 * n + 1)
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

const PAIRS: readonly (readonly [readonly number[], readonly number[]])[] = [
  [[5], [5]],
  [[], [3, 2]],
  [
    [4, 1],
    [1, 7],
  ],
  [
    [2, 3, 4, 5],
    [4, 5],
  ],
  [
    [2, 3, 4, 5],
    [1, 1, 4, 5],
  ],
  [
    [2, 3, 4, 5],
    [2, 1, 1, 5],
  ],
  [
    [2, 3, 4, 5],
    [3, 4, 1],
  ],
  [
    [5, 1, 3],
    [4, 1],
  ],
  [[180, 190], [190]],
  [
    [180, 190],
    [180, 1],
  ],
]

describe.each(['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'squaredDifference'] as const)('%s', (name) => {
  const expression = tf[name] as (a: tf.Tensor, b: tf.Tensor) => tf.Tensor
  it.each(PAIRS)('agrees with the plain backend on [%s] and [%s], gradients too, in both orders', async (a, b) => {
    const inputs = [
      { shape: a, draw: 'away from zero' as const },
      { shape: b, draw: 'away from zero' as const },
    ]
    // The gradient of a value repeated 34 200 times is a sum of as many: its rounding is measured against its size.
    await expectAgreement(expression, inputs, { tolerance: 5e-6 })
    await expectAgreement(expression, [...inputs].reverse(), { tolerance: 5e-6 })
  })
})

describe('reductions', () => {
  const shapes: readonly (readonly [readonly number[], readonly number[]])[] = [
    [[7], [0]],
    [[5, 33], [1]],
    [[5, 33], [0]],
    [[130, 21], [0]],
    [
      [3, 4, 18],
      [0, 1],
    ],
    [
      [3, 4, 18],
      [1, 2],
    ],
    [[3, 40, 6], [1]],
    [
      [3, 4, 5, 6],
      [0, 2],
    ],
    [
      [3, 4, 5, 6],
      [0, 1, 2, 3],
    ],
    [[190, 180], [0]],
    [[190, 180], [1]],
  ]
  it.each(shapes)('sum, mean, max and min of [%s] along [%s] agree with the plain backend', async (shape, axes) => {
    for (const name of ['sum', 'mean', 'max', 'min'] as const)
      for (const keepDims of [false, true])
        await expectAgreement((x) => tf[name](x!, [...axes], keepDims), [{ shape }], { tolerance: 5e-6 })
  })

  it('a sum of a million values loses no more than their own rounding', async () => {
    await tf.setBackend('wasm')
    const values = Float32Array.from({ length: 1_000_000 }, (_, i) => 1 + (i % 7) / 10)
    const exact = values.reduce((sum, x) => sum + x, 0)
    const [flat, columns] = tf.tidy(() => [
      tf.sum(tf.tensor1d(values)).dataSync()[0]!,
      tf.sum(tf.tensor2d(values, [500_000, 2]), 0).dataSync(),
    ])
    expect(Math.abs(flat / exact - 1)).toBeLessThan(2e-7)
    expect(Math.abs((columns[0]! + columns[1]!) / exact - 1)).toBeLessThan(2e-5)
  })

  it.each([[[1, 5]], [[3, 4]], [[2, 3, 33]], [[182, 181]]])(
    'softmax of %s agrees with the plain backend, gradient too',
    async (shape) => {
      await expectAgreement((x) => tf.softmax(x!), [{ shape }])
      await expectAgreement((x) => tf.logSoftmax(x!), [{ shape }])
      await expectAgreement((x) => tf.logSumExp(x!, -1), [{ shape }])
    },
  )

  it('of a row with NaN are NaN, softmax too, wherever it stands', async () => {
    await tf.setBackend('wasm')
    for (const at of [0, 3, 17, 20]) {
      const row = Float32Array.from({ length: 21 }, (_, i) => (i === at ? NaN : i))
      for (const reduce of [tf.sum, tf.mean, tf.max, tf.min])
        expect(tf.tidy(() => reduce(tf.tensor1d(row)).dataSync()[0])).toBeNaN()
      expect(tf.tidy(() => [...tf.softmax(tf.tensor1d(row)).dataSync()]).every(Number.isNaN)).toBe(true)
    }
  })

  it('softmax of scores a thousand apart is one and zero', async () => {
    await tf.setBackend('wasm')
    expect(
      tf.tidy(() => [
        ...tf
          .softmax(
            tf.tensor2d([
              [1000, -1000, 0],
              [100, 100, -1e9],
            ]),
          )
          .dataSync(),
      ]),
    ).toEqual([1, 0, 0, 0.5, 0.5, 0])
  })
})

describe('copies', () => {
  const permutations: readonly (readonly [readonly number[], readonly number[]])[] = [
    [
      [5, 7],
      [1, 0],
    ],
    [
      [67, 130],
      [1, 0],
    ],
    [
      [2, 3, 4, 5],
      [0, 2, 1, 3],
    ],
    [
      [2, 3, 4, 5],
      [0, 2, 3, 1],
    ],
    [
      [2, 3, 4, 5],
      [3, 2, 1, 0],
    ],
    [
      [2, 1, 4, 1],
      [2, 3, 0, 1],
    ],
    [
      [2, 8, 6, 9],
      [0, 1, 3, 2],
    ],
    [
      [2, 3, 2, 4, 2, 4],
      [0, 2, 4, 1, 3, 5],
    ],
  ]
  it.each(permutations)('transpose of [%s] by [%s] agrees with the plain backend, gradient too', async (shape, permutation) => {
    await expectAgreement((x) => tf.transpose(x!, [...permutation]), [{ shape }], { tolerance: 1e-30 })
  })

  it('slice, split, concatenation, tile and pad agree with the plain backend, gradients too', async () => {
    const exact = { tolerance: 1e-6 }
    await expectAgreement((x) => tf.slice(x!, [1, 0, 2], [2, 3, -1]), [{ shape: [4, 5, 6] }], exact)
    await expectAgreement((x) => tf.slice(x!, [3], [1]), [{ shape: [4] }], exact)
    for (const axis of [0, 1, 2, -1]) {
      await expectAgreement((x) => tf.add(...(tf.split(x!, 2, axis) as [tf.Tensor, tf.Tensor])), [{ shape: [4, 6, 8] }], exact)
      await expectAgreement((x) => tf.split(x!, [1, 3], axis)[1]!, [{ shape: [4, 4, 4] }], exact)
      const other = [4, 3, 5].map((extent, i) => (i === (axis + 3) % 3 ? 1 : extent))
      await expectAgreement(
        (...parts) => tf.concat(parts, axis),
        [{ shape: [4, 3, 5] }, { shape: other }, { shape: [4, 3, 5] }],
        exact,
      )
    }
    await expectAgreement((x) => tf.tile(x!, [2, 1, 3]), [{ shape: [2, 3, 4] }], exact)
    await expectAgreement((x) => tf.tile(x!, [1, 5]), [{ shape: [6, 1] }], exact)
    await expectAgreement((x) => tf.broadcastTo(x!, [3, 4, 5]), [{ shape: [4, 1] }], exact)
    await expectAgreement(
      (x) =>
        tf.pad(x!, [
          [1, 0],
          [0, 2],
        ]),
      [{ shape: [3, 4] }],
      exact,
    )
    await expectAgreement((x, y) => tf.stack([x!, y!], 1), [{ shape: [3, 4] }, { shape: [3, 4] }], exact)
    await expectAgreement((x) => tf.reverse(x!, 1), [{ shape: [3, 4] }], exact)
    await expectAgreement(
      (x) =>
        tf.mirrorPad(
          x!,
          [
            [1, 1],
            [1, 1],
          ],
          'reflect',
        ),
      [{ shape: [3, 4] }],
      { ...exact, gradients: false },
    )
  })

  it('keep integers and truth values as they are', async () => {
    await tf.setBackend('wasm')
    tf.tidy(() => {
      expect([
        ...tf
          .transpose(
            tf.tensor2d(
              [
                [1, 2, 3],
                [4, 5, 6],
              ],
              [2, 3],
              'int32',
            ),
          )
          .dataSync(),
      ]).toEqual([1, 4, 2, 5, 3, 6])
      expect([
        ...tf
          .transpose(
            tf.tensor2d(
              [
                [1, 0, 0],
                [1, 1, 0],
              ],
              [2, 3],
              'bool',
            ),
          )
          .dataSync(),
      ]).toEqual([1, 1, 0, 1, 0, 0])
      expect([...tf.tile(tf.tensor1d([1, 0], 'bool'), [2]).dataSync()]).toEqual([1, 0, 1, 0])
      expect([...tf.concat([tf.tensor1d([1], 'int32'), tf.tensor1d([2, 3], 'int32')]).dataSync()]).toEqual([1, 2, 3])
      expect([
        ...tf
          .sum(
            tf.tensor2d(
              [
                [1, 2],
                [3, 4],
              ],
              [2, 2],
              'int32',
            ),
            0,
          )
          .dataSync(),
      ]).toEqual([4, 6])
      expect([...tf.add(tf.tensor1d([1, 2], 'int32'), tf.tensor1d([3, 4], 'int32')).dataSync()]).toEqual([4, 6])
    })
  })
})

describe('choices and picks', () => {
  it('where agrees with the plain backend, gradient too, with conditions of either shape', async () => {
    const pick: Expression = (a, b) => tf.where(tf.greater(tf.tensor2d([[1, -1, 2, -2, 3]]), 0), a!, b!)
    await expectAgreement(pick, [{ shape: [3, 5] }, { shape: [3, 5] }])
    await expectAgreement((a, b) => tf.where(tf.scalar(false, 'bool'), a!, b!), [{ shape: [33_000] }, { shape: [33_000] }])
  })

  it('comparisons, casts and one-hot agree with the plain backend', async () => {
    for (const name of ['greater', 'greaterEqual', 'less', 'lessEqual', 'equal', 'notEqual'] as const)
      await expectAgreement(
        (a, b) => tf.cast(tf[name](tf.round(a!), tf.round(b!)), 'float32'),
        [{ shape: [3, 9] }, { shape: [9] }],
        { gradients: false },
      )
    await expectAgreement((a) => tf.oneHot(tf.cast(tf.abs(tf.mul(a!, 2)), 'int32') as tf.Tensor1D, 7), [{ shape: [9] }], {
      gradients: false,
    })
    await expectAgreement((a) => tf.argMax(a!, -1), [{ shape: [9, 13] }], { gradients: false })
    await expectAgreement((a) => tf.topk(a!, 3).values, [{ shape: [9, 13] }], { gradients: false })
  })

  it('gather along any axis agrees with the plain backend, gradient too', async () => {
    const indices = tf.util.createShuffledIndices(4)
    for (const axis of [0, 1, 2, -1])
      await expectAgreement((x) => tf.gather(x!, Array.from(indices), axis), [{ shape: [4, 5, 6] }])
    await expectAgreement(
      (x) =>
        tf.gather(
          x!,
          tf.tensor2d(
            [
              [0, 3, 3],
              [1, 2, 0],
            ],
            [2, 3],
            'int32',
          ),
        ),
      [{ shape: [4, 40] }],
    )
  })

  it('gather within batches agrees with the plain backend', async () => {
    const pick: Expression = (x) =>
      tf.gather(
        x!,
        tf.tensor2d(
          [
            [0, 2],
            [1, 1],
            [3, 0],
          ],
          [3, 2],
          'int32',
        ),
        1,
        1,
      )
    await expectAgreement(pick, [{ shape: [3, 4, 5] }], { gradients: false })
  })

  it('gather refuses an index outside the axis', async () => {
    await tf.setBackend('wasm')
    expect(() => tf.gather(tf.zeros([4, 2]), tf.tensor1d([0, 4], 'int32'))).toThrow(
      expect.objectContaining({ code: 'invalid-input' }),
    )
    expect(() => tf.gather(tf.zeros([4, 2]), tf.tensor1d([-1], 'int32'))).toThrow(
      expect.objectContaining({ code: 'invalid-input' }),
    )
  })

  it('a sum over segments drops negative segments and agrees with the plain backend', async () => {
    await expectAgreement((x) => tf.unsortedSegmentSum(x!, tf.tensor1d([2, 0, 2, -1, 1], 'int32'), 3), [{ shape: [5, 7] }], {
      gradients: false,
    })
  })

  it('a running sum agrees with the plain backend along every axis, negative ones and gradients too', async () => {
    for (const axis of [0, 1, 2])
      for (const reverse of [false, true]) {
        const positive = await outcomeOn('wasm', (x) => tf.cumsum(x!, axis, true, reverse), [{ shape: [3, 4, 5] }], 1)
        const negative = await outcomeOn('wasm', (x) => tf.cumsum(x!, axis - 3, true, reverse), [{ shape: [3, 4, 5] }], 1)
        const expected = await outcomeOn('cpu', (x) => tf.cumsum(x!, axis, true, reverse), [{ shape: [3, 4, 5] }], 1)
        expect(difference(positive, expected)).toBeLessThan(1e-6)
        expect(negative).toEqual(positive)
      }
  })
})

describe('what the published backend lacks or computes wrongly', () => {
  it('convolution and its gradients agree with the plain backend', async () => {
    for (const [stride, padding] of [
      [1, 'same'],
      [2, 'valid'],
      [3, 'valid'],
    ] as const)
      await expectAgreement(
        (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, padding),
        [{ shape: [2, 6, 6, 3] }, { shape: [3, 3, 3, 4] }],
        { tolerance: 5e-6 },
      )
    await expectAgreement(
      (x, w) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'),
      [{ shape: [2, 6, 6, 3] }, { shape: [3, 3, 3, 2] }],
    )
  })

  it('the gradient of max pooling agrees with the plain backend', async () => {
    for (const channels of [1, 3, 4])
      await expectAgreement((x) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid'), [{ shape: [1, 8, 8, channels] }])
    await expectAgreement((x) => tf.avgPool(x as tf.Tensor4D, 2, 2, 'valid'), [{ shape: [1, 8, 8, 3] }])
  })

  it('einsum agrees with the plain backend', async () => {
    await expectAgreement((a, b) => tf.einsum('bij,bjk->bik', a!, b!), [{ shape: [2, 3, 4] }, { shape: [2, 4, 5] }], {
      gradients: false,
    })
  })

  it('pow agrees with the plain backend, gradients too; bilinear resizing does', async () => {
    await expectAgreement((x) => tf.pow(x!, 3), [{ shape: [4, 5] }])
    await expectAgreement((x, y) => tf.pow(x!, y!), [{ shape: [4, 5], draw: 'positive' }, { shape: [5] }], { tolerance: 1e-5 })
    await expectAgreement((x) => tf.image.resizeBilinear(x as tf.Tensor4D, [5, 7]), [{ shape: [1, 3, 4, 2] }], {
      gradients: false,
    })
  })
})
