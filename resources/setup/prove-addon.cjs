// Usage: prove-addon.cjs ADDON. Loads @tensorflow/tfjs-node-gpu over the named addon, multiplies two matrices and prints
// one line of JSON: TensorFlow's version and whether it found a GPU. Any other result ends with a status other than 0.
// CommonJS, because the package is, and its loader must be led to an addon that is not in its place yet.

const util = require('node:util')

// Node 23 removed these two, and the package still calls them.
util.isNullOrUndefined ??= (value) => value === null || value === undefined
util.isArray ??= Array.isArray

try {
  const packageFile = require.resolve('@tensorflow/tfjs-node-gpu')
  require(require.resolve('@mapbox/node-pre-gyp/lib/pre-binding', { paths: [packageFile] })).find = () => process.argv[2]
  const tf = require(packageFile)
  const product = tf
    .matMul(
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 8],
      ],
    )
    .dataSync()
    .join()
  if (product !== '19,22,43,50') throw new Error(`expected the product 19,22,43,50, got ${product}`)
  const { binding, isUsingGpuDevice } = tf.backend()
  console.log(JSON.stringify({ tensorflow: binding.TF_Version, usesGpu: isUsingGpuDevice }))
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
