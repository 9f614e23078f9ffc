// Time left, from counted work. A phase that has finished gives the pace (ms a unit) of its like; a phase of a kind not
// yet seen takes the pace of an earlier study, or else the guess below, scaled by how far the guesses have been off so
// far on this machine and configuration.

export interface PhaseWork {
  /** Phases of one key take the same time a unit. */
  readonly paceKey: string
  readonly units: number
  readonly status: 'queued' | 'running' | 'paused' | 'finished' | 'cancelled' | 'failed'
  /** Share done of the phase under way; null while unknown. */
  readonly share: number | null
  readonly workedMs: number
}

export interface Estimate {
  /** Expected duration of each phase, ms, in the order given. */
  readonly expectedMs: readonly number[]
  readonly leftMs: readonly number[]
  readonly totalLeftMs: number
  /** Done share of all expected time. */
  readonly share: number
}

/**
 * Milliseconds a unit on two CPU cores with models of about a million parameters, as the demo study took them on an idle
 * machine: ratios matter, not values.
 */
const GUESS_MS: Readonly<Record<string, number>> = {
  'sight-test': 3.3, // a scene
  tokenizer: 500,
  'train/pretraining': 0.9, // a sample: no language model runs
  'train/language': 8,
  'train/alignment': 6,
  'train/instruction': 8,
  'train/sft': 8,
  'train/dpo': 11, // a pair: two answers, one image
  'train/transplant': 9,
  evaluate: 11_000,
  'evaluate/transplant': 2000,
  export: 200,
}

export function estimateTimeLeft(phases: readonly PhaseWork[], earlierPaces: Readonly<Record<string, number>> = {}): Estimate {
  const finished = phases.filter((phase) => phase.status === 'finished')
  const prior = (key: string) => earlierPaces[key] ?? GUESS_MS[key] ?? 1
  const measured = (key: string): number | null => {
    const like = finished.filter((phase) => phase.paceKey === key)
    const units = sum(like.map((phase) => phase.units))
    return units === 0 ? null : sum(like.map((phase) => phase.workedMs)) / units
  }
  // Also a phase half done tells how far off the guesses are.
  const telling = phases
    .map((phase) => ({ phase, share: phase.status === 'finished' ? 1 : (phase.share ?? 0) }))
    .filter(({ phase, share }) => share >= 0.05 && phase.workedMs > 0)
  const guessed = sum(telling.map(({ phase, share }) => share * phase.units * prior(phase.paceKey)))
  const scale = guessed === 0 ? 1 : sum(telling.map(({ phase }) => phase.workedMs)) / guessed

  const expectedMs = phases.map((phase) => {
    if (phase.status === 'finished') return phase.workedMs
    const expected = phase.units * (measured(phase.paceKey) ?? prior(phase.paceKey) * scale)
    if (phase.share === null || phase.share < 0.05) return Math.max(expected, phase.workedMs)
    // Its own pace counts the more, the further it has come.
    const own = phase.workedMs / phase.share
    return phase.share * own + (1 - phase.share) * Math.max(expected, phase.workedMs)
  })
  const leftMs = phases.map((phase, i) => (phase.status === 'finished' ? 0 : Math.max(0, expectedMs[i]! - phase.workedMs)))
  const total = sum(expectedMs)
  const totalLeftMs = sum(leftMs)
  return { expectedMs, leftMs, totalLeftMs, share: total === 0 ? 0 : Math.min(1, (total - totalLeftMs) / total) }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** Time left of counted work, from its own pace so far; null before the first unit. */
export function timeLeftOfPart(progress: { readonly done: number; readonly of: number } | null, sinceMs: number | null, nowMs: number): number | null {
  if (progress === null || sinceMs === null || progress.done <= 0) return null
  return ((nowMs - sinceMs) / progress.done) * Math.max(0, progress.of - progress.done)
}
