// Layer and RMS normalisation: values, written gradients and extremes against the composed forms.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { layerNorm, rmsNorm } from '../../../src-main/engine/nn/norm.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { expectClose, expectFinite } from '../../support/all-close.ts'
import {
  aTensor,
  expectSameFunction,
  expectSlopes,
  tapeGradients,
  type Differentiable,
} from '../../support/finite-differences.ts'
import { expectNoLeak } from '../../support/no-leak.ts'

beforeAll(() => openBackend('native'))

const EPSILON = 1e-5
const layer: Differentiable = (x, weight, bias) => layerNorm({ 'n.weight': weight!, 'n.bias': bias! }, 'n', x!, EPSILON)
const rms: Differentiable = (x, weight) => rmsNorm({ 'n.weight': weight! }, 'n', x!, EPSILON)
const composedLayer: Differentiable = (x, weight, bias) => {
  const { mean, variance } = tf.moments(x!, -1, true)
  return tf.add(tf.mul(tf.div(tf.sub(x!, mean), tf.sqrt(tf.add(variance, EPSILON))), weight!), bias!)
}
const composedRms: Differentiable = (x, weight) =>
  tf.mul(tf.div(x!, tf.sqrt(tf.add(tf.mean(tf.square(x!), -1, true), EPSILON))), weight!)

const forms = [
  { name: 'layerNorm', norm: layer, composed: composedLayer, parameters: 2 },
  { name: 'rmsNorm', norm: rms, composed: composedRms, parameters: 1 },
]

for (const { name, norm, composed, parameters } of forms) {
  const inputs = (shape: readonly number[]) => [
    aTensor(shape, 'x'),
    ...Array.from({ length: parameters }, (_, i) => aTensor([shape.at(-1)!], `parameter ${i}`)),
  ]
  describe(name, () => {
    it('is the composed form, with its gradients, at every rank', () => {
      for (const shape of [
        [3, 8],
        [2, 3, 8],
        [2, 2, 3, 6],
      ])
        expectSameFunction(norm, composed, inputs(shape))
    })

    it('agrees with finite differences', () => expectSlopes(norm, inputs([2, 3, 4])))

    it('is finite, value and gradient, where all of a row is equal, ±100 or ±1000', () => {
      for (const size of [0, 100, 1000, -1000]) {
        const xs = [tf.fill([2, 4], size), ...inputs([2, 4]).slice(1)]
        expectFinite(norm(...xs), `${size}`)
        for (const gradient of tapeGradients(norm, xs)) expectFinite(gradient, `gradient at ${size}`)
      }
    })

    it('does not depend on the scale of a row, in value, and divides the gradient by it', () => {
      const [x, ...rest] = inputs([2, 8])
      const scaled = tf.mul(x!, 1000)
      // ε is what scale acts on: a row of size one sees it at 5e-6 of its value.
      expectClose(norm(scaled, ...rest), norm(x!, ...rest), 1e-4)
      expectClose(tf.mul(tapeGradients(norm, [scaled, ...rest])[0]!, 1000), tapeGradients(norm, [x!, ...rest])[0]!, 1e-4)
    })

    it('keeps what is not a number in its own row', () => {
      const [x, ...rest] = inputs([2, 4])
      const values = x!.dataSync().slice()
      values[1] = Number.NaN
      const found = norm(tf.tensor(values, [2, 4]), ...rest).dataSync()
      expect([...found.slice(0, 4)].every(Number.isNaN)).toBe(true)
      expectFinite(found.slice(4))
    })

    it('leaves nothing behind', () => {
      const xs = inputs([2, 3, 4])
      expectNoLeak(() => tf.dispose(tapeGradients(norm, xs)))
    })
  })
}

it('layerNorm: rows of mean zero and variance one; rmsNorm: rows of mean square one', () => {
  const x = tf.add(aTensor([5, 64], 'rows'), 3)
  const unit = [tf.ones([64]), tf.zeros([64])]
  const { mean, variance } = tf.moments(layer(x, ...unit), -1)
  expectClose(mean, new Float32Array(5), 1e-6)
  expectClose(variance, new Float32Array(5).fill(1), 1e-4)
  expectClose(tf.mean(tf.square(rms(x, unit[0]!)), -1), new Float32Array(5).fill(1), 1e-4)
})

it('a missing parameter is named', () => {
  expect(() => layerNorm({ 'n.weight': tf.ones([4]) }, 'n', tf.ones([1, 4]), EPSILON)).toThrow(/n\.bias/)
})
