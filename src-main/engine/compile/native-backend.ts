// The part of tfjs-node's backend that recording and replaying use. These are methods of NodeJSKernelBackend 4.22.0 without
// published types, hence one place that names them; the engine gets the object from TensorFlow.js and imports no addon.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'

export interface NativeTensor {
  readonly shape: number[]
  readonly dtype: number
  /** −1 until the values have been handed to TensorFlow. */
  readonly id: number
  /** Values made in JavaScript that no operator has used yet. */
  readonly values: tf.BackendValues | null
}

export interface NativeAttribute {
  readonly name: string
  readonly type: number
  readonly value: unknown
}

export interface NativeBackend {
  readonly binding: Readonly<Record<string, number>> & { tensorDataSync(id: number): tf.BackendValues }
  readonly isUsingGpuDevice: boolean
  readonly tensorMap: { get(dataId: object): NativeTensor; has(dataId: object): boolean }
  executeSingleOutput(operator: string, attributes: NativeAttribute[], inputs: tf.TensorInfo[]): tf.Tensor
  executeMultipleOutputs(operator: string, attributes: NativeAttribute[], inputs: tf.TensorInfo[], outputs: number): tf.Tensor[]
  readSync(dataId: object): tf.BackendValues
  write(values: tf.BackendValues | null, shape: number[], dtype: tf.DataType): object
  loadSavedModelMetaGraph(folder: string, tags: string): number
  runSavedModel(session: number, inputs: tf.Tensor[], infos: { readonly name: string }[], outputs: string[]): tf.Tensor[]
  deleteSavedModel(session: number): void
  getNumOfSavedModels(): number
}

export function hasNativeBackend(): boolean {
  return tf.getBackend() === 'tensorflow'
}

/** @throws LabError 'engine-missing' where another backend is in use */
export function nativeBackend(): NativeBackend {
  if (!hasNativeBackend())
    throw new LabError(
      'engine-missing',
      `a compiled step needs the native engine (backend 'tensorflow'), found '${tf.getBackend()}'`,
    )
  return tf.backend() as unknown as NativeBackend
}
