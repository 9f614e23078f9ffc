// A transformer block with a language-model loss, in plain operations, large enough that its kernels are cut into tasks.
// Run as a program with a number of threads, it prints the hash of its loss and gradients on WebAssembly.

import { createHash } from 'node:crypto'
import * as tf from '@tensorflow/tfjs'
import { createRandom } from '../../../src-main/domain/random.ts'

const B = 4
const T = 12
const D = 24
const H = 3
const V = 40

/** The inputs of `blockLoss`, in its order. */
export const blockShapes = {
  embedding: [V, D],
  norm: [D],
  query: [D, D],
  key: [D, D],
  value: [D, D],
  output: [D, D],
  up: [4 * D, D],
  upBias: [4 * D],
  down: [D, 4 * D],
} as const

export function blockLoss(...inputs: tf.Tensor[]): tf.Tensor {
  return lossOf(inputs, B)
}

function lossOf(inputs: readonly tf.Tensor[], rows: number): tf.Tensor {
  const [embedding, norm, query, key, value, output, up, upBias, down] = inputs as tf.Tensor2D[]
  const ids = tf.tensor1d(
    Int32Array.from({ length: rows * T }, (_, i) => (i * 7 + 3) % V),
    'int32',
  )
  const x = tf.gather(embedding!, ids) // (B·T, D)
  const linear = (y: tf.Tensor, weight: tf.Tensor2D) => tf.matMul(y as tf.Tensor2D, weight, false, true)
  const heads = (y: tf.Tensor) => tf.transpose(tf.reshape(y, [rows, T, H, D / H]), [0, 2, 1, 3]) // (B, H, T, d)
  const normed = tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-3))), norm!)
  const [q, k, v] = [query!, key!, value!].map((weight) => heads(linear(normed, weight))) as [tf.Tensor, tf.Tensor, tf.Tensor]
  const causal = tf.mul(tf.sub(tf.linalg.bandPart(tf.ones([T, T]), -1, 0), 1), 1e9)
  const scores = tf.softmax(tf.add(tf.mul(tf.matMul(q, k, false, true), Math.sqrt(H / D)), causal)) // (B, H, T, T)
  const mixed = tf.reshape(tf.transpose(tf.matMul(scores, v), [0, 2, 1, 3]), [rows * T, D])
  const attended = tf.add(x, linear(mixed, output!))
  const raised = tf.add(linear(attended, up!), upBias!)
  const gelu = tf.mul(tf.mul(raised, 0.5), tf.add(tf.erf(tf.mul(raised, Math.SQRT1_2)), 1))
  const hidden = tf.add(attended, linear(gelu, down!))
  const logProbs = tf.logSoftmax(linear(hidden, embedding!)) // (B·T, V)
  const targets = tf.oneHot(
    tf.tensor1d(
      Int32Array.from({ length: rows * T }, (_, i) => (i * 5 + 1) % V),
      'int32',
    ),
    V,
  )
  return tf.neg(tf.mean(tf.sum(tf.mul(logProbs, targets), -1)))
}

if (process.argv[1] === import.meta.filename) {
  const { openBackend } = await import('../../../src-main/jobs/backend/backend.ts')
  await openBackend('wasm', { threads: Number(process.argv[2]) })
  const random = createRandom(3)
  const tensors = Object.values(blockShapes).map((shape) => {
    const size = shape.reduce<number>((a, b) => a * b, 1)
    return tf.tensor(
      Float32Array.from({ length: size }, () => 0.5 * random.normal()),
      [...shape],
    )
  })
  const { value, grads } = tf.valueAndGrads((...xs: tf.Tensor[]) => lossOf(xs, 200) as tf.Scalar)(tensors)
  const hash = createHash('sha256')
  for (const result of [value, ...grads]) hash.update(new Uint8Array(result.dataSync().buffer))
  process.stdout.write(hash.digest('hex'))
}
