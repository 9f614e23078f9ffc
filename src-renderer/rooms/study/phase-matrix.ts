// The phases of a study as a table: what is done down the side, one column a seed. Fifty phases become a dozen rows.

import type { PhaseRow } from '../../../src-main/domain/study-view.ts'
import { encoderLabels } from '../../ui/encoder-labels.ts'

export interface PhaseLine {
  readonly key: string
  readonly title: string
  /** One a seed, in the order of the seeds; null where a seed has no such phase. */
  readonly cells: readonly (PhaseRow | null)[]
}

export interface PhaseMatrix {
  readonly seeds: readonly number[]
  /** Phases that serve every seed: making the data, the tokenizer. */
  readonly shared: readonly PhaseRow[]
  readonly lines: readonly PhaseLine[]
}

export function phaseMatrix(phases: readonly PhaseRow[]): PhaseMatrix {
  const ordered = [...phases].sort((a, b) => a.ordinal - b.ordinal)
  const seeds = [...new Set(ordered.flatMap((phase) => (phase.seed === null ? [] : [phase.seed])))]
  const keys = [...new Set(ordered.filter((phase) => phase.seed !== null).map(keyOf))]
  return {
    seeds,
    shared: ordered.filter((phase) => phase.seed === null),
    lines: keys.map((key) => {
      const cells = seeds.map((seed) => ordered.find((phase) => phase.seed === seed && keyOf(phase) === key) ?? null)
      return { key, title: titleOf(cells.find((phase) => phase !== null)!), cells }
    }),
  }
}

/** The id without its seed: "seed-0/sft/evaluate" → "sft/evaluate". */
function keyOf(phase: PhaseRow): string {
  return phase.id.replace(/^seed-\d+\//, '')
}

function titleOf(phase: PhaseRow): string {
  const encoder = phase.encoder === null ? '' : encoderLabels[phase.encoder]
  if (phase.kind === 'export') return `Export the ${encoder} encoder`
  if (phase.kind === 'evaluate') return /transplant/.test(phase.id) ? `Measure the ${encoder} transplant` : `Measure the ${encoder} encoder`
  switch (phase.stage) {
    case 'alignment':
      return 'Stage 1a: align the projector'
    case 'instruction':
      return 'Stage 1b: instruct end to end'
    case 'sft':
      return 'Stage 2: SFT on chosen answers'
    case 'dpo':
      return 'Stage 2: DPO on the pairs'
    case 'transplant': {
      const of = /^(stage-1|sft|dpo)\//.exec(keyOf(phase))?.[1]
      const name = encoder || (of === undefined ? '' : encoderLabels[of as 'stage-1' | 'sft' | 'dpo'])
      return `Transplant the ${name} encoder`.replace('  ', ' ')
    }
    default:
      return phase.title.replace(/^Seed \d+: /, '')
  }
}

/** Share of a phase that is done, 0 to 1. */
export function phaseShare(phase: PhaseRow): number {
  if (phase.status === 'finished') return 1
  return phase.of > 0 ? Math.min(1, phase.done / phase.of) : 0
}
