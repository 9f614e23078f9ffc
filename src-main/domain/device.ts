// Which engine a job may run on, and how its steps are executed. `auto` takes the native TensorFlow library when it
// loads, WebAssembly otherwise; and compiles steps where that can be done and pays.

import { z } from 'zod'

export const BACKENDS = ['auto', 'native', 'wasm', 'cpu'] as const
export const backendPreferenceSchema = z.enum(BACKENDS)
export type BackendPreference = z.output<typeof backendPreferenceSchema>

/** eager: op by op; graph: one recorded TensorFlow graph; xla: the same, compiled by XLA. */
export const EXECUTION_MODES = ['eager', 'graph', 'xla'] as const
export const executionModeSchema = z.enum(EXECUTION_MODES)
export type ExecutionMode = z.output<typeof executionModeSchema>

/** Of matrix products in compiled steps. Weights, moments, sums and everything else are float32 in either. */
export const PRECISIONS = ['float32', 'bfloat16'] as const
export const precisionSchema = z.enum(PRECISIONS)
export type Precision = z.output<typeof precisionSchema>

/** How steps run, for a person. */
export function executionWords(mode: ExecutionMode, precision: Precision): string {
  const words = { eager: 'eagerly, operator by operator', graph: 'compiled as a TensorFlow graph', xla: 'compiled by XLA' }[mode]
  return `${words}, ${precision === 'float32' ? 'float32' : 'matrix products in bfloat16'}`
}

export const executionPreferenceSchema = z.enum(['auto', ...EXECUTION_MODES])
export type ExecutionPreference = z.output<typeof executionPreferenceSchema>
