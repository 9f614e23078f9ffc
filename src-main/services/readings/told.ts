// How far a walk over samples is.

import type { ReadingProgress } from '../../domain/reading.ts'

/** Between two of its words a reading cannot be stopped. */
const SAMPLES_A_TURN = 2000

/** Counts samples; every few thousand it is told. */
export function createCounter(of: number) {
  let done = 0
  return {
    /** null: nothing to tell yet. */
    next: (): ReadingProgress | null => (++done % SAMPLES_A_TURN === 0 ? { kind: 'progress', done, of: Math.max(of, done) } : null),
  }
}
