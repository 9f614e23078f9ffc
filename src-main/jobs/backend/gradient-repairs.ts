// Two gradients that TensorFlow.js 4.22 gets wrong on every engine: of a product whose batch axes are broadcast (it has the
// shape of the product, not of the factor), and of a running sum along any axis but the last (it is transposed once too often).

import * as tf from '@tensorflow/tfjs'

export function repairGradients() {
  const published = tf.getGradient('BatchMatMul')
  tf.registerGradient({
    ...published,
    gradFunc: (dy, saved, attributes) => {
      const gradients = published.gradFunc(dy, saved, attributes)
      const [a, b] = saved as [tf.Tensor, tf.Tensor]
      return { a: () => summedTo(gradients.a!(), a.shape), b: () => summedTo(gradients.b!(), b.shape) }
    },
  })
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
