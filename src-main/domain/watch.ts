// What is measured of a run while it trains, as a person asks for it: the evaluators of a study, the probes of `lab probe` on data of
// one's own, or both. Numbers are logged under the names that evaluations have, so nothing may be measured twice.

import { z } from 'zod'
import { evaluationSchema, EVALUATORS, type Evaluator } from './evaluation.ts'
import { probeSettingsSchema } from './probe.ts'
import type { DatasetKind } from './sample.ts'

const fields = {
  everyCheckpoints: z.int().min(1).default(1).meta({ label: 'Every so many checkpoints' }),
  evaluators: z.array(z.enum(EVALUATORS)).default(['probe']).meta({ label: 'What is measured' }),
  probes: z
    .strictObject({
      dataset: z.string().min(1).meta({ label: 'Labelled pictures', help: 'a dataset with a class for each picture, or with annotated objects' }),
      settings: probeSettingsSchema.prefault({ limit: { train: 2000, validation: 500, test: 500 } }),
    })
    .nullable()
    .default(null)
    .meta({ label: 'Probes on a dataset', help: 'the probes of `lab probe`, on the encoder alone' }),
}

interface Asked {
  readonly evaluators: readonly Evaluator[]
  readonly probes: { readonly settings: { readonly probes: readonly string[] } } | null
}

/** Evaluators whose numbers the probes would log under the same names. */
function measuredTwice({ evaluators, probes }: Asked): readonly Evaluator[] {
  const classifies = probes?.settings.probes.some((probe) => probe !== 'segmentation' && probe !== 'zero-shot') === true
  const segments = probes?.settings.probes.includes('segmentation') === true
  return evaluators.filter((evaluator) => (evaluator === 'probe' && classifies) || (evaluator === 'segmentation' && segments))
}

const withRules = <Schema extends z.ZodType<Asked>>(schema: Schema) =>
  schema
    .refine(({ evaluators, probes }) => evaluators.length > 0 || probes !== null, { path: ['evaluators'], message: 'expected something to measure: an evaluator, or probes on a dataset' })
    .refine((asked) => measuredTwice(asked).length === 0, {
      path: ['evaluators'],
      message: 'expected nothing that the probes on a dataset measure too, under the same names: leave out "probe", or "segmentation"',
    })

/** Of a study, whose evaluation names data and settings. */
export const watchSchema = withRules(z.strictObject(fields))

const dataset = (label: string) => z.string().min(1).nullable().default(null).meta({ label })

/** Of a run on its own. */
export const runWatchSchema = withRules(
  z.strictObject({
    ...fields,
    data: z
      .strictObject({ questions: dataset('Questions'), preferences: dataset('Held-out preferences'), objects: dataset('Objects'), captions: dataset('Captions') })
      .prefault({})
      .meta({ label: 'Measured on' }),
    settings: evaluationSchema.prefault({}).meta({ label: 'How it is measured' }),
  }),
)
export type RunWatch = z.output<typeof runWatchSchema>

/** What each kind of data for measurements must hold. */
export const MEASURED_KINDS: Readonly<Record<keyof RunWatch['data'], DatasetKind>> = { questions: 'questions', preferences: 'preferences', objects: 'objects', captions: 'conversations' }

/** Which data an evaluator cannot do without. */
export const MEASURED_ON: Readonly<Record<Evaluator, keyof RunWatch['data']>> = {
  questions: 'questions',
  preferences: 'preferences',
  probe: 'objects',
  segmentation: 'objects',
  localisation: 'preferences',
  alignment: 'captions',
}
