// Pre-training by the caption's words: a set of words, told from the image alone.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, expect, it } from 'vitest'
import type { MultimodalLm } from '../../../src-main/engine/models/multimodal-lm.ts'
import { gradients } from '../../../src-main/engine/nn/gradients.ts'
import { captionWords } from '../../../src-main/engine/objectives/caption-words.ts'
import type { EncodedRow } from '../../../src-main/engine/text/collate.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { heldModel } from '../../../src-main/jobs/held-model.ts'
import { aBatch, aRow, livelyWeights, TINY } from '../../support/tiny-model.ts'

beforeAll(() => openBackend('native'))

const aModel = (): MultimodalLm => heldModel({ spec: TINY, weights: livelyWeights(1) }).model
const caption = (...words: number[]): EncodedRow => ({
  ids: [1, 1, 1, 1, 2, ...words],
  isAnswer: [false, false, false, false, false, ...words.map(() => true)],
})
const batchOf = (...rows: EncodedRow[]) => aBatch({ rows, images: rows.length, rowWeights: rows.map(() => 1 / rows.length) })
const lossOf = (model: MultimodalLm, ...rows: EncodedRow[]) =>
  captionWords()
    .loss(model, batchOf(...rows))
    .loss.dataSync()[0]!

it('order and repetition of the words change nothing; another word does', () => {
  const model = aModel()
  const other = caption(9, 10)
  const loss = lossOf(model, caption(5, 6, 7), other)
  expect(loss).toBeGreaterThan(0)
  expect(lossOf(model, caption(7, 5, 6), other)).toBe(loss)
  expect(lossOf(model, caption(7, 5, 6, 5), other)).toBe(loss)
  expect(lossOf(model, caption(5, 6, 8), other)).not.toBeCloseTo(loss, 4)
})

it('the question changes nothing, the image does', () => {
  const model = aModel()
  const batch = batchOf(caption(5, 6), caption(7))
  const before = captionWords().loss(model, batch).loss.dataSync()[0]!
  const ids = tf.cast(tf.where(tf.equal(batch.ids, 2), tf.fill([2, 16], 3, 'int32'), batch.ids), 'int32') as tf.Tensor2D
  expect(
    captionWords()
      .loss(model, { ...batch, ids })
      .loss.dataSync()[0],
  ).toBe(before)
  const patches = tf.add(batch.patches, 1) as tf.Tensor3D
  expect(
    captionWords()
      .loss(model, { ...batch, patches })
      .loss.dataSync()[0],
  ).not.toBeCloseTo(before, 4)
})

it("trains encoder, projector and word embeddings, and none of the language model's blocks", () => {
  const model = aModel()
  const batch = batchOf(aRow(1), aRow(2))
  const sizes = (module: 'visionEncoder' | 'projector' | 'languageModel') => {
    const names = Object.keys(model.weights[module])
    const { gradients: found } = gradients(() => captionWords().loss(model, batch).loss, Object.values(model.weights[module]))
    return names.map((name, i): [string, number] => [name, tf.max(tf.abs(found[i]!)).dataSync()[0]!])
  }
  for (const [name, size] of sizes('projector')) expect(size, name).toBeGreaterThan(0)
  expect(Object.fromEntries(sizes('visionEncoder'))['embeddings.patch_embedding.weight']).toBeGreaterThan(0)
  for (const [name, size] of sizes('languageModel'))
    if (name === 'model.embed_tokens.weight') expect(size, name).toBeGreaterThan(0)
    else expect(size, name).toBe(0)
})
