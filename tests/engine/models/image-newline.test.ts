// `image_newline` of LLaVA-OneVision: one vector after each image's tokens, and nothing else of the model changed.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, expect, it } from 'vitest'
import { multimodalLmSpecSchema, numImageFeatures, numImageTokens } from '../../../src-main/domain/model-spec.ts'
import { imageFeatures, imageTokens } from '../../../src-main/engine/models/multimodal-lm.ts'
import { projector, withNewline } from '../../../src-main/engine/models/projector.ts'
import { initialWeights } from '../../../src-main/engine/weights/initial.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { heldModel } from '../../../src-main/jobs/held-model.ts'
import { aTensor, expectSameFunction, expectSlopes } from '../../support/finite-differences.ts'
import { livelyWeights, TINY } from '../../support/tiny-model.ts'

beforeAll(() => openBackend('native'))

const WITH = multimodalLmSpecSchema.parse({ ...TINY, imageNewline: true })

it('stands after the tokens of each image; its gradient is the sum of what arrives there', () => {
  const tokens = tf.tensor3d([[[1, 2], [3, 4]], [[5, 6], [7, 8]], [[9, 10], [11, 12]]])
  const newline = tf.tensor1d([-1, -2])
  expect(withNewline(tokens, newline).arraySync()).toEqual([[[1, 2], [3, 4], [-1, -2]], [[5, 6], [7, 8], [-1, -2]], [[9, 10], [11, 12], [-1, -2]]])
  const dy = tf.tensor3d(Array.from({ length: 18 }, (_, i) => i), [3, 3, 2])
  const [dTokens, dNewline] = tf.grads((a, b) => withNewline(a!, b!))([tokens, newline], dy)
  expect(dTokens!.arraySync()).toEqual([[[0, 1], [2, 3]], [[6, 7], [8, 9]], [[12, 13], [14, 15]]])
  expect(dNewline!.arraySync()).toEqual([4 + 10 + 16, 5 + 11 + 17])
})

it('has the value and gradient of the form in plain operations, and agrees with finite differences', () => {
  const xs = [aTensor([3, 4, 6], 'tokens'), aTensor([6], 'newline')]
  expectSameFunction(
    (tokens, newline) => withNewline(tokens!, newline!),
    (tokens, newline) => tf.concat([tokens!, tf.add(tf.zeros([3, 1, 6]), newline!)], 1),
    xs,
  )
  expectSlopes((tokens, newline) => withNewline(tokens!, newline!), xs)
})

it('makes one token more of the same features; a model without it gives the projection alone, bit for bit', () => {
  expect([numImageFeatures(WITH), numImageTokens(WITH), numImageTokens(TINY)]).toEqual([4, 5, 4])
  const [with_, without] = [heldModel({ spec: WITH, weights: livelyWeights(1, WITH) }).model, heldModel({ spec: TINY, weights: livelyWeights(1) }).model]
  const patches = aTensor([2, 4, 192], 'patches')
  const features = imageFeatures(without, patches)
  expect(imageFeatures(with_, patches).dataSync()).toEqual(features.dataSync())
  const plain = imageTokens(without, features)
  expect(plain.dataSync()).toEqual(projector(without.weights.projector, features).dataSync())
  const tokens = imageTokens(with_, features)
  expect(tokens.shape).toEqual([2, 5, 16])
  expect(tf.slice(tokens, [0, 0, 0], [2, 4, 16]).dataSync()).toEqual(plain.dataSync())
  const { image_newline: newline } = with_.weights.projector
  for (const image of [0, 1]) expect(tf.slice(tokens, [image, 4, 0], [1, 1, 16]).dataSync()).toEqual(newline!.dataSync())
})

it('is a weight of the projector beside those that a model without it has, which begin alike', () => {
  const { image_newline: newline, ...rest } = initialWeights(WITH, 3).projector
  expect(newline!.shape).toEqual([16])
  expect(rest).toEqual(initialWeights(TINY, 3).projector)
})
