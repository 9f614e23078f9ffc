// What is measured side by side, and what bench.ts and its processes say to each other.

import type { BackendPreference, ExecutionMode, Precision } from '../../src-main/domain/device.ts'

export interface Case {
  readonly configuration: 'tiny' | 'small'
  readonly objective: 'sft' | 'dpo'
  readonly engine: Extract<BackendPreference, 'native' | 'wasm'>
  readonly mode: ExecutionMode
  readonly precision: Precision
  /** automatic: TensorFlow.js's own gradients, kernel by kernel, which is what a step costs without the lab's. */
  readonly gradients: 'written' | 'automatic'
  readonly checkpointing: boolean
  /** Where programs are kept; null: recorded anew. */
  readonly cache: string | null
}

export type ToCase = { readonly kind: 'steps'; readonly count: number } | { readonly kind: 'end' }

export interface Ready {
  readonly kind: 'ready'
  readonly device: string
  readonly gpu: boolean
  readonly mode: ExecutionMode
  readonly numTokens: number
  /** Recording, writing, loading, compiling and running the first step. */
  readonly firstMs: number
  /** Resident before the first step: runtime, engine, weights. */
  readonly baseMb: number
  /** Kernels of an eager step, and the floating-point operations in its matrix products. */
  readonly operations: number | null
  readonly flops: number | null
  /** Floating-point operations a second on one large product. */
  readonly peakMatmul: number | null
}

export interface Taken {
  readonly kind: 'taken'
  readonly ms: readonly number[]
  /** Of all threads, user and system. */
  readonly cpuMs: readonly number[]
  readonly residentMb: number
}

export interface Ended {
  readonly kind: 'ended'
  readonly peakMb: number
  readonly deviceMb: number | null
  readonly tensorsLeaked: number
  readonly firstLoss: number
  readonly lastLoss: number
}

export type FromCase = Ready | Taken | Ended

/** A short name for a row of the table. */
export function nameOf({ engine, mode, precision, gradients }: Case): string {
  const words = [mode, ...(precision === 'float32' ? [] : ['bf16']), ...(gradients === 'written' ? [] : ["TensorFlow.js's gradients"])]
  return engine === 'native' ? words.join(', ') : `${engine}, ${words.join(', ')}`
}
