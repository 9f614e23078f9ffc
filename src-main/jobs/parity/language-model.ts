// A causal language model against its reference: hidden states, logits, loss, log-probabilities of sequences, every gradient,
// and greedy answers, alone and in a batch padded on the left.

import * as tf from '@tensorflow/tfjs'
import { collectAnswers, eagerDecoder, generateTokens } from '../../engine/generate.ts'
import { languageModelSpec } from '../../engine/models/language/families.ts'
import { decoderHiddenStates, embedTokens, languageHead, paddingMask } from '../../engine/models/language-model.ts'
import { answerLogProbs, tokenLogProbs } from '../../engine/objectives/log-probs.ts'
import type { Weights } from '../../engine/shapes.ts'
import { languageModelLayout } from '../../engine/weights/initial.ts'
import { matchWeights } from '../../engine/weights/match.ts'
import { splitByModule } from '../../engine/weights/names.ts'
import { readWeights } from '../weight-files.ts'
import { toTensor, tolerancesOf } from './case-files.ts'
import type { ParityKind } from './parity-kind.ts'
import { compareWeightGradients } from './recorded-gradients.ts'

export const languageModelParity: ParityKind = {
  name: 'causal language model',
  recognises: ({ json }) => json['kind'] === 'causal language model',
  async compare(files, comparison) {
    const config = await files.object('config.json')
    const spec = languageModelSpec(config)
    const { modules } = splitByModule(await readWeights(files.folder))
    const { weights: arrays } = matchWeights(languageModelLayout(spec), modules.languageModel, files.folder)
    const recorded = await files.tensors('case.safetensors')
    const { forward, gradient } = tolerancesOf(files)
    tf.tidy(() => {
      const weights: Weights = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, toTensor(array)]))
      const whole = (name: string) => toTensor(recorded.get(name)).toInt()
      const ids = whole('input_ids') as tf.Tensor2D
      const [R, T] = ids.shape
      const attentionMask = toTensor(recorded.get('attention_mask')) as tf.Tensor2D
      // Padding on either side, and positions that count it: what the reference does when it is given no positions.
      const padding = paddingMask(attentionMask)
      const states = decoderHiddenStates(spec, weights, embedTokens(weights, ids), { padding })
      // What stands at padding means nothing, in the reference as here.
      const real = tf.reshape(attentionMask, [R, T, 1])
      const check = (group: string, name: string, found: tf.Tensor) => {
        const expected = tf.mul(toTensor(recorded.get(name)), real)
        comparison.check(group, name, tf.mul(found, real), { shape: expected.shape, values: expected.dataSync() }, forward)
      }
      states.forEach((state, i) => check('hidden states', `hidden_states.${i}`, state))
      check('logits', 'logits', languageHead(spec, weights, states.at(-1)!))

      const labels = tf.slice(whole('labels') as tf.Tensor2D, [0, 1]) // (R, T − 1): what each position is to predict
      const isTarget = tf.cast(tf.greaterEqual(labels, 0), 'float32') as tf.Tensor2D
      const targets = tf.reshape(tf.maximum(labels, tf.scalar(0, 'int32')), [-1]) as tf.Tensor1D
      const sums = () => {
        const state = decoderHiddenStates(spec, weights, embedTokens(weights, ids), { padding }).at(-1)!
        const logits = tf.slice(languageHead(spec, weights, state), [0, 0, 0], [R, T - 1, spec.vocabSize])
        return answerLogProbs(tokenLogProbs(tf.reshape(logits, [R * (T - 1), spec.vocabSize]) as tf.Tensor2D, targets), isTarget)
      }
      const loss = () => tf.neg(tf.div(tf.sum(sums()), tf.sum(isTarget)))
      comparison.check('log-probabilities', 'sequence_logps', sums(), recorded.get('sequence_logps'), forward)
      comparison.check('loss', 'loss', loss(), recorded.get('loss'), forward)
      const gradients = { comparison, tolerance: gradient, recorded, prefix: 'grad.', weights: { languageModel: weights }, visionEncoder: null }
      compareWeightGradients(gradients, loss, null)

      const endIds = endIdsOf(config['eos_token_id'])
      for (const name of recorded.names.filter((each) => each.endsWith('.output_ids')).map((each) => each.slice(0, -'.output_ids'.length))) {
        const [prompt, output] = [recorded.get(`${name}.input_ids`), recorded.get(`${name}.output_ids`)]
        const [rows, width, end] = [prompt.shape[0]!, prompt.shape[1]!, output.shape[1]!]
        const mask = recorded.has(`${name}.attention_mask`) ? recorded.get(`${name}.attention_mask`).values : new Float32Array(rows * width).fill(1)
        const lengths = Array.from({ length: rows }, (_, r) => mask.subarray(r * width, (r + 1) * width).reduce((sum, each) => sum + each, 0))
        const embeddings = embedTokens(weights, whole(`${name}.input_ids`))
        const steps = generateTokens(eagerDecoder(spec, weights), embeddings, lengths, { endIds, maxNewTokens: end - width })
        collectAnswers(steps, rows).forEach((answer, r) =>
          comparison.same('answers', `${name}, row ${r}`, answer, untilEnd([...output.values.subarray(r * end + width, (r + 1) * end)], endIds)),
        )
      }
    })
  },
}

/** What the reference writes after the end is padding. */
export function untilEnd(ids: readonly number[], endIds: readonly number[]): readonly number[] {
  const end = ids.findIndex((id) => endIds.includes(id))
  return end < 0 ? ids : ids.slice(0, end)
}

/** `eos_token_id` of a config: one id, a list, or none. */
export function endIdsOf(given: unknown): readonly number[] {
  return [given ?? []].flat().map(Number)
}
