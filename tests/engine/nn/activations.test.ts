// GELU in both forms and SwiGLU: values, written gradients and extremes against the composed forms.

import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { geluErf, geluTanh, swiGlu } from '../../../src-main/engine/nn/activations.ts'
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

const composed: Record<'geluTanh' | 'geluErf' | 'swiGlu', Differentiable> = {
  geluTanh: (x) =>
    tf.mul(
      tf.mul(x!, 0.5),
      tf.add(1, tf.tanh(tf.mul(Math.sqrt(2 / Math.PI), tf.add(x!, tf.mul(0.044715, tf.mul(x!, tf.square(x!))))))),
    ),
  geluErf: (x) => tf.mul(tf.mul(x!, 0.5), tf.add(1, tf.erf(tf.div(x!, Math.SQRT2)))),
  swiGlu: (gate, up) => tf.mul(tf.mul(gate!, tf.sigmoid(gate!)), up!),
}
const written: Record<keyof typeof composed, Differentiable> = {
  geluTanh: (x) => geluTanh(x!),
  geluErf: (x) => geluErf(x!),
  swiGlu: (gate, up) => swiGlu(gate!, up!),
}

for (const name of ['geluTanh', 'geluErf', 'swiGlu'] as const) {
  const inputs = (shape: readonly number[], scale = 1) =>
    name === 'swiGlu' ? [aTensor(shape, 'gate', scale), aTensor(shape, 'up', scale)] : [aTensor(shape, 'x', scale)]
  describe(name, () => {
    it('is the composed form, with its gradients', () => {
      expectSameFunction(written[name], composed[name], inputs([2, 3, 40]))
      expectSameFunction(written[name], composed[name], inputs([200], 4))
    })

    it('agrees with finite differences', () => expectSlopes(written[name], inputs([3, 4])))

    it('is finite, value and gradient, at ±100 and ±1000', () => {
      const x = tf.tensor1d([-1000, -100, 0, 100, 1000])
      const xs = name === 'swiGlu' ? [x, tf.reverse(x)] : [x]
      expectFinite(written[name](...xs))
      for (const gradient of tapeGradients(written[name], xs)) expectFinite(gradient, 'gradient')
    })

    it('passes what is not a number on, and to nothing beside it', () => {
      const [first, ...rest] = inputs([3])
      const values = Float32Array.from(first!.dataSync())
      values[1] = Number.NaN
      const found = written[name](tf.tensor1d(values), ...rest).dataSync()
      expect(Array.from(found, (value) => Number.isNaN(value))).toEqual([false, true, false])
    })

    it('leaves nothing behind', () => {
      const xs = inputs([2, 3])
      expectNoLeak(() => tf.dispose(tapeGradients(written[name], xs)))
    })
  })
}

it('both GELUs are 0 at 0, the identity far above and zero far below', () => {
  const x = tf.tensor1d([0, 20, -20])
  expectClose(geluTanh(x), [0, 20, 0], 1e-6)
  expectClose(geluErf(x), [0, 20, 0], 1e-6)
})

it('the exact GELU at 1 is Φ(1) = 0.8413447, the tanh form 0.8411920', () => {
  const one = tf.tensor1d([1])
  expectClose(geluErf(one), [0.8413447], 1e-6)
  expectClose(geluTanh(one), [0.841192], 1e-6)
})
