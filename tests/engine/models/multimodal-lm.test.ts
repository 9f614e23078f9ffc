// The joined model by its symmetries: where image tokens go, what sees what, and what gradient checkpointing may not change.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { MODULES } from '../../../src-main/domain/model-spec.ts'
import {
  answerLogits,
  imageFeatures,
  imageTokens,
  joinedEmbeddings,
  type MultimodalLm,
} from '../../../src-main/engine/models/multimodal-lm.ts'
import { decoderHiddenStates, embedTokens, languageHead } from '../../../src-main/engine/models/language-model.ts'
import { gradients } from '../../../src-main/engine/nn/gradients.ts'
import type { EncodedRow } from '../../../src-main/engine/text/collate.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { heldModel } from '../../../src-main/jobs/held-model.ts'
import { expectClose } from '../../support/all-close.ts'
import { aTensor, expectSameFunction, expectSlopes } from '../../support/finite-differences.ts'
import { aBatch, aRow, IMAGE, livelyWeights, TINY } from '../../support/tiny-model.ts'

beforeAll(() => openBackend('native'))

const aModel = (): MultimodalLm => heldModel({ spec: TINY, weights: livelyWeights(1) }).model
/** Two images and both answers of each pair; in one row the image stands inside the text. */
const inside = (row: EncodedRow): EncodedRow => {
  const [image, text] = [row.ids.filter((id) => id === IMAGE), row.ids.filter((id) => id !== IMAGE)]
  return { ids: [text[0]!, ...image, ...text.slice(1)], isAnswer: row.isAnswer }
}
const ROWS = [aRow(1), inside(aRow(2, { answer: 2 })), aRow(3, { answer: 1 }), aRow(4, { image: false })]
const aPairBatch = (rows = ROWS) => aBatch({ rows, images: 2, rowWeights: [0.5, 0.5, 0.5, 0.5] })

describe('image tokens in their places', () => {
  it('stand where the placeholders stand, in order, row r with image r mod B; all else is text', () => {
    const model = aModel()
    const batch = aPairBatch()
    const tokens = aTensor([2, 4, 16], 'tokens')
    const joined = joinedEmbeddings(model, batch, tokens).arraySync() as number[][][]
    const text = embedTokens(model.weights.languageModel, batch.ids).arraySync() as number[][][]
    const images = tokens.arraySync() as number[][][]
    ROWS.forEach((row, r) => {
      let image = 0
      joined[r]!.forEach((found, t) =>
        expect(found, `row ${r}, position ${t}`).toEqual(row.ids[t] === IMAGE ? images[r % 2]![image++] : text[r]![t]),
      )
    })
  })

  it('carry the gradient of the form in plain operations, of text and of both rows that share an image', () => {
    const model = aModel()
    const batch = aPairBatch()
    const embedding = model.weights.languageModel['model.embed_tokens.weight']!
    const withEmbedding = (table: tf.Tensor): MultimodalLm => ({
      ...model,
      weights: { ...model.weights, languageModel: { ...model.weights.languageModel, 'model.embed_tokens.weight': table } },
    })
    /** A matrix of zeros and ones in place of the gather. */
    const placing = tf.oneHot(batch.sources, 4 * 16 + 2 * 4)
    expectSameFunction(
      (tokens, table) => joinedEmbeddings(withEmbedding(table!), batch, tokens!),
      (tokens, table) => {
        const text = tf.matMul(tf.oneHot(tf.reshape(batch.ids, [-1]), 24) as tf.Tensor2D, table as tf.Tensor2D)
        const all = tf.concat([text, tf.reshape(tokens!, [8, 16])], 0)
        return tf.reshape(tf.matMul(placing as tf.Tensor2D, all as tf.Tensor2D), [4, 16, 16])
      },
      [aTensor([2, 4, 16], 'tokens'), embedding],
    )
  })

  it('agree with finite differences through the whole language model', () => {
    const model = aModel()
    const batch = aPairBatch()
    expectSlopes((tokens) => answerLogits(model, batch, tokens!), [aTensor([2, 4, 16], 'tokens', 0.5)], 8)
  })
})

describe('the last block, run on answer positions alone', () => {
  it('gives the logits that running it everywhere gives', () => {
    const model = aModel()
    const batch = aPairBatch()
    const tokens = aTensor([2, 4, 16], 'tokens')
    const { languageModel: spec } = model.spec
    const everywhere = decoderHiddenStates(spec, model.weights.languageModel, joinedEmbeddings(model, batch, tokens)).at(-1)!
    const there = tf.gather(tf.reshape(everywhere, [-1, spec.hiddenSize]), batch.answerPositions)
    expectClose(answerLogits(model, batch, tokens), languageHead(spec, model.weights.languageModel, there), 2e-6)
  })
})

describe('what sees what', () => {
  it('a later token changes no earlier prediction, bit for bit; an earlier one does', () => {
    const model = aModel()
    const logits = (row: EncodedRow) =>
      answerLogits(model, aBatch({ rows: [row], images: 1, rowWeights: [1] }), aTensor([1, 4, 16], 'tokens'))
    const row = aRow(5, { prompt: 3, answer: 4 })
    const changedAt = (t: number): EncodedRow => ({ ...row, ids: row.ids.map((id, i) => (i === t ? ((id + 5) % 20) + 2 : id)) })
    // The four answers are predicted from positions 6 to 9: of what stands at 9, only the last prediction knows.
    const before = logits(row).slice([0, 0], [3, -1]).dataSync()
    expect(logits(changedAt(9)).slice([0, 0], [3, -1]).dataSync()).toEqual(before)
    expect(logits(changedAt(10)).dataSync()).toEqual(logits(row).dataSync())
    expect(logits(changedAt(6)).slice([0, 0], [3, -1]).dataSync()).not.toEqual(before)
  })

  it('padding changes nothing: a longer bucket gives the same logits', () => {
    const model = aModel()
    const tokens = aTensor([1, 4, 16], 'tokens')
    const at = (T: number) =>
      answerLogits(model, aBatch({ rows: [aRow(6)], images: 1, rowWeights: [1], shape: { T, A: 4 } }), tokens)
    // The order of summation in a product depends on its size.
    expectClose(at(32).slice([0, 0], [3, -1]), at(16).slice([0, 0], [3, -1]), 2e-6)
  })

  it('rows without an image are rows of text alone, whatever stands beside them', () => {
    const model = aModel()
    const rows = [aRow(7, { image: false }), aRow(8, { image: false })]
    const batch = aBatch({ rows, images: 2, rowWeights: [0.5, 0.5] })
    expect(answerLogits(model, batch, aTensor([2, 4, 16], 'tokens')).dataSync()).toEqual(
      answerLogits(model, batch, null).dataSync(),
    )
  })

  it('the encoder sees its image alone: exchanging two images exchanges their features', () => {
    const model = aModel()
    const { patches } = aPairBatch()
    const features = imageFeatures(model, patches)
    expectClose(imageFeatures(model, tf.reverse(patches, 0)), tf.reverse(features, 0), 1e-6)
    expect(features.shape).toEqual([2, 4, 16])
  })

  it('blocks above the selected feature layer have no part: gradient zero, below it every weight has one', () => {
    const model = aModel()
    const { patches } = aPairBatch()
    const names = Object.keys(model.weights.visionEncoder)
    const { gradients: found } = gradients(
      () => tf.sum(tf.square(imageFeatures(model, patches))),
      Object.values(model.weights.visionEncoder),
    )
    names.forEach((name, i) => {
      const largest = tf.max(tf.abs(found[i]!)).dataSync()[0]!
      const isUnused = name.startsWith('encoder.layers.1.') || name.startsWith('post_layernorm')
      // A key's bias adds the same to every score of a query: softmax does not see it.
      if (isUnused) expect(largest, name).toBe(0)
      else if (!name.endsWith('k_proj.bias')) expect(largest, name).toBeGreaterThan(0)
    })
  })
})

describe('gradient checkpointing', () => {
  it('gives the same logits and the same gradients, bit for bit, of every weight', () => {
    const plain = aModel()
    const model = { ...plain, gradientCheckpointing: { visionEncoder: true, projector: true, languageModel: true } }
    const batch = aPairBatch()
    const weights = MODULES.flatMap((module) => Object.values(plain.weights[module]))
    const [a, b] = [plain, model].map((each) =>
      gradients(
        () => tf.sum(tf.square(answerLogits(each, batch, imageTokens(each, imageFeatures(each, batch.patches))))),
        weights,
      ),
    )
    expect(b!.value.dataSync()).toEqual(a!.value.dataSync())
    b!.gradients.forEach((gradient, i) => expect(gradient.dataSync(), `weight ${i}`).toEqual(a!.gradients[i]!.dataSync()))
  })
})
