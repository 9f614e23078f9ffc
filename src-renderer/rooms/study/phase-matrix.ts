// The phases of a study as a chart of seeds by steps: one line a seed, one column a kind of phase, so that fifty phases
// stand in a few lines. Columns are grouped by what is done; within a group they are told apart by encoder.

import type { PhaseRow } from '../../../src-main/domain/study-view.ts'
import type { EncoderName, StageName } from '../../../src-main/domain/study.ts'

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

const GROUP_ORDER = ['Common start', 'Stage 2', 'Measure', 'Export', 'Transplant', 'Measure transplant']

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
    groups: [...groups].map(([title, columns]) => ({ title, columns })).sort((a, b) => place(a.title) - place(b.title)),
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
  if (isEarly(phase.stage)) return 'stage-1'
  return (/(?:^|\/)(stage-1|sft|dpo)(?:\/|$)/.exec(keyOf(phase))?.[1] as EncoderName | undefined) ?? null
}

/** Stages before the arms part: how a column and a curve are called, and how the curve is drawn. */
export const EARLY_STAGES: Partial<
  Readonly<Record<StageName, { readonly column: string; readonly curve: string; readonly dash: 'solid' | 'dashed' | 'dotted' }>>
> = {
  language: { column: '0 text', curve: 'Stage 0, text', dash: 'dotted' },
  pretraining: { column: '0 sight', curve: 'Stage 0, sight', dash: 'dotted' },
  alignment: { column: '1a', curve: 'Stage 1a', dash: 'dashed' },
  instruction: { column: '1b', curve: 'Stage 1b', dash: 'solid' },
}

/** True of every training from which both arms start. */
export function isEarly(stage: StageName | null): boolean {
  return stage !== null && stage !== 'sft' && stage !== 'dpo' && stage !== 'transplant'
}

function columnOf(phase: PhaseRow): PhaseColumn {
  if (phase.stage !== null && isEarly(phase.stage))
    return { key: keyOf(phase), label: EARLY_STAGES[phase.stage]?.column ?? phase.stage, encoder: null }
  return { key: keyOf(phase), label: encoderOf(phase) === null ? phase.title : '', encoder: encoderOf(phase) }
}

function groupOf(phase: PhaseRow): string {
  if (phase.kind === 'export') return 'Export'
  if (phase.kind === 'evaluate') return /transplant/.test(keyOf(phase)) ? 'Measure transplant' : 'Measure'
  if (phase.stage === 'transplant') return 'Transplant'
  return isEarly(phase.stage) ? 'Common start' : phase.kind === 'train' ? 'Stage 2' : 'Other'
}

function place(title: string): number {
  const found = GROUP_ORDER.indexOf(title)
  return found < 0 ? GROUP_ORDER.length : found
}

/** The id without its seed: "seed-0/sft/evaluate" → "sft/evaluate". */
function keyOf(phase: PhaseRow): string {
  return phase.id.replace(/^seed-\d+\//, '')
}
