// A sweep: trainings over a grid of settings, each measured by one score, under a budget and a rule that stops hopeless settings,
// both stated before the first training. Score against data size for SFT and DPO is the paper's Figure 5 (arXiv 2510.16333).

import { z } from 'zod'
import { LabError } from './errors.ts'
import { evaluationSchema, type Evaluator } from './evaluation.ts'
import { freshModelsSchema } from './fresh-models.ts'
import { metricNamed } from './metric.ts'
import { trainingSchema } from './run-config.ts'
import { oneSampleT, withinShare } from './statistics/intervals.ts'

const grid = <T extends z.ZodType>(of: T, label: string, help: string) => z.array(of).min(1).max(32).meta({ label, help })

/** One objective of the sweep with the settings that are its own to vary. */
export const sweepArmSchema = z.strictObject({
  /** "SFT", "DPO": unique. */
  label: z.string().min(1).max(60),
  training: trainingSchema,
  learningRates: grid(z.number().min(0).max(1), 'Learning rates', "each objective has its own best one").nullable().default(null),
  betas: grid(z.number().positive(), 'β', 'of objectives that have one').nullable().default(null),
})

export const sweepSettingsSchema = z.strictObject({
  arms: z.array(sweepArmSchema).min(1).max(8).refine((all) => new Set(all.map(({ label }) => label)).size === all.length, 'expected every label once'),
  /** Samples drawn from the training split, smaller sets inside larger ones; null: all. */
  dataSizes: grid(z.int().min(1).nullable(), 'Data sizes', 'samples trained on; empty: all').default([null]),
  /** Passes over the data drawn; null: the arm's own number of steps, whatever the data size. */
  epochs: z.number().positive().nullable().default(null).meta({ label: 'Passes over the data' }),
  seeds: z.array(z.int().min(0)).min(1).max(32).default([0]),
  /** Further models to start from, made for the sweep: one a size and seed. null: those that are named. */
  fresh: freshModelsSchema.nullable().default(null),
  /** Nothing is begun beyond either. Trainings that make a fresh model count as well. */
  budget: z
    .strictObject({ runs: z.int().min(1).default(64).meta({ label: 'Runs' }), hours: z.number().positive().nullable().default(null).meta({ label: 'Hours of training' }) })
    .prefault({}),
  /**
   * After each seed: a setting whose mean score is further than this below the best of its objective, start and data size gets no
   * further seed; null: every setting gets every seed.
   */
  stopMargin: z.number().min(0).nullable().default(null).meta({ label: 'Stop settings behind by' }),
  /** What decides: a metric that one evaluator yields, higher is better. */
  metric: z.string().default('vqa/all').meta({ label: 'Score' }),
  evaluation: evaluationSchema.prefault({}),
})
export type SweepSettings = z.output<typeof sweepSettingsSchema>

/** One training to be done. */
export interface SweepCell {
  readonly arm: string
  readonly start: string
  readonly dataSize: number | null
  readonly learningRate: number
  readonly beta: number | null
}

/** Parameters of the model that a training starts from. */
const sweepSizeSchema = z.strictObject({ visionEncoder: z.int(), languageModel: z.int() })
export type SweepSize = z.output<typeof sweepSizeSchema>
export const SIZED_MODULES = ['visionEncoder', 'languageModel'] as const satisfies readonly (keyof SweepSize)[]

export const sweepPointSchema = z.strictObject({
  arm: z.string(),
  start: z.string(),
  /** null: not known, as of sweeps from before it was kept. */
  size: sweepSizeSchema.nullable().default(null),
  dataSize: z.int().nullable(),
  learningRate: z.number(),
  beta: z.number().nullable(),
  seed: z.int(),
  runId: z.string(),
  evaluationId: z.string(),
  score: z.number(),
})
export type SweepPoint = z.output<typeof sweepPointSchema>

/** What a setting comes to: mean over seeds of the best setting; its limits at 95 %, null below two seeds. */
const bestSettingSchema = z.strictObject({
  value: z.number(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  seeds: z.int(),
  learningRate: z.number(),
  beta: z.number().nullable(),
})

export const sweepCurveSchema = z.strictObject({
  arm: z.string(),
  start: z.string(),
  points: z.array(bestSettingSchema.extend({ dataSize: z.int().nullable() })),
})
export type SweepCurve = z.output<typeof sweepCurveSchema>

/** Score against the size of one module, the other and the data being the same all along. */
export const sizeCurveSchema = z.strictObject({
  of: z.enum(SIZED_MODULES),
  arm: z.string(),
  dataSize: z.int().nullable(),
  /** Parameters of the module that stays. */
  other: z.int(),
  points: z.array(bestSettingSchema.extend({ parameters: z.int(), start: z.string() })),
})
export type SizeCurve = z.output<typeof sizeCurveSchema>

const EVALUATOR_OF: Readonly<Record<string, Evaluator>> = {
  vqa: 'questions',
  preference: 'preferences',
  probe: 'probe',
  segmentation: 'segmentation',
  localisation: 'localisation',
  alignment: 'alignment',
}

/** Who yields a metric. @throws LabError 'invalid-input' listing what can be measured */
export function evaluatorOf(metric: string): Evaluator {
  const found = EVALUATOR_OF[metric.split('/')[0]!]
  if (found === undefined)
    throw new LabError('invalid-input', `metric: expected one that begins with ${Object.keys(EVALUATOR_OF).map((each) => `"${each}/"`).join(', ')}, got "${metric}"`)
  return found
}

/** Every setting of the grid, in the order in which they are trained. */
export function sweepCells({ arms, dataSizes }: Pick<SweepSettings, 'arms' | 'dataSizes'>, starts: readonly string[]): readonly SweepCell[] {
  return starts.flatMap((start) =>
    dataSizes.flatMap((dataSize) =>
      arms.flatMap(({ label, training, learningRates, betas }) =>
        (learningRates ?? [training.learningRate]).flatMap((learningRate) =>
          (betas ?? ['beta' in training.objective ? training.objective.beta : null]).map((beta) => ({ arm: label, start, dataSize, learningRate, beta })),
        ),
      ),
    ),
  )
}

export const isCell = (cell: SweepCell) => (point: SweepCell) =>
  point.arm === cell.arm && point.start === cell.start && point.dataSize === cell.dataSize && point.learningRate === cell.learningRate && point.beta === cell.beta

const meanOf = (points: readonly SweepPoint[]) => points.reduce((sum, { score }) => sum + score, 0) / points.length

/** The cells that the rule lets go on: not further than `margin` behind the best mean of their objective, start and data size. */
export function stillRunning(cells: readonly SweepCell[], points: readonly SweepPoint[], margin: number | null): readonly SweepCell[] {
  if (margin === null) return cells
  const means = cells.map((cell) => {
    const own = points.filter(isCell(cell))
    return own.length === 0 ? null : meanOf(own)
  })
  return cells.filter((cell, i) => {
    const rivals = cells.flatMap((other, j) => (other.arm === cell.arm && other.start === cell.start && other.dataSize === cell.dataSize && means[j] !== null ? [means[j]!] : []))
    return means[i] === null || means[i]! >= Math.max(...rivals) - margin
  })
}

/** Score against data size, a curve an objective and start: at each size the setting with the best mean over its seeds. */
export function sweepCurves(points: readonly SweepPoint[], metric: string): readonly SweepCurve[] {
  const curves = Map.groupBy(points, ({ arm, start }) => JSON.stringify([arm, start]))
  return [...curves.values()].map((of): SweepCurve => {
    const sizes = [...Map.groupBy(of, ({ dataSize }) => dataSize).entries()].toSorted(([a], [b]) => (a ?? Infinity) - (b ?? Infinity))
    return { arm: of[0]!.arm, start: of[0]!.start, points: sizes.map(([dataSize, all]) => ({ dataSize, ...bestSetting(all, metric) })) }
  })
}

/** Score against the size of the encoder, and of the language model: a curve an objective, wherever two sizes or more can be compared. */
export function sizeCurves(points: readonly SweepPoint[], metric: string): readonly SizeCurve[] {
  return SIZED_MODULES.flatMap((of) => {
    const other = of === 'visionEncoder' ? 'languageModel' : 'visionEncoder'
    const sized = points.filter((point): point is SweepPoint & { readonly size: SweepSize } => point.size !== null)
    const curves = Map.groupBy(sized, ({ arm, dataSize, size }) => JSON.stringify([arm, dataSize, size[other]]))
    return [...curves.values()].flatMap((all): SizeCurve[] => {
      const { arm, dataSize, size } = all[0]!
      const sizes = [...Map.groupBy(all, (point) => point.size[of]).entries()].toSorted(([a], [b]) => a - b)
      if (sizes.length < 2) return []
      return [{ of, arm, dataSize, other: size[other], points: sizes.map(([parameters, at]) => ({ parameters, start: at[0]!.start, ...bestSetting(at, metric) })) }]
    })
  })
}

/** Of trainings that differ in setting and seed. */
function bestSetting(points: readonly SweepPoint[], metric: string): z.output<typeof bestSettingSchema> {
  const settings = [...Map.groupBy(points, ({ start, learningRate, beta }) => JSON.stringify([start, learningRate, beta])).values()]
  const best = settings.reduce((a, b) => (meanOf(b) > meanOf(a) ? b : a))
  const ofT = best.length < 2 ? null : oneSampleT(best.map(({ score }) => score)).interval
  const interval = ofT !== null && metricNamed(metric).unit === 'share' ? withinShare(ofT) : ofT
  const { learningRate, beta } = best[0]!
  return { value: meanOf(best), low: interval?.low ?? null, high: interval?.high ?? null, seeds: best.length, learningRate, beta }
}
