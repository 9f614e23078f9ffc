// The gradient microscope: one pair before several checkpoints, one checkpoint in memory at a time. The reference is read first and
// let go, so that no two models are ever held.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import type { Microscope } from '../../domain/gradient-microscope.ts'
import type { AbortSignalLike, JobEvent, MicroscopeJob } from '../../domain/job.ts'
import { gradientProducts, pullOf, tokenProducts, twoGradients, type Products } from '../../engine/evaluate/maps/gradient-microscope.ts'
import { encoderLayersUsed, imageTokens } from '../../engine/models/multimodal-lm.ts'
import { familyOf } from '../../engine/models/vision/families.ts'
import { readCheckpoint } from '../checkpoint.ts'
import { mapOfPatches, openMeasuredModel } from '../evaluate/measured-model.ts'
import { lookAt, scoreOf, type LookedAt } from './item-maps.ts'

/** Answers `Microscope`. @throws LabError 'cancelled' between checkpoints; 'invalid-input' without two answers */
export async function* runMicroscopeJob(job: MicroscopeJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const { item, beta, checkpoints } = job
  if (item.prompt === null || item.chosen === null || item.rejected === null)
    throw new LabError('invalid-input', 'item: expected a pair, a prompt with a chosen and a rejected answer; choose one from a dataset of preferences')
  const of = checkpoints.length + (job.reference === null ? 0 : 1)
  let done = 0
  yield { kind: 'part', name: 'gradients', of }

  async function withItem<T>(folder: string, look: (looked: LookedAt) => T): Promise<T> {
    if (signal.aborted) throw new LabError('cancelled', 'stopped between checkpoints')
    const measured = await openMeasuredModel(job.project, folder)
    try {
      const looked = await lookAt(measured, item)
      try {
        return look(looked)
      } finally {
        looked.dispose()
      }
    } finally {
      measured.dispose()
    }
  }
  const reference = job.reference === null ? null : await withItem(job.reference, logProbsOf)
  if (reference !== null) yield { kind: 'progress', done: ++done, of }
  const found: Microscope['checkpoints'] = []
  for (const { name, checkpoint } of checkpoints) {
    const { checkpoint: record } = await readCheckpoint(checkpoint)
    found.push(await withItem(checkpoint, (looked) => ({ encoder: name, step: record.config === null ? null : record.step, ...magnified(looked, reference, beta) })))
    yield { kind: 'progress', done: ++done, of }
  }
  yield { kind: 'answer', value: { checkpoints: found } satisfies Microscope }
}

interface LogProbs {
  readonly chosen: number
  readonly rejected: number
}

function logProbsOf(looked: LookedAt): LogProbs {
  const read = (target: 'chosen' | 'rejected') => tf.tidy(() => scoreOf(looked, target, 'features')(looked.features).dataSync()[0]!)
  return { chosen: read('chosen'), rejected: read('rejected') }
}

/** @param reference  null: the checkpoint is its own, and the margin 0 */
function magnified(looked: LookedAt, reference: LogProbs | null, beta: number): Omit<Microscope['checkpoints'][number], 'encoder' | 'step'> {
  const { measured, patches, tokenIds } = looked
  const { spec, weights } = measured.model
  const logProbs = logProbsOf(looked)
  const base = reference ?? logProbs
  const margin = beta * (logProbs.chosen - base.chosen - (logProbs.rejected - base.rejected))
  const pull = pullOf(beta, margin)
  const two = (products: Products) => twoGradients(products, tokenIds.length, pull)
  const ofAnswer = (target: 'chosen' | 'rejected', from: 'patches' | 'tokens', x: tf.Tensor) => () => scoreOf(looked, target, from)(x)

  const named = [
    ...Object.entries(weights.visionEncoder).map(([name, tensor]) => ({ part: partOf(name), tensor, isEncoder: true })),
    ...Object.values(weights.projector).map((tensor) => ({ part: 'projector', tensor, isEncoder: false })),
  ]
  const image = tf.reshape(patches, [1, ...patches.shape])
  const products = gradientProducts(ofAnswer('chosen', 'patches', image), ofAnswer('rejected', 'patches', image), named.map(({ tensor }) => tensor))
  image.dispose()
  const sums = new Map<string, Products>()
  let encoder: Products = [0, 0, 0]
  named.forEach(({ part, isEncoder }, i) => {
    const found = products[i]
    if (!found) return
    sums.set(part, added(sums.get(part) ?? [0, 0, 0], found))
    if (isEncoder) encoder = added(encoder, found)
  })

  const tokens = tf.tidy(() => imageTokens(measured.model, looked.features)) // (1, I, D)
  const perToken = tokenProducts(ofAnswer('chosen', 'tokens', tokens), ofAnswer('rejected', 'tokens', tokens), tokens).map(two)
  tokens.dispose()
  const column = (name: 'sft' | 'dpo' | 'cosine') => Array.from(mapOfPatches(measured, Float64Array.from(perToken, (each) => each[name])))
  return {
    logProbs,
    margin,
    parts: [...sums].map(([part, sum]) => ({ part, ...two(sum) })),
    visionEncoder: two(encoder),
    patches: { ...measured.grid, sft: column('sft'), dpo: column('dpo'), cosine: column('cosine') },
  }

  /** "embeddings", "block 1" …; what stands after the last block that is used is reached by nothing. */
  function partOf(name: string): string {
    const family = familyOf(spec.visionEncoder)
    for (let i = 0; i < encoderLayersUsed(spec); i++) if (name.startsWith(family.blockPrefix(i))) return `block ${i + 1}`
    return 'embeddings'
  }
}

const added = (a: Products, b: Products): Products => [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
