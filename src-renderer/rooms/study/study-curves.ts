// The training phases of a study as curves: which runs belong to a stage, and how each is drawn. An arm keeps its colour
// over all seeds; seeds differ in the dash.

import type { Series } from '../../../src-main/domain/run-view.ts'
import type { PhaseRow } from '../../../src-main/domain/study-view.ts'
import type { EncoderName, EncoderNames, StudyConfig } from '../../../src-main/domain/study.ts'
import type { ChartTheme } from '../../charts/chart-theme.ts'
import type { Curve } from '../../charts/curve-chart.ts'
import { chartsWatched, MAIN_METRICS, withMeasured } from '../../charts/training-charts.ts'
import { EARLY_STAGES, encoderOf, isEarly } from './phase-matrix.ts'

export const SHOWN_STAGES = ['stage-2', 'common-start', 'transplant'] as const
export type ShownStage = (typeof SHOWN_STAGES)[number]

export interface StudyRun {
  readonly runId: string
  readonly seed: number
  readonly encoder: EncoderName
  readonly stage: NonNullable<PhaseRow['stage']>
  readonly name: string
}

const DASHES = ['solid', 'dashed', 'dotted'] as const

/** Runs of a stage that have begun, in the order of the plan; `seed` null: of every seed. */
export function runsOfStage(phases: readonly PhaseRow[], stage: ShownStage, seed: number | null, names: EncoderNames): readonly StudyRun[] {
  return phases.flatMap((phase) => {
    if (phase.kind !== 'train' || phase.runId === null || phase.seed === null || phase.stage === null) return []
    if (stageOf(phase.stage) !== stage || (seed !== null && phase.seed !== seed)) return []
    const encoder = encoderOf(phase) ?? 'stage-1'
    const name = `${EARLY_STAGES[phase.stage]?.curve ?? names[encoder]}, seed ${phase.seed}`
    return [{ runId: phase.runId, seed: phase.seed, encoder, stage: phase.stage, name }]
  })
}

export function studyCurves(
  runs: readonly StudyRun[],
  series: ReadonlyMap<string, readonly Series[]>,
  metric: string,
  theme: ChartTheme,
): readonly Curve[] {
  const seeds = [...new Set(runs.map((run) => run.seed))]
  return runs.flatMap((run) => {
    const points = series.get(run.runId)?.find((each) => each.name === metric)?.points
    if (points === undefined || points.length === 0) return []
    // The early stages share seed and colour: there the dash says the stage.
    const dash = EARLY_STAGES[run.stage]?.dash ?? DASHES[seeds.indexOf(run.seed) % DASHES.length]!
    return [{ name: run.name, color: theme.encoders[run.encoder], points, dash }]
  })
}

/** What is drawn of a stage: only the two arms are measured while they train. */
export function metricsOfStage(stage: ShownStage, watch: StudyConfig['watch']): readonly string[] {
  if (stage !== 'stage-2' || watch === null) return MAIN_METRICS
  return withMeasured(MAIN_METRICS, chartsWatched(watch).map(({ metric }) => metric))
}

function stageOf(stage: NonNullable<PhaseRow['stage']>): ShownStage {
  if (isEarly(stage)) return 'common-start'
  return stage === 'transplant' ? 'transplant' : 'stage-2'
}
