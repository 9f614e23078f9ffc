// A small multimodal training step in plain tensor operations: ViT + causal LM, tied head, clipping and AdamW whose learning rate
// and bias corrections are inputs. Independent of the lab's models on purpose: a fault in recording must not hide behind theirs.

import * as tf from '@tensorflow/tfjs'

export interface TinyConfig {
  readonly imageSize: number
  readonly patchSize: number
  readonly visionWidth: number
  readonly visionLayers: number
  readonly width: number
  readonly layers: number
  readonly heads: number
  readonly vocabulary: number
}

export const SMALLEST: TinyConfig = {
  imageSize: 16,
  patchSize: 8,
  visionWidth: 16,
  visionLayers: 1,
  width: 16,
  layers: 1,
  heads: 2,
  vocabulary: 32,
}

/** The 3 M model of the design's measurements. */
export const TINY: TinyConfig = {
  imageSize: 64,
  patchSize: 8,
  visionWidth: 128,
  visionLayers: 4,
  width: 192,
  layers: 4,
  heads: 4,
  vocabulary: 2048,
}

export type Weights = Record<string, tf.Tensor>
export type Variables = Record<string, tf.Variable>

export function tinyVariables(config: TinyConfig, seed = 1): { readonly weights: Variables; readonly state: Variables } {
  const weights: Variables = {}
  let draw = seed
  const add = (name: string, shape: number[], scale = 0.05): void => {
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1))
    for (let i = 0; i < values.length; i += 1) {
      draw = (Math.imul(draw, 1664525) + 1013904223) >>> 0
      values[i] = (draw / 2 ** 32 - 0.5) * 2 * scale
    }
    weights[name] = tf.variable(tf.tensor(values, shape))
  }
  const patch = config.patchSize ** 2 * 3
  add('patch', [patch, config.visionWidth])
  add('positions', [(config.imageSize / config.patchSize) ** 2, config.visionWidth])
  for (let i = 0; i < config.visionLayers; i += 1) addBlock(add, `vision${i}`, config.visionWidth)
  add('projector', [config.visionWidth, config.width])
  add('embedding', [config.vocabulary, config.width])
  for (let i = 0; i < config.layers; i += 1) addBlock(add, `text${i}`, config.width)
  const state: Variables = { ...weights }
  for (const [name, weight] of Object.entries(weights)) {
    state[`${name}/m`] = tf.variable(tf.zeros(weight.shape))
    state[`${name}/v`] = tf.variable(tf.zeros(weight.shape))
  }
  return { weights, state }
}

function addBlock(add: (name: string, shape: number[], scale?: number) => void, name: string, width: number): void {
  for (const part of ['q', 'k', 'v', 'o']) add(`${name}/${part}`, [width, width])
  for (const part of ['norm1', 'norm2']) add(`${name}/${part}`, [width], 1)
  add(`${name}/up`, [width, 4 * width])
  add(`${name}/bias`, [4 * width])
  add(`${name}/down`, [4 * width, width])
}

function norm(x: tf.Tensor, gain: tf.Tensor): tf.Tensor {
  const centred = tf.sub(x, tf.mean(x, -1, true))
  return tf.mul(tf.mul(centred, tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), 1e-5))), gain)
}

function gelu(x: tf.Tensor): tf.Tensor {
  return tf.mul(
    tf.mul(x, 0.5),
    tf.add(tf.tanh(tf.mul(tf.add(x, tf.mul(tf.pow(x, tf.scalar(3)), 0.044715)), Math.sqrt(2 / Math.PI))), 1),
  )
}

function dense(x: tf.Tensor, weight: tf.Tensor): tf.Tensor {
  const [rows, columns] = weight.shape as [number, number]
  return tf.reshape(tf.matMul(tf.reshape(x, [-1, rows]) as tf.Tensor2D, weight as tf.Tensor2D), [
    ...x.shape.slice(0, -1),
    columns,
  ])
}

function block(x: tf.Tensor, w: Weights, name: string, heads: number, causal: boolean): tf.Tensor {
  const [B, T, D] = x.shape as [number, number, number]
  const split = (y: tf.Tensor): tf.Tensor => tf.transpose(tf.reshape(y, [B, T, heads, D / heads]), [0, 2, 1, 3])
  const inner = norm(x, w[`${name}/norm1`]!)
  const [q, k, v] = ['q', 'k', 'v'].map((part) => split(dense(inner, w[`${name}/${part}`]!))) as [tf.Tensor, tf.Tensor, tf.Tensor]
  let scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(D / heads))
  if (causal) scores = tf.add(scores, tf.mul(tf.sub(1, tf.linalg.bandPart(tf.ones([T, T]), -1, 0)), -1e9))
  const mixed = tf.reshape(tf.transpose(tf.matMul(tf.softmax(scores), v), [0, 2, 1, 3]), [B, T, D])
  const attended = tf.add(x, dense(mixed, w[`${name}/o`]!))
  const up = gelu(tf.add(dense(norm(attended, w[`${name}/norm2`]!), w[`${name}/up`]!), w[`${name}/bias`]!))
  return tf.add(attended, dense(up, w[`${name}/down`]!))
}

/** Log-probabilities of the answer's tokens, (B, T, V), after the image's. */
export function tinyLogits(config: TinyConfig, w: Weights, pixels: tf.Tensor, ids: tf.Tensor): tf.Tensor {
  const [B, T] = ids.shape as [number, number]
  const cells = config.imageSize / config.patchSize
  let vision = tf.transpose(tf.reshape(pixels, [B, cells, config.patchSize, cells, config.patchSize, 3]), [0, 1, 3, 2, 4, 5])
  vision = tf.add(dense(tf.reshape(vision, [B, cells * cells, -1]), w['patch']!), w['positions']!)
  for (let i = 0; i < config.visionLayers; i += 1) vision = block(vision, w, `vision${i}`, config.heads, false)
  const image = dense(vision, w['projector']!)
  let text = tf.concat([image, tf.gather(w['embedding']!, ids as tf.Tensor2D)], 1)
  for (let i = 0; i < config.layers; i += 1) text = block(text, w, `text${i}`, config.heads, true)
  const answer = tf.reshape(tf.slice(text, [0, cells * cells, 0], [B, T, config.width]), [B * T, config.width])
  return tf.reshape(tf.matMul(answer as tf.Tensor2D, w['embedding'] as tf.Tensor2D, false, true), [B, T, config.vocabulary])
}

export type TinyStep = (
  batch: Record<string, tf.Tensor>,
  scalars: Record<string, tf.Tensor>,
) => { loss: tf.Scalar; grad_norm: tf.Scalar }

/** Forward, backward, clip by global norm 1, AdamW (arXiv 1711.05101) with weight decay 0.01. */
export function tinyStep(config: TinyConfig, weights: Variables, state: Variables): TinyStep {
  const names = Object.keys(weights)
  return (batch, scalars) => {
    const lossOf = (): tf.Scalar => {
      const logits = tinyLogits(config, weights, batch['pixels']!, batch['ids']!)
      const target = tf.oneHot(batch['labels'] as tf.Tensor2D, config.vocabulary)
      const perToken = tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits), target), -1)) // (B, T)
      return tf.div(tf.sum(tf.mul(perToken, batch['mask']!)), tf.sum(batch['mask']!))
    }
    const { value: loss, grads } = tf.variableGrads(lossOf, Object.values(weights))
    const gradients = names.map((name) => grads[weights[name]!.name]!)
    const gradNorm = tf.sqrt(tf.addN(gradients.map((gradient) => tf.sum(tf.square(gradient))))) as tf.Scalar
    const scale = tf.minimum(1, tf.div(1, tf.add(gradNorm, 1e-6)))
    names.forEach((name, index) => {
      const gradient = tf.mul(gradients[index]!, scale)
      const [weight, m, v] = [state[name]!, state[`${name}/m`]!, state[`${name}/v`]!]
      m.assign(tf.add(tf.mul(m, 0.9), tf.mul(gradient, 0.1)))
      v.assign(tf.add(tf.mul(v, 0.999), tf.mul(tf.square(gradient), 0.001)))
      const update = tf.div(tf.mul(m, scalars['m_correction']!), tf.add(tf.sqrt(tf.mul(v, scalars['v_correction']!)), 1e-8))
      weight.assign(tf.sub(weight, tf.mul(tf.add(update, tf.mul(weight, 0.01)), scalars['learning_rate']!)))
    })
    return { loss: loss as tf.Scalar, grad_norm: gradNorm }
  }
}

export function tinyBatch(config: TinyConfig, B: number, T: number, seed = 7): Record<string, tf.Tensor> {
  let draw = seed
  const next = (): number => {
    draw = (Math.imul(draw, 1664525) + 1013904223) >>> 0
    return draw / 2 ** 32
  }
  const ids = Int32Array.from({ length: B * T }, () => Math.floor(next() * config.vocabulary))
  return {
    pixels: tf.tensor(Float32Array.from({ length: B * config.imageSize ** 2 * 3 }, next), [
      B,
      config.imageSize,
      config.imageSize,
      3,
    ]),
    ids: tf.tensor2d(ids, [B, T], 'int32'),
    labels: tf.tensor2d(
      ids.map((id) => (id * 7 + 3) % config.vocabulary),
      [B, T],
      'int32',
    ),
    mask: tf.tensor2d(
      Float32Array.from({ length: B * T }, (_, i) => (i % T < T - 2 ? 1 : 0)),
      [B, T],
    ),
  }
}

/** The scalars of step number `step`, from 1. */
export function tinyScalars(step: number, learningRate = 1e-3): Record<string, tf.Scalar> {
  return {
    learning_rate: tf.scalar(learningRate),
    m_correction: tf.scalar(1 / (1 - 0.9 ** step)),
    v_correction: tf.scalar(1 / (1 - 0.999 ** step)),
  }
}
