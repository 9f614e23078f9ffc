// A vision encoder against its reference: every hidden state, the last one, the pooled output, images of other sizes, and the
// gradients of a weighted sum of the last hidden state by every weight and by the pixels.
//
// Names: `pixel_values` (B, C, H, W), or for NaFlex patches (B, P, patch·patch·C) with `pixel_attention_mask` and
// `spatial_shapes`; outputs under the same prefix (`interp.48x40.last_hidden_state`); `cotangent` and `grad.*` without one.

import * as tf from '@tensorflow/tfjs'
import type { VisionEncoderSpec } from '../../domain/vision-encoder-spec.ts'
import { visionHiddenStates, visionLastHiddenState, visionPooled } from '../../engine/models/vision-encoder.ts'
import { withPoolingThatIsThere } from '../../engine/models/vision/families.ts'
import { gradients } from '../../engine/nn/gradients.ts'
import type { Weights } from '../../engine/shapes.ts'
import { visionEncoderSpec } from '../../engine/weights/hugging-face-config.ts'
import { visionEncoderLayout } from '../../engine/weights/initial.ts'
import { matchWeights } from '../../engine/weights/match.ts'
import { splitByModule, visionEncoderTensors } from '../../engine/weights/names.ts'
import { readWeights } from '../weight-files.ts'
import { toTensor, tolerancesOf, type CaseTensors } from './case-files.ts'
import type { Comparison, Tolerance } from './comparison.ts'
import type { ParityKind } from './parity-kind.ts'
import { compareWeightGradients } from './recorded-gradients.ts'
import { imagesOf } from './recorded-images.ts'

export const visionEncoderParity: ParityKind = {
  name: 'vision encoder',
  recognises: ({ json }) => json['kind'] === 'vision encoder',
  async compare(files, comparison) {
    const described = visionEncoderSpec(await files.object('config.json'), `${files.folder}: config.json`)
    const { modules } = splitByModule(await readWeights(files.folder))
    const tensors = visionEncoderTensors(described, modules.visionEncoder)
    const spec = withPoolingThatIsThere(described, (name) => Object.hasOwn(tensors, name))
    const { weights: arrays } = matchWeights(visionEncoderLayout(spec), tensors, files.folder)
    const recorded = await files.tensors('case.safetensors')
    const tolerances = tolerancesOf(files)
    tf.tidy(() => {
      const weights: Weights = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, toTensor(array)]))
      for (const name of recorded.names)
        if (/(^|\.)pixel_values$/.test(name) && !name.startsWith('grad.'))
          compareOutputs(spec, weights, recorded, name.slice(0, -'pixel_values'.length), comparison, tolerances.forward)
      if (recorded.has('cotangent')) compareGradients(spec, weights, recorded, comparison, tolerances.gradient)
    })
  },
}

function compareOutputs(spec: VisionEncoderSpec, weights: Weights, recorded: CaseTensors, prefix: string, comparison: Comparison, tolerance: Tolerance): void {
  const { patches, options } = imagesOf(spec, recorded, prefix)
  const states = visionHiddenStates(spec, weights, patches(toTensor(recorded.get(`${prefix}pixel_values`))), spec.numHiddenLayers, options)
  const last = visionLastHiddenState(spec, weights, states.at(-1)!)
  const check = (group: string, name: string, found: tf.Tensor) =>
    comparison.check(prefix === '' ? group : `${group}, other sizes`, prefix + name, found, recorded.get(prefix + name), tolerance)
  for (const name of recorded.names) {
    const index = name.startsWith(`${prefix}hidden_states.`) ? Number(name.slice(prefix.length + 'hidden_states.'.length)) : NaN
    if (Number.isInteger(index)) check('hidden states', `hidden_states.${index}`, states[index] ?? tf.zeros([0]))
  }
  if (recorded.has(`${prefix}last_hidden_state`)) check('last hidden state', 'last_hidden_state', last)
  if (recorded.has(`${prefix}pooler_output`)) check('pooled output', 'pooler_output', visionPooled(spec, weights, last, options.variable) ?? tf.zeros([0]))
}

/** Of Σ last_hidden_state · cotangent. */
function compareGradients(spec: VisionEncoderSpec, weights: Weights, recorded: CaseTensors, comparison: Comparison, tolerance: Tolerance): void {
  const pixels = toTensor(recorded.get('pixel_values'))
  const cotangent = toTensor(recorded.get('cotangent'))
  const { patches, options } = imagesOf(spec, recorded, '')
  const last = () => {
    const state = visionHiddenStates(spec, weights, patches(pixels), spec.numHiddenLayers, options).at(-1)!
    return visionLastHiddenState(spec, weights, state)
  }
  const check = { comparison, tolerance, recorded, prefix: 'grad.', weights: { visionEncoder: weights }, visionEncoder: spec }
  compareWeightGradients(check, last, cotangent)
  if (recorded.has('grad.pixel_values'))
    comparison.check('gradient of the pixels', 'grad.pixel_values', gradients(last, [pixels], cotangent).gradients[0]!, recorded.get('grad.pixel_values'), tolerance)
}
