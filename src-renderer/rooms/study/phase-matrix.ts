// The phases of a study as a chart of seeds by steps: one line a seed, one column a kind of phase, so that fifty phases
// stand in a few lines. Columns are grouped by what is done; within a group they are told apart by encoder.

import type { PhaseRow } from '../../../src-main/domain/study-view.ts'
import type { EncoderName } from '../../../src-main/domain/study.ts'

export interface PhaseColumn {
  /** The phase's id without its seed: "sft/evaluate". */
  readonly key: string
  readonly label: string
  readonly encoder: EncoderName | null
}

export interface PhaseGroup {
  readonly title: string
  readonly columns: readonly PhaseColumn[]
}

export interface PhaseMatrix {
  readonly seeds: readonly number[]
  /** Phases that serve every seed: making the data, the tokenizer. */
  readonly shared: readonly PhaseRow[]
  readonly groups: readonly PhaseGroup[]
  readonly at: (seed: number, key: string) => PhaseRow | null
}

const GROUP_ORDER = ['Stage 1', 'Stage 2', 'Measure', 'Export', 'Transplant', 'Measure transplant']

export function phaseMatrix(phases: readonly PhaseRow[]): PhaseMatrix {
  const ordered = [...phases].sort((a, b) => a.ordinal - b.ordinal)
  const seeded = ordered.filter((phase) => phase.seed !== null)
  const byPlace = new Map(seeded.map((phase) => [`${phase.seed} ${keyOf(phase)}`, phase]))
  const groups = new Map<string, PhaseColumn[]>()
  for (const phase of seeded) {
    const columns = groups.get(groupOf(phase)) ?? []
    if (!columns.some((column) => column.key === keyOf(phase))) columns.push(columnOf(phase))
    groups.set(groupOf(phase), columns)
  }
  return {
    seeds: [...new Set(seeded.map((phase) => phase.seed!))],
    shared: ordered.filter((phase) => phase.seed === null),
    groups: [...groups]
      .map(([title, columns]) => ({ title, columns }))
      .sort((a, b) => place(a.title) - place(b.title)),
    at: (seed, key) => byPlace.get(`${seed} ${key}`) ?? null,
  }
}

/** Share of a phase that is done, 0 to 1. */
export function phaseShare(phase: PhaseRow): number {
  if (phase.status === 'finished') return 1
  return phase.of > 0 ? Math.min(1, phase.done / phase.of) : 0
}

/** The encoder a phase is about: named by main, or by the phase's id. */
export function encoderOf(phase: PhaseRow): EncoderName | null {
  if (phase.encoder !== null) return phase.encoder
  if (phase.stage === 'sft' || phase.stage === 'dpo') return phase.stage
  if (phase.stage === 'pretraining' || phase.stage === 'language' || phase.stage === 'alignment' || phase.stage === 'instruction') return 'stage-1'
  return (/(?:^|\/)(stage-1|sft|dpo)(?:\/|$)/.exec(keyOf(phase))?.[1] as EncoderName | undefined) ?? null
}

/** Stages before the arms part; their column's full title is said on hover. */
const STAGE_LABELS: Partial<Readonly<Record<NonNullable<PhaseRow['stage']>, string>>> = { pretraining: '0', alignment: '1a', instruction: '1b' }

function columnOf(phase: PhaseRow): PhaseColumn {
  const label = phase.stage === null ? '' : (STAGE_LABELS[phase.stage] ?? '')
  return { key: keyOf(phase), label: label || (encoderOf(phase) === null ? phase.title : ''), encoder: label === '' ? encoderOf(phase) : null }
}

function groupOf(phase: PhaseRow): string {
  if (phase.kind === 'export') return 'Export'
  if (phase.kind === 'evaluate') return /transplant/.test(keyOf(phase)) ? 'Measure transplant' : 'Measure'
  if (phase.stage === 'transplant') return 'Transplant'
  return phase.stage === 'sft' || phase.stage === 'dpo' ? 'Stage 2' : phase.kind === 'train' ? 'Stage 1' : 'Other'
}

function place(title: string): number {
  const found = GROUP_ORDER.indexOf(title)
  return found < 0 ? GROUP_ORDER.length : found
}

/** The id without its seed: "seed-0/sft/evaluate" → "sft/evaluate". */
function keyOf(phase: PhaseRow): string {
  return phase.id.replace(/^seed-\d+\//, '')
}
