// The segmentation probe: a two-layer MLP on frozen patch features, Linear → GELU → Linear, trained as
// github.com/iancovert/patch-seg does (arXiv 2410.11087; PIVOT appendix E.5), in float32 where they use bfloat16. What is
// reported is the epoch of best macro recall on the set it is reported on, as they do; every epoch is returned as well.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../../domain/errors.ts'
import { createRandom, type Random } from '../../../domain/random.ts'
import { geluErf } from '../../nn/activations.ts'
import type { NamedArray } from '../../weights/initial.ts'
import {
  addCounts,
  countLabels,
  countMultiLabels,
  noCounts,
  segmentationScores,
  type ClassCounts,
  type SegmentationScores,
} from '../measures/segmentation-scores.ts'

/** Frozen features of a set of images with the labels of their patches. */
export interface PatchSet {
  readonly images: number
  /** Patches an image. */
  readonly patches: number
  /** Features a patch. */
  readonly width: number
  /** (images, patches, width). */
  readonly features: Float32Array
  /** 'majority': class of each patch, −1 where it must not count, (images, patches). 'union': 0 or 1, (images, patches, C). */
  readonly labels: Int32Array | Uint8Array
}

export interface PatchProbeSettings {
  /** 'union' trains by binary cross-entropy and decides at ½; 'majority' by cross-entropy and decides by argmax. */
  readonly labels: 'union' | 'majority'
  readonly classes: number
  readonly seed: number
  readonly hiddenSize?: number
  readonly epochs?: number
  /** Images a step; the last incomplete batch of an epoch is left out, unless it is the only one. */
  readonly batchSize?: number
  readonly learningRate?: number
  /** Where the cosine ends. */
  readonly minLearningRate?: number
  /** patch-seg's 500 would outlast a small run, so never more than a tenth of all steps. */
  readonly warmupSteps?: number
  readonly weightDecay?: number
}

export type PatchProbeProgress =
  | { readonly kind: 'step'; readonly step: number; readonly of: number; readonly loss: number; readonly learningRate: number }
  | { readonly kind: 'epoch'; readonly epoch: number; readonly of: number; readonly scores: SegmentationScores }

export interface PatchProbeResult {
  /** Scores after each epoch, (epochs). */
  readonly epochs: readonly SegmentationScores[]
  /** The epoch of best macro recall, counted from 1, the first at ties. */
  readonly bestEpoch: number
  readonly best: SegmentationScores
  /** Counts of each evaluated image at that epoch: what a bootstrap over images draws from. */
  readonly perImage: readonly ClassCounts[]
  /** The weights at that epoch. */
  readonly head: PatchHead
}

/** A trained probe as plain arrays: hidden weight (D, H) and bias (H), output weight (H, C) and bias (C). */
export type PatchHead = readonly [NamedArray, NamedArray, NamedArray, NamedArray]

/**
 * Trains the probe on `train` and scores it on `test` after every epoch. Runs eagerly, one event a step and an epoch; the
 * caller stops it by leaving its loop. Holds no tensor when it ends, however it ends.
 * @throws LabError 'invalid-input' for sets that do not fit, NaN features, labels outside the classes;
 *   'loss-not-finite' when training diverges
 */
export function* trainPatchProbe(
  train: PatchSet,
  test: PatchSet,
  settings: PatchProbeSettings,
): Generator<PatchProbeProgress, PatchProbeResult> {
  const {
    hiddenSize = 1024,
    epochs = 5,
    batchSize = 32,
    learningRate = 1e-3,
    minLearningRate = 1e-4,
    warmupSteps = 500,
    weightDecay = 0.01,
  } = settings
  for (const [name, set] of [
    ['train', train],
    ['test', test],
  ] as const)
    requirePatchSet(set, settings, name)
  if (train.width !== test.width)
    throw new LabError('invalid-input', `train, test: expected features of one width, got ${train.width} and ${test.width}`)
  for (const [name, value] of Object.entries({ hiddenSize, epochs, batchSize }))
    if (!Number.isInteger(value) || value < 1)
      throw new LabError('invalid-input', `${name}: expected an integer of at least 1, got ${value}`)
  const stepsPerEpoch = Math.max(1, Math.floor(train.images / batchSize))
  const steps = epochs * stepsPerEpoch
  const warmup = Math.min(warmupSteps, Math.floor(steps / 10))
  const head = createHead(train.width, hiddenSize, settings.classes, createRandom(settings.seed, 'patch probe', 'weights'))
  const order = createRandom(settings.seed, 'patch probe', 'order')
  try {
    const scores: SegmentationScores[] = []
    let best: { readonly epoch: number; readonly scores: SegmentationScores; readonly perImage: readonly ClassCounts[]; readonly head: PatchHead } | null = null
    let step = 0
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const images = order.shuffle(Array.from({ length: train.images }, (_, i) => i))
      for (let b = 0; b < stepsPerEpoch; b++) {
        const batch = images.slice(b * batchSize, (b + 1) * batchSize)
        const rate = learningRateAt(step, steps, warmup, learningRate, minLearningRate)
        step++
        const loss = updateHead(head, train, batch, settings, step, rate, weightDecay)
        if (!Number.isFinite(loss))
          throw new LabError(
            'loss-not-finite',
            `segmentation probe: the loss is ${loss} at step ${step}. Lower learningRate, or look at the scale of the features.`,
            { step },
          )
        yield { kind: 'step', step, of: steps, loss, learningRate: rate }
      }
      const perImage = evaluateHead(head, test, settings, batchSize)
      const epochScores = segmentationScores(perImage.reduce(addCounts, noCounts(settings.classes)))
      scores.push(epochScores)
      if (best === null || epochScores.macroRecall > best.scores.macroRecall) best = { epoch, scores: epochScores, perImage, head: readHead(head) }
      yield { kind: 'epoch', epoch, of: epochs, scores: epochScores }
    }
    return { epochs: scores, bestEpoch: best!.epoch, best: best!.scores, perImage: best!.perImage, head: best!.head }
  } finally {
    tf.dispose([head.weights, head.first, head.second])
  }
}

/** The class of each patch by a probe of majority labels. @param features (n, D), scaled as those that it was trained on @returns (n) */
export function namePatches(head: PatchHead, features: Float32Array): Int32Array {
  const [width] = head[0].shape as [number, number]
  return tf.tidy(() => {
    const weights = head.map(({ shape, values }) => tf.tensor(values, [...shape]))
    const logits = forward(weights, tf.tensor2d(features, [features.length / width, width])) // (n, C)
    return tf.cast(tf.argMax(logits, 1), 'int32').dataSync() as Int32Array
  })
}

/** Linear warm-up over the first steps, then half a cosine over all steps from `peak` to `end`, as timm's CosineLRScheduler. */
export function learningRateAt(step: number, steps: number, warmup: number, peak: number, end: number): number {
  // timm starts from 0, a step that changes nothing; ours starts one step in.
  if (step < warmup) return (peak * (step + 1)) / (warmup + 1)
  return end + 0.5 * (peak - end) * (1 + Math.cos((Math.PI * step) / steps))
}

interface Head {
  /** Hidden weight (D, H) and bias (H), output weight (H, C) and bias (C). */
  weights: tf.Tensor[]
  /** AdamW's moments, of the same shapes. */
  first: tf.Tensor[]
  second: tf.Tensor[]
}

/** PyTorch's default for a linear layer: uniform in ±1/√(inputs), weights and biases alike. */
function createHead(width: number, hiddenSize: number, classes: number, random: Random): Head {
  const uniform = (shape: number[], inputs: number) => {
    const bound = 1 / Math.sqrt(inputs)
    return tf.tensor(
      Float32Array.from({ length: shape.reduce((product, each) => product * each, 1) }, () => (2 * random.uniform() - 1) * bound),
      shape,
    )
  }
  const weights = [
    uniform([width, hiddenSize], width),
    uniform([hiddenSize], width),
    uniform([hiddenSize, classes], hiddenSize),
    uniform([classes], hiddenSize),
  ]
  return { weights, first: weights.map((each) => tf.zerosLike(each)), second: weights.map((each) => tf.zerosLike(each)) }
}

function readHead({ weights }: Head): PatchHead {
  return weights.map((tensor) => ({ shape: tensor.shape, values: tensor.dataSync() as Float32Array })) as unknown as PatchHead
}

/** Logits of patches (n, D) → (n, C). */
function forward(weights: readonly tf.Tensor[], features: tf.Tensor2D): tf.Tensor2D {
  const [hiddenWeight, hiddenBias, outputWeight, outputBias] = weights as [tf.Tensor2D, tf.Tensor1D, tf.Tensor2D, tf.Tensor1D]
  const hidden = geluErf(tf.add(tf.matMul(features, hiddenWeight), hiddenBias)) as tf.Tensor2D // (n, H)
  return tf.add(tf.matMul(hidden, outputWeight), outputBias) // (n, C)
}

/** One AdamW update on a batch of images; returns the loss before it, in nats. Weight decay covers biases, as in patch-seg. */
function updateHead(
  head: Head,
  set: PatchSet,
  images: readonly number[],
  settings: PatchProbeSettings,
  step: number,
  rate: number,
  decay: number,
): number {
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8]
  const updated = tf.tidy(() => {
    const features = featuresOf(set, images)
    const target = targetOf(set, images, settings)
    const { value, grads } = tf.valueAndGrads((...weights: tf.Tensor[]) =>
      lossOf(forward(weights, features), target, settings.labels),
    )(head.weights)
    const first = head.first.map((moment, i) => tf.add(tf.mul(moment, beta1), tf.mul(grads[i]!, 1 - beta1)))
    const second = head.second.map((moment, i) => tf.add(tf.mul(moment, beta2), tf.mul(tf.square(grads[i]!), 1 - beta2)))
    const weights = head.weights.map((weight, i) => {
      const denominator = tf.add(tf.sqrt(tf.div(second[i]!, 1 - beta2 ** step)), epsilon)
      return tf.sub(tf.mul(weight, 1 - rate * decay), tf.mul(tf.div(first[i]!, denominator), rate / (1 - beta1 ** step)))
    })
    return { loss: value, weights, first, second }
  })
  const loss = updated.loss.dataSync()[0]!
  tf.dispose([updated.loss, head.weights, head.first, head.second])
  head.weights = updated.weights
  head.first = updated.first
  head.second = updated.second
  return loss
}

/**
 * union: mean over patches and classes of softplus(z) − z·y; majority: mean over counted patches of log Σ eᶻ − z_y.
 * @param target  (n, C): 0/1 labels, or one-hot rows with zeros where a patch must not count
 */
function lossOf(logits: tf.Tensor2D, target: tf.Tensor2D, labels: 'union' | 'majority'): tf.Scalar {
  if (labels === 'union') return tf.mean(tf.sub(tf.softplus(logits), tf.mul(logits, target)))
  const counted = tf.sum(target, 1) // (n)
  const perPatch = tf.sub(tf.mul(tf.logSumExp(logits, 1), counted), tf.sum(tf.mul(logits, target), 1)) // (n)
  return tf.div(tf.sum(perPatch), tf.maximum(tf.sum(counted), 1))
}

/** Counts of each image. */
function evaluateHead(head: Head, set: PatchSet, settings: PatchProbeSettings, batchSize: number): ClassCounts[] {
  const { classes } = settings
  const perImage: ClassCounts[] = []
  for (let start = 0; start < set.images; start += batchSize) {
    const images = Array.from({ length: Math.min(batchSize, set.images - start) }, (_, i) => start + i)
    const decided = tf.tidy(() => {
      const logits = forward(head.weights, featuresOf(set, images))
      return settings.labels === 'union' ? tf.cast(tf.greater(logits, 0), 'int32') : tf.cast(tf.argMax(logits, 1), 'int32')
    })
    const decisions = decided.dataSync()
    decided.dispose()
    const perRow = settings.labels === 'union' ? set.patches * classes : set.patches
    images.forEach((image, i) => {
      const [said, truth] = [
        decisions.subarray(i * perRow, (i + 1) * perRow),
        set.labels.subarray(image * perRow, (image + 1) * perRow),
      ]
      perImage.push(settings.labels === 'union' ? countMultiLabels(said, truth, classes) : countLabels(said, truth, classes))
    })
  }
  return perImage
}

function featuresOf(set: PatchSet, images: readonly number[]): tf.Tensor2D {
  const size = set.patches * set.width
  const values = new Float32Array(images.length * size)
  images.forEach((image, i) => values.set(set.features.subarray(image * size, (image + 1) * size), i * size))
  return tf.tensor2d(values, [images.length * set.patches, set.width])
}

function targetOf(set: PatchSet, images: readonly number[], { labels, classes }: PatchProbeSettings): tf.Tensor2D {
  const values = new Float32Array(images.length * set.patches * classes)
  images.forEach((image, i) => {
    if (labels === 'union') {
      const size = set.patches * classes
      values.set(set.labels.subarray(image * size, (image + 1) * size), i * size)
    } else
      for (let p = 0; p < set.patches; p++) {
        const label = set.labels[image * set.patches + p]!
        if (label >= 0) values[(i * set.patches + p) * classes + label] = 1
      }
  })
  return tf.tensor2d(values, [images.length * set.patches, classes])
}

function requirePatchSet(set: PatchSet, { labels, classes }: PatchProbeSettings, name: string): void {
  if (!Number.isInteger(classes) || classes < 2)
    throw new LabError('invalid-input', `classes: expected at least 2, got ${classes}`)
  const { images, patches, width, features } = set
  if (images < 1 || features.length !== images * patches * width)
    throw new LabError(
      'invalid-input',
      `${name}: expected features of ${images} images × ${patches} patches × ${width}, got ${features.length} values`,
    )
  const expected = images * patches * (labels === 'union' ? classes : 1)
  if (set.labels.length !== expected)
    throw new LabError('invalid-input', `${name}: expected ${expected} ${labels} labels, got ${set.labels.length}`)
  for (let i = 0; i < features.length; i++)
    if (!Number.isFinite(features[i]))
      throw new LabError(
        'invalid-input',
        `${name}: expected finite features, got ${features[i]} in image ${Math.floor(i / (patches * width))}`,
      )
  const [least, most] = labels === 'union' ? [0, 1] : [-1, classes - 1]
  for (let i = 0; i < set.labels.length; i++)
    if (!(set.labels[i]! >= least && set.labels[i]! <= most))
      throw new LabError('invalid-input', `${name}: expected labels ${least} … ${most}, got ${set.labels[i]} at ${i}`)
}
