// Which tensors the native engine still keeps as arrays in JavaScript: it would copy each when an operator first meets it.

import type * as tf from '@tensorflow/tfjs'
import { nativeBackend } from '../../src-main/engine/compile/native-backend.ts'

/** Names of those of more than one number. */
export function heldAsArrays(tensors: Readonly<Record<string, tf.Tensor>>): readonly string[] {
  const { tensorMap } = nativeBackend()
  return Object.keys(tensors).filter((name) => tensors[name]!.size > 1 && tensorMap.get(tensors[name]!.dataId).values !== null)
}
