// Gradients that TensorFlow.js 4.22 gets wrong on every engine: where an operand is broadcast, four of them have the shape of
// the result and not of the operand; that of a running sum along any axis but the last is transposed once too often.

import * as tf from '@tensorflow/tfjs'

const NOT_SUMMED = ['BatchMatMul', 'SquaredDifference', 'Maximum', 'Minimum'] as const

let repaired = false

/** Once a process, whatever the engine. */
export function repairGradients() {
  if (repaired) return
  repaired = true
  for (const name of NOT_SUMMED) {
    const published = tf.getGradient(name)
    tf.registerGradient({
      ...published,
      gradFunc: (dy, saved, attributes) => {
        const gradients = published.gradFunc(dy, saved, attributes)
        const [a, b] = saved as [tf.Tensor, tf.Tensor]
        return { a: () => summedTo(gradients.a!(), a.shape), b: () => summedTo(gradients.b!(), b.shape) }
      },
    })
  }
  tf.registerGradient({
    kernelName: 'Cumsum',
    inputsToSave: ['x'],
    gradFunc: (dy, saved, attributes) => ({
      x: () => {
        const [axis] = tf.util.parseAxisParam(attributes.axis as number, saved[0]!.shape)
        return tf.cumsum(dy as tf.Tensor, axis, attributes.exclusive as boolean, !(attributes.reverse as boolean))
      },
    }),
  })
}

/** `gradient` summed over the axes along which `shape` was repeated. */
function summedTo(gradient: tf.Tensor, shape: number[]): tf.Tensor {
  const axes = tf.broadcast_util.getReductionAxes(shape, gradient.shape)
  return axes.length === 0 ? gradient : tf.reshape(tf.sum(gradient, axes), shape)
}
