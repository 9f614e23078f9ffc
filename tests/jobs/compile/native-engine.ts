// Opens the native engine for tests. Where its addon is not installed the tests that need it are skipped, with the reason printed.

import util from 'node:util'
import * as tf from '@tensorflow/tfjs'

/** Whether the native engine is open. */
export async function openNativeEngine(): Promise<boolean> {
  // tfjs-node calls two functions that Node 24 no longer has.
  Object.assign(util, { isNullOrUndefined: (value: unknown) => value === null || value === undefined, isArray: Array.isArray })
  try {
    await import('@tensorflow/tfjs-node-gpu' as string)
  } catch (thrown) {
    console.warn(`native engine not installed, its tests are skipped: ${String(thrown).split('\n')[0]}`)
    return false
  }
  await tf.ready()
  return tf.getBackend() === 'tensorflow'
}
