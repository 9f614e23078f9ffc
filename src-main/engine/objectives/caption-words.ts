// Pre-training of a vision encoder from nothing: which words does the caption have? The caption's tokens are the labels
// of a classification (SuperClass, arXiv 2411.03313), with the language model's embeddings as the classifier. The
// language model itself is not run. It stands in for the pre-trained encoder that the paper starts from.

import * as tf from '@tensorflow/tfjs'
import { weightOf } from '../shapes.ts'
import { imageFeatures, imageTokens } from '../models/multimodal-lm.ts'
import { languageHead } from '../models/language-model.ts'
import type { Objective } from './objective.ts'

/**
 * L = −Σ_v ŷ_v·log softmax(z)_v with z = E·mean of the image tokens + log p, ŷ the caption's distinct tokens, each
 * 1/count (SuperClass, eq. 2). p is each token's share of the batch's captions: it takes the place of SuperClass's
 * inverse document frequencies, so that features need not spend a common direction on how frequent words are.
 */
export function captionWords(): Objective {
  return {
    kind: 'caption-words',
    rowsPerImage: 1,
    weighsTokens: false,
    needsPairs: false,
    reference: null,
    needsMismatched: false,
    usesImages: true,
    metricNames: [],
    loss(model, batch) {
      const { languageModel: spec } = model.spec
      const pooled = tf.mean(imageTokens(model, imageFeatures(model, batch.patches)), 1) // (B, D)
      const V = weightOf(model.weights.languageModel, 'model.embed_tokens.weight').shape[0]!
      const perToken = tf.mul(tf.oneHot(batch.answerIds, V), tf.expandDims(batch.answerMask, -1)) // (B, A, V)
      const present = tf.max(perToken, 1) // (B, V): 1 where the caption has the token
      const prior = tf.log(tf.add(tf.mean(present, 0), 1 / (2 * present.shape[0]!))) // (V)
      const logits = tf.add(languageHead(spec, model.weights.languageModel, pooled), prior) // (B, V)
      const logProbs = tf.sub(logits, tf.logSumExp(logits, -1, true)) // (B, V)
      const losses = tf.neg(tf.div(tf.sum(tf.mul(present, logProbs), -1), tf.maximum(tf.sum(present, -1), 1))) // (B)
      const weighted = (values: tf.Tensor) => tf.sum(tf.mul(values, batch.rowWeights)) as tf.Scalar
      return { loss: weighted(losses), metrics: {} }
    },
  }
}
