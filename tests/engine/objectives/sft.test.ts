// SFT and its text-only form by their laws, on a tiny model.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import type { MultimodalLm } from '../../../src-main/engine/models/multimodal-lm.ts'
import type { Batch } from '../../../src-main/engine/objectives/objective.ts'
import { sft } from '../../../src-main/engine/objectives/sft.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { heldModel } from '../../../src-main/jobs/held-model.ts'
import { aBatch, aRow, livelyWeights, TINY, type BatchParts } from '../../support/tiny-model.ts'

beforeAll(() => openBackend('native'))

const aModel = (): MultimodalLm => heldModel({ spec: TINY, weights: livelyWeights(1) }).model
const numbersOf = (model: MultimodalLm, batch: Batch, objective = sft()): Record<string, number> => {
  const { loss, metrics } = objective.loss(model, batch)
  return Object.fromEntries(Object.entries({ loss, ...metrics }).map(([name, value]) => [name, value.dataSync()[0]!]))
}
const rows = [aRow(1), aRow(2, { answer: 2 }), aRow(3, { answer: 1 })]
/** 3 + 2 + 1 answer tokens. */
const parts: BatchParts = { rows, images: 3, rowWeights: [1 / 6, 1 / 6, 1 / 6] }

describe('sft', () => {
  it('of uniform logits is ln V, with the entropy ln V', () => {
    const weights = livelyWeights(1)
    const embedding = weights.languageModel['model.embed_tokens.weight']!
    // A head of zeros says nothing about any token; it is tied, so every word is the zero vector too.
    const { model } = heldModel({
      spec: TINY,
      weights: {
        ...weights,
        languageModel: {
          ...weights.languageModel,
          'model.embed_tokens.weight': { ...embedding, values: embedding.values.map(() => 0) },
        },
      },
    })
    const found = numbersOf(model, aBatch(parts))
    expect(found['loss']).toBeCloseTo(Math.log(24), 5)
    expect(found['entropy']).toBeCloseTo(Math.log(24), 5)
  })

  it('logs exactly the metrics that it declares', () => {
    expect(Object.keys(sft().loss(aModel(), aBatch(parts)).metrics)).toEqual(sft().metricNames)
  })

  it('is a mean over answer tokens: rows count by their length', () => {
    const model = aModel()
    const alone = rows.map((row, i) => {
      const { patches } = aBatch(parts)
      const batch = aBatch({ rows: [row], images: 1, rowWeights: [1 / [3, 2, 1][i]!] })
      return numbersOf(model, { ...batch, patches: tf.slice(patches, [i, 0, 0], [1, -1, -1]) })
    })
    const together = numbersOf(model, aBatch(parts))
    for (const name of ['loss', 'entropy', 'mean_token_accuracy'])
      expect(together[name]!, name).toBeCloseTo((3 * alone[0]![name]! + 2 * alone[1]![name]! + alone[2]![name]!) / 6, 5)
  })

  it('a batch that is filled up gives the numbers of its real rows', () => {
    const model = aModel()
    const real = aBatch(parts)
    const filled = aBatch({ ...parts, rows: [...rows, null, null], images: 5, rowWeights: [1 / 6, 1 / 6, 1 / 6, 0, 0] })
    const patches = tf.concat([real.patches, tf.zeros([2, 4, 192])], 0) as tf.Tensor3D
    const [a, b] = [numbersOf(model, real), numbersOf(model, { ...filled, patches })]
    for (const [name, value] of Object.entries(a)) expect(b[name]!, name).toBeCloseTo(value, 5)
  })

  it('masked answer tokens and what stands after the answer change nothing; the answer does', () => {
    const model = aModel()
    const batch = aBatch(parts)
    const before = numbersOf(model, batch)
    const isAnswer = tf.equal(batch.answerMask, 1)
    const nines = tf.fill([3, 4], 9, 'int32')
    const changed = (condition: tf.Tensor) => tf.cast(tf.where(condition, nines, batch.answerIds), 'int32') as tf.Tensor2D
    expect(numbersOf(model, { ...batch, answerIds: changed(tf.logicalNot(isAnswer)) })).toEqual(before)
    expect(numbersOf(model, { ...batch, answerIds: changed(isAnswer) })['loss']).not.toBe(before['loss'])
    const ids = tf.cast(tf.where(tf.equal(batch.ids, 0), tf.fill([3, 16], 9, 'int32'), batch.ids), 'int32') as tf.Tensor2D
    expect(numbersOf(model, { ...batch, ids })).toEqual(before)
  })

  it('says so where a pixel is not a number', () => {
    const batch = aBatch(parts)
    expect(numbersOf(aModel(), { ...batch, patches: tf.fill(batch.patches.shape, Number.NaN) as tf.Tensor3D })['loss']).toBeNaN()
  })
})

describe('text', () => {
  it('is sft of rows without an image, and looks at no pixel', () => {
    const text = { ...parts, rows: rows.map((_, i) => aRow(i, { image: false, answer: 3 - i })) }
    const model = aModel()
    const batch = aBatch(text)
    expect(numbersOf(model, { ...batch, patches: tf.fill(batch.patches.shape, Number.NaN) as tf.Tensor3D }, sft('text'))).toEqual(
      numbersOf(model, batch),
    )
  })
})
