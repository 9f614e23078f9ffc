// The segmentation probe learns what is there and nothing else, by its schedule, without leaving a tensor.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { normalCdf } from '../../../../src-main/domain/statistics/distributions.ts'
import { createRandom } from '../../../../src-main/domain/random.ts'
import { LabError } from '../../../../src-main/domain/errors.ts'
import { addCounts, noCounts, segmentationScores } from '../../../../src-main/engine/evaluate/measures/segmentation-scores.ts'
import { majorityLabels, unionLabels } from '../../../../src-main/engine/evaluate/probes/patch-labels.ts'
import {
  learningRateAt,
  trainPatchProbe,
  type PatchProbeProgress,
  type PatchProbeResult,
  type PatchProbeSettings,
  type PatchSet,
} from '../../../../src-main/engine/evaluate/probes/patch-segmentation.ts'
import { refusal } from '../../../support/refusal.ts'

/** Patches whose features point to their class; with `union`, every third patch holds two classes. */
function patchSet(images: number, seed: number, labels: 'union' | 'majority'): PatchSet {
  const random = createRandom(seed)
  const [patches, width, classes] = [9, 6, 3]
  const features = new Float32Array(images * patches * width)
  const majority = new Int32Array(images * patches)
  const union = new Uint8Array(images * patches * classes)
  for (let p = 0; p < images * patches; p++) {
    const held = p % 3 === 0 && labels === 'union' ? [random.integer(3), random.integer(3)] : [random.integer(3)]
    majority[p] = held[0]!
    for (let j = 0; j < width; j++) features[p * width + j] = 0.3 * random.normal() + (held.includes(j) ? 2 : 0)
    for (const label of held) union[p * classes + label] = 1
  }
  return { images, patches, width, features, labels: labels === 'union' ? union : majority }
}

function run(generator: Generator<PatchProbeProgress, PatchProbeResult>): {
  events: PatchProbeProgress[]
  result: PatchProbeResult
} {
  const events: PatchProbeProgress[] = []
  for (;;) {
    const { done, value } = generator.next()
    if (done) return { events, result: value }
    events.push(value)
  }
}

const settings = (labels: 'union' | 'majority', more: Partial<PatchProbeSettings> = {}): PatchProbeSettings => ({
  labels,
  classes: 3,
  seed: 0,
  hiddenSize: 16,
  epochs: 6,
  batchSize: 4,
  learningRate: 1e-2,
  ...more,
})

beforeAll(() => tf.setBackend('cpu'))

describe('patch segmentation probe', () => {
  it.each(['union', 'majority'] as const)('learns separable patches with %s labels, and leaves no tensor', (labels) => {
    const before = tf.memory().numTensors
    const { events, result } = run(
      trainPatchProbe(patchSet(24, 1, labels), patchSet(10, 2, labels), settings(labels, { epochs: 12 })),
    )
    expect(result.best.macroRecall).toBeGreaterThan(0.95)
    expect(result.best.meanIou).toBeGreaterThan(0.9)
    expect(events.filter((event) => event.kind === 'step')).toHaveLength(72)
    expect(events.filter((event) => event.kind === 'epoch')).toHaveLength(12)
    expect(tf.memory().numTensors).toBe(before)
  })

  it("follows PyTorch's recipe to the digit: the same steps written out in doubles give the same losses", () => {
    const [set, H, C, decay] = [patchSet(4, 1, 'majority'), 5, 3, 0.5]
    const more = { hiddenSize: H, epochs: 8, batchSize: 4, weightDecay: decay, warmupSteps: 0, minLearningRate: 1e-3 }
    const { events } = run(trainPatchProbe(set, set, settings('majority', more)))
    const losses = events.flatMap((event) => (event.kind === 'step' ? [event.loss] : []))
    const rates = events.flatMap((event) => (event.kind === 'step' ? [event.learningRate] : []))

    const [n, D] = [set.images * set.patches, set.width]
    const random = createRandom(0, 'patch probe', 'weights')
    const uniform = (count: number, inputs: number) =>
      Array.from({ length: count }, () => (2 * random.uniform() - 1) / Math.sqrt(inputs))
    const weights = [uniform(D * H, D), uniform(H, D), uniform(H * C, H), uniform(C, H)]
    const moments = weights.map((each) => ({ first: each.map(() => 0), second: each.map(() => 0) }))
    const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)
    losses.forEach((found, step) => {
      const [w1, b1, w2, b2] = weights as [number[], number[], number[], number[]]
      const gradients = weights.map((each) => each.map(() => 0)) as [number[], number[], number[], number[]]
      let loss = 0
      for (let i = 0; i < n; i++) {
        const x = [...set.features.subarray(i * D, (i + 1) * D)]
        const z = b1.map((bias, h) => x.reduce((sum, each, j) => sum + each * w1[j * H + h]!, bias))
        const logits = b2.map((bias, c) => z.reduce((sum, each, h) => sum + each * normalCdf(each) * w2[h * C + c]!, bias))
        const total = logits.reduce((sum, each) => sum + Math.exp(each), 0)
        loss += (Math.log(total) - logits[set.labels[i]!]!) / n
        const dLogits = logits.map((each, c) => (Math.exp(each) / total - (c === set.labels[i] ? 1 : 0)) / n)
        z.forEach((each, h) => {
          let back = 0
          dLogits.forEach((d, c) => {
            gradients[2][h * C + c]! += each * normalCdf(each) * d
            back += d * w2[h * C + c]!
          })
          const dz = back * (normalCdf(each) + each * density(each))
          gradients[1][h]! += dz
          x.forEach((feature, j) => (gradients[0][j * H + h]! += feature * dz))
        })
        dLogits.forEach((d, c) => (gradients[3][c]! += d))
      }
      expect(found).toBeCloseTo(loss, 4)
      const rate = rates[step]!
      weights.forEach((each, k) =>
        each.forEach((w, j) => {
          const { first, second } = moments[k]!
          first[j] = 0.9 * first[j]! + 0.1 * gradients[k]![j]!
          second[j] = 0.999 * second[j]! + 0.001 * gradients[k]![j]! ** 2
          const [m, v] = [first[j]! / (1 - 0.9 ** (step + 1)), second[j]! / (1 - 0.999 ** (step + 1))]
          each[j] = w * (1 - rate * decay) - (rate * m) / (Math.sqrt(v) + 1e-8)
        }),
      )
    })
    expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.05)
  })

  it('reports the epoch of best macro recall, and its counts per image add up to its scores', () => {
    const { result } = run(trainPatchProbe(patchSet(12, 1, 'majority'), patchSet(7, 2, 'majority'), settings('majority')))
    const recalls = result.epochs.map((each) => each.macroRecall)
    expect(result.best.macroRecall).toBe(Math.max(...recalls))
    expect(result.bestEpoch).toBe(recalls.indexOf(Math.max(...recalls)) + 1)
    expect(result.perImage).toHaveLength(7)
    expect(segmentationScores(result.perImage.reduce(addCounts, noCounts(3)))).toEqual(result.best)
  })

  it('labels without any relation to the features are not learnt', () => {
    const random = createRandom(5)
    const shuffled = (set: PatchSet): PatchSet => ({ ...set, labels: Int32Array.from(random.shuffle([...set.labels])) })
    const { result } = run(
      trainPatchProbe(
        shuffled(patchSet(24, 1, 'majority')),
        shuffled(patchSet(30, 2, 'majority')),
        settings('majority', { epochs: 2 }),
      ),
    )
    expect(Math.abs(result.best.macroRecall - 1 / 3)).toBeLessThan(0.12)
  })

  it('the first loss of a fresh head is near ln 2 for union, near ln 3 for majority', () => {
    for (const [labels, expected] of [
      ['union', Math.log(2)],
      ['majority', Math.log(3)],
    ] as const) {
      const first = trainPatchProbe(patchSet(8, 1, labels), patchSet(2, 2, labels), settings(labels)).next()
        .value as PatchProbeProgress
      expect(first.kind === 'step' && Math.abs(first.loss - expected)).toBeLessThan(0.25)
    }
  })

  it('the same seed gives the same numbers, another seed others', () => {
    const at = (seed: number) =>
      run(trainPatchProbe(patchSet(8, 1, 'majority'), patchSet(4, 2, 'majority'), settings('majority', { seed, epochs: 2 })))
        .events
    expect(at(1)).toEqual(at(1))
    expect(at(1)).not.toEqual(at(2))
  })

  it('can be left in the middle, and leaves no tensor then either', () => {
    const before = tf.memory().numTensors
    const probe = trainPatchProbe(patchSet(8, 1, 'majority'), patchSet(4, 2, 'majority'), settings('majority'))
    probe.next()
    probe.next()
    probe.return(undefined as unknown as PatchProbeResult)
    expect(tf.memory().numTensors).toBe(before)
  })

  it('patches labelled −1 change nothing, wherever they are', () => {
    const [train, test] = [patchSet(8, 1, 'majority'), patchSet(4, 2, 'majority')]
    const masked: PatchSet = { ...test, labels: Int32Array.from(test.labels, (label, i) => (i % 2 === 0 ? -1 : label)) }
    const { result } = run(trainPatchProbe(train, masked, settings('majority', { epochs: 1 })))
    expect(result.perImage.reduce(addCounts, noCounts(3)).decisions).toBe(18)
    const nothing: PatchSet = { ...train, labels: new Int32Array(train.labels.length).fill(-1) }
    const first = trainPatchProbe(nothing, test, settings('majority')).next().value as PatchProbeProgress
    expect(first).toMatchObject({ kind: 'step', loss: 0 })
  })

  it('fewer images than a batch still train, one step an epoch', () => {
    const { events } = run(
      trainPatchProbe(patchSet(3, 1, 'union'), patchSet(2, 2, 'union'), settings('union', { batchSize: 32, epochs: 2 })),
    )
    expect(events.map((event) => event.kind)).toEqual(['step', 'epoch', 'step', 'epoch'])
  })

  it('stops when training diverges, and leaves no tensor', () => {
    const before = tf.memory().numTensors
    const set = patchSet(8, 1, 'majority')
    const huge: PatchSet = { ...set, features: set.features.map((value) => value * 1e30) }
    let code = ''
    try {
      run(trainPatchProbe(huge, huge, settings('majority', { learningRate: 1e30, epochs: 3 })))
    } catch (thrown) {
      if (thrown instanceof LabError) code = thrown.code
    }
    expect(code).toBe('loss-not-finite')
    expect(tf.memory().numTensors).toBe(before)
  })

  it('refuses sets that do not fit their settings', () => {
    const [train, test] = [patchSet(4, 1, 'majority'), patchSet(2, 2, 'majority')]
    for (const call of [
      () => run(trainPatchProbe({ ...train, features: train.features.subarray(1) }, test, settings('majority'))),
      () =>
        run(
          trainPatchProbe(
            { ...train, features: train.features.map((value, i) => (i === 3 ? NaN : value)) },
            test,
            settings('majority'),
          ),
        ),
      () => run(trainPatchProbe(train, test, settings('union'))),
      () => run(trainPatchProbe(train, test, settings('majority', { classes: 2 }))),
      () => run(trainPatchProbe(train, test, settings('majority', { epochs: 0 }))),
    ])
      expect(refusal(call)).toBe('invalid-input')
  })
})

describe('learning rate', () => {
  it('warms up in a line, then falls by half a cosine from the peak to its end', () => {
    expect(learningRateAt(0, 1000, 4, 1, 0.1)).toBeCloseTo(0.2, 12)
    expect(learningRateAt(3, 1000, 4, 1, 0.1)).toBeCloseTo(0.8, 12)
    expect(learningRateAt(500, 1000, 4, 1, 0.1)).toBeCloseTo(0.55, 12)
    expect(learningRateAt(1000, 1000, 4, 1, 0.1)).toBeCloseTo(0.1, 12)
    expect(learningRateAt(0, 10, 0, 1, 0.1)).toBe(1)
  })
})

describe('labels of patches', () => {
  // Two patches of 2 × 2 pixels side by side: 1 1 / 2 0 and 0 0 / 0 0.
  const mask = [1, 1, 0, 0, 2, 0, 0, 0]
  const [image, grid] = [
    { width: 4, height: 2 },
    { rows: 1, columns: 2 },
  ]

  it('majority is the most frequent class, the lower one at ties', () => {
    expect([...majorityLabels(mask, image, grid, 3)]).toEqual([1, 0])
    expect([...majorityLabels([2, 1, 1, 2], { width: 2, height: 2 }, { rows: 1, columns: 1 }, 3)]).toEqual([1])
  })

  it('union is every class present, "unlabelled" only where it is alone', () => {
    expect([...unionLabels(mask, image, grid, 3)]).toEqual([0, 1, 1, 1, 0, 0])
  })

  it('refuses masks that are not whole patches, and classes beyond the last', () => {
    expect(refusal(() => majorityLabels(mask, image, { rows: 1, columns: 3 }, 3))).toBe('invalid-input')
    expect(refusal(() => unionLabels(mask, image, grid, 2))).toBe('invalid-input')
    expect(refusal(() => unionLabels(mask.slice(1), image, grid, 3))).toBe('invalid-input')
  })
})
