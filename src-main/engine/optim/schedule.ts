// The learning rate over a run, as a factor of its peak.

import type { Training } from '../../domain/run-config.ts'

/**
 * Linear warm-up, then constant, a line or half a cosine to zero, as Hugging Face's schedulers compute it: the first step uses
 * the factor of step 0, so with warm-up its learning rate is zero.
 * @param step  optimiser steps already taken, from 0
 * @returns in [0, 1]
 */
export function scheduleFactor({ schedule, warmupRatio, steps }: Pick<Training, 'schedule' | 'warmupRatio' | 'steps'>, step: number): number {
  const warmup = Math.ceil(warmupRatio * steps)
  if (step < warmup) return step / Math.max(1, warmup)
  if (schedule === 'constant') return 1
  const progress = (step - warmup) / Math.max(1, steps - warmup)
  return Math.max(0, schedule === 'linear' ? 1 - progress : 0.5 * (1 + Math.cos(Math.PI * progress)))
}
