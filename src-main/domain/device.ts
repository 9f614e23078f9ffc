// Which engine a job may run on. `auto` takes the native TensorFlow library when it loads, WebAssembly otherwise.

import { z } from 'zod'

export const BACKENDS = ['auto', 'native', 'wasm', 'cpu'] as const
export const backendPreferenceSchema = z.enum(BACKENDS)
export type BackendPreference = z.output<typeof backendPreferenceSchema>
