// Watches what a run of pairs logs for two signs that it learns something else than what was meant, and says so once, with what
// may help. It decides nothing: the run goes on.

import type { ObjectiveConfig } from '../domain/objective-config.ts'

/** Steps over which a sign must hold: one batch says little. */
const WINDOW = 5
/** Pairs that are told apart within so many steps hold no more than a surface difference. */
const EARLY_STEPS = 50
/** Of the first loss: what is as good as nothing left to learn. */
const NOTHING_LEFT = 0.05
/** By how much the chosen answers may become less likely, in nats: at 5 they have 1/150 of their probability. */
const FALL_NATS = 5

export type StepMetrics = Readonly<Record<string, number>>

/** Takes the metrics of each step, in order; gives the warnings that they call for, each once. */
export function createPreferenceWatch(config: ObjectiveConfig): (step: number, metrics: StepMetrics) => readonly string[] {
  if (config.kind !== 'dpo' && config.kind !== 'mpo' && config.kind !== 'kto') return () => []
  const { beta } = config
  const recent: StepMetrics[] = []
  const said = new Set<string>()
  let firstLoss: number | null = null
  const once = (sign: string, holds: boolean, message: () => string): string[] => {
    if (!holds || said.has(sign)) return []
    said.add(sign)
    return [message()]
  }
  return (step, metrics) => {
    firstLoss ??= metrics['loss']!
    recent.push(metrics)
    if (recent.length > WINDOW) recent.shift()
    if (recent.length < WINDOW) return []
    const every = (holds: (of: StepMetrics) => boolean) => recent.every(holds)
    const mean = (name: string) => recent.reduce((sum, each) => sum + each[name]!, 0) / WINDOW
    const enough = firstLoss * NOTHING_LEFT
    const isDegenerate = step <= EARLY_STEPS && every((each) => each['rewards/accuracies'] === 1 && each['loss']! < enough)
    // The reward of the same pairs against the reference: log-probabilities alone change with the pairs of a batch.
    const fall = -mean('rewards/chosen') / beta
    return [
      ...once('degenerate', isDegenerate, () =>
        `after ${step} steps every chosen answer is preferred and the loss is ${Math.round((100 * mean('loss')) / firstLoss!)} % of the first: the pairs may differ in something that needs no image (length, a phrase, a style). Audit whether the pairs need their image, or choose rejected answers that are nearer misses.`,
      ),
      ...once('chosen falls', fall > FALL_NATS && mean('rewards/margins') > 0, () =>
        `the margin grows while chosen answers lose likelihood: by step ${step} they have fallen ${fall.toFixed(1)} nats below the reference, and rejected ones further. ` +
        'The loss asks for the difference alone (arXiv 2402.13228). To hold the chosen answers up, give rpoAlpha a value (0.1 to 1), take the loss apo_zero, or raise beta.',
      ),
    ]
  }
}
