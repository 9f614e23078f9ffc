// Who asked work to stop, and for what: a pause and a cancel travel the same way (an aborted signal) and end differently.

import { toFailure, type Failure } from '../domain/errors.ts'

export interface StopRequest {
  readonly signal: AbortSignal
  readonly asked: 'pause' | 'cancel' | null
  ask(what: 'pause' | 'cancel'): void
}

export function createStopRequest(): StopRequest {
  const controller = new AbortController()
  let asked: StopRequest['asked'] = null
  return {
    signal: controller.signal,
    get asked() {
      return asked
    },
    ask(what) {
      // A cancel may follow a pause that has not come through yet, never the other way round.
      if (asked !== 'cancel') asked = what
      controller.abort()
    },
  }
}

export type Ending =
  | { readonly status: 'finished' }
  | { readonly status: 'paused' }
  | { readonly status: 'cancelled' }
  | { readonly status: 'failed'; readonly failure: Failure }

/** What a thrown value means, given what was asked. A fault of its own stays a fault even while a stop is on its way. */
export function endingOf(thrown: unknown, stop: StopRequest): Ending {
  const failure = toFailure(thrown)
  if (failure.code === 'cancelled') return stop.asked === 'pause' ? { status: 'paused' } : { status: 'cancelled' }
  return { status: 'failed', failure }
}
