import { expect, it } from 'vitest'
import { encoderNames, studyPlan } from '../../../src-main/domain/study.ts'
import type { PhaseRow } from '../../../src-main/domain/study-view.ts'
import { MAIN_METRICS } from '../../../src-renderer/charts/training-charts.ts'
import { encoderOf, phaseMatrix, phaseShare } from '../../../src-renderer/rooms/study/phase-matrix.ts'
import { metricsOfStage, runsOfStage, studyCurves } from '../../../src-renderer/rooms/study/study-curves.ts'
import { aStudy } from '../a-study.ts'
import { theme } from '../theme.ts'

const config = aStudy({ seeds: [3, 4] })
const names = encoderNames(config)
const base = {
  part: null,
  done: 0,
  of: 0,
  startedAtMs: null,
  finishedAtMs: null,
  workedMs: 0,
  leftMs: null,
  failure: null,
  status: 'queued' as const,
}
const phases: readonly PhaseRow[] = [
  {
    ...base,
    id: 'sight-test',
    ordinal: 0,
    kind: 'sight-test',
    title: 'Sight test',
    seed: null,
    stage: null,
    encoder: null,
    runId: null,
  },
  ...studyPlan(config).map(
    (phase, index): PhaseRow => ({
      ...base,
      id: phase.id,
      ordinal: index + 1,
      kind: phase.kind,
      title: phase.title,
      seed: phase.seed,
      stage: phase.kind === 'train' ? phase.stage : null,
      encoder: phase.kind === 'train' ? null : phase.encoder,
      runId: phase.kind === 'train' ? `run ${phase.id}` : null,
    }),
  ),
]

it('shows every phase of the plan exactly once', () => {
  const matrix = phaseMatrix(phases)
  const columns = matrix.groups.flatMap((group) => group.columns)
  const shown = [...matrix.shared, ...matrix.seeds.flatMap((seed) => columns.map((column) => matrix.at(seed, column.key)))]
  expect(shown.map((phase) => phase?.id).sort()).toEqual(phases.map((phase) => phase.id).sort())
})

it('tells the columns of a group apart: by encoder, or by name', () => {
  for (const group of phaseMatrix(phases).groups) {
    const names = group.columns.map((column) => column.encoder ?? column.label)
    expect(new Set(names).size, group.title).toBe(names.length)
    expect(names, group.title).not.toContain('')
  }
})

it('knows the encoder of a transplant by its phase', () => {
  expect(encoderOf(phases.find((phase) => phase.id === 'seed-3/dpo/transplant')!)).toBe('dpo')
  expect(encoderOf(phases.find((phase) => phase.id === 'seed-4/stage-1/transplant')!)).toBe('stage-1')
})

it('counts a finished phase as whole and one without counted work as not begun', () => {
  expect(phaseShare({ ...phases[1]!, status: 'finished' })).toBe(1)
  expect(phaseShare({ ...phases[1]!, status: 'running' })).toBe(0)
  expect(phaseShare({ ...phases[1]!, status: 'running', done: 30, of: 120 })).toBe(0.25)
})

it('lays both arms of every seed over each other: the colour says the arm, the dash the seed', () => {
  const runs = runsOfStage(phases, 'stage-2', null, names)
  expect(runs.map((run) => [run.seed, run.encoder])).toEqual([
    [3, 'sft'],
    [3, 'dpo'],
    [4, 'sft'],
    [4, 'dpo'],
  ])
  const series = new Map(runs.map((run) => [run.runId, [{ name: 'loss', points: [[1, 1]] as [number, number][] }]]))
  const curves = studyCurves(runs, series, 'loss', theme)
  expect(curves.map((curve) => curve.color)).toEqual([
    theme.encoders.sft,
    theme.encoders.dpo,
    theme.encoders.sft,
    theme.encoders.dpo,
  ])
  expect(new Set(curves.map((curve) => `${curve.color} ${curve.dash}`)).size).toBe(4)
})

it('draws no curve for a metric that an arm does not log', () => {
  const runs = runsOfStage(phases, 'stage-2', 3, names)
  const series = new Map([[runs[1]!.runId, [{ name: 'rewards/margins', points: [[1, 1]] as [number, number][] }]]])
  expect(studyCurves(runs, series, 'rewards/margins', theme).map((curve) => curve.name)).toEqual(['DPO, seed 3'])
})

it('draws what both arms are measured for while they train below their loss, and of nothing else', () => {
  const watching = aStudy({ watch: { evaluators: ['probe', 'questions'] } })
  const shown = metricsOfStage('stage-2', watching.watch)
  expect(shown.slice(0, 6)).toEqual(['loss', 'rewards/margins', 'rewards/accuracies', 'probe/linear', 'probe/knn', 'probe/prototype'])
  expect(shown).toContain('vqa/all')
  expect(shown).not.toContain('segmentation/mean-iou')
  expect(metricsOfStage('stage-2', null)).toEqual(MAIN_METRICS)
  // Stages before the arms, and transplants, are not measured while they train.
  for (const stage of ['common-start', 'transplant'] as const) expect(metricsOfStage(stage, watching.watch)).toEqual(MAIN_METRICS)

  const runs = runsOfStage(phases, 'stage-2', 3, names)
  const series = new Map(runs.map((run) => [run.runId, [{ name: 'probe/linear', points: [[50, 0.4], [100, 0.5]] as [number, number][] }]]))
  expect(studyCurves(runs, series, 'probe/linear', theme).map((curve) => curve.color)).toEqual([theme.encoders.sft, theme.encoders.dpo])
})
