// Usage: prove-addon.cjs ADDON. Loads @tensorflow/tfjs-node-gpu over the named addon, multiplies two matrices and prints
// one line of JSON: TensorFlow's version and whether it found a GPU. Any other result ends with a status other than 0.
// CommonJS, because the package is, and its loader must be led to an addon that is not in its place yet.

const util = require('node:util')
const nodePreGyp = require(require.resolve('@mapbox/node-pre-gyp', { paths: [require.resolve('@tensorflow/tfjs-node-gpu')] }))

// Node 23 removed these two, and the package still calls them.
util.isNullOrUndefined ??= (value) => value === null || value === undefined
util.isArray ??= Array.isArray
nodePreGyp.find = () => process.argv[2]

const tf = require('@tensorflow/tfjs-node-gpu')

const product = tf.matMul([[1, 2], [3, 4]], [[5, 6], [7, 8]]).dataSync().join()
if (product !== '19,22,43,50') throw new Error(`expected the product 19,22,43,50, got ${product}`)
const { binding, isUsingGpuDevice } = tf.backend()
console.log(JSON.stringify({ tensorflow: binding.TF_Version, usesGpu: isUsingGpuDevice }))
