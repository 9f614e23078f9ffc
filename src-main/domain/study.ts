// A study asks PIVOT's question: from one stage-1 model, which post-training makes the vision encoder see better?
// Two arms, the same pairs in the same order, the same start; they may differ in the objective, its settings and the
// learning rate, and in nothing else (arXiv 2510.16333, section 3). `studyPlan` spells the study out as jobs.

import { z } from 'zod'
import { LabError } from './errors.ts'
import { evaluationSchema, EVALUATORS, type Evaluator } from './evaluation.ts'
import { multimodalLmSpecSchema } from './model-spec.ts'
import { learnsFrom, OBJECTIVE_NAMES, SECOND_ARM_OBJECTIVES } from './objective-config.ts'
import { runDecodingSchema } from './preprocess-spec.ts'
import { modelPartsSchema, trainingSchema, type Training } from './run-config.ts'
import { watchSchema } from './watch.ts'

export const ARMS = ['sft', 'dpo'] as const
export type Arm = (typeof ARMS)[number]
/** The encoders that a study measures: the common start, and what each arm makes of it. */
export const ENCODERS = ['stage-1', 'sft', 'dpo'] as const
export type EncoderName = (typeof ENCODERS)[number]
export const encoderNamesSchema = z.strictObject({ 'stage-1': z.string(), sft: z.string(), dpo: z.string() })
/** How the encoders of one study are called. `dpo` is the key of the second arm, whatever it is trained with. */
export type EncoderNames = Readonly<z.output<typeof encoderNamesSchema>>

/** A stage's training settings; the seed is the study's. */
const stage = trainingSchema

export const studyConfigSchema = z.strictObject({
  name: z.string().min(1).max(120).meta({ label: 'Name' }),
  seeds: z
    .array(z.int().min(0))
    .min(1)
    .max(32)
    .refine((seeds) => new Set(seeds).size === seeds.length, 'expected every seed once: a repeated one is no further evidence')
    .meta({ label: 'Seeds', help: 'each seed repeats the whole study; three or more for an interval' }),
  /** What every seed starts from. */
  start: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('scratch') }).meta({ label: 'Random weights' }),
      z
        .strictObject({ kind: z.literal('folder'), folder: z.string().min(1).meta({ label: 'Folder', help: 'a LLaVA-type Hugging Face folder, or a model folder of the lab' }) })
        .meta({ label: 'A model folder' }),
      modelPartsSchema.meta({ label: 'An encoder and a language model' }),
    ])
    .prefault({ kind: 'scratch' })
    .meta({ label: 'Start from', help: 'from folders, stage 0 is left out and `model` is not used' }),
  /** Sizes of a model from random weights. */
  model: multimodalLmSpecSchema.prefault({}),
  /** Dataset names in the project. */
  data: z.strictObject({
    /** Conversations that tell in words what is seen: what a language model from nothing learns to read, without images. */
    texts: z.string(),
    captions: z.string(),
    instructions: z.string(),
    preferences: z.string(),
    heldOutPreferences: z.string(),
    questions: z.string(),
    objects: z.string(),
  }),
  stages: z.strictObject({
    /** 0: a language model from nothing, on text alone; null: random weights. */
    language: stage.nullable().default(null),
    /** 0: an encoder from nothing, on the words of captions; null: random weights. */
    pretraining: stage.nullable().default(null),
    /** 1a: captions, projector only (paper table 4). */
    alignment: stage,
    /** 1b: instructions, end to end. */
    instruction: stage,
    /** 2: one full training per arm; `studyParity` refuses arms that differ where they must not. */
    sft: stage,
    dpo: stage,
  }),
  evaluation: evaluationSchema.prefault({}),
  images: runDecodingSchema,
  watch: watchSchema.nullable().default(null).meta({ label: 'Measure while training', help: 'both arms are measured at their checkpoints, with the settings of the evaluation; it takes time and changes no number of the training' }),
  /** PIVOT's central check: the frozen encoder under a fresh projector and language model. null: left out. */
  transplant: z
    .strictObject({ projectorLayers: z.union([z.literal(0), z.literal(1), z.literal(2)]).default(0), training: stage })
    .nullable()
    .default(null),
})
export type StudyConfig = z.output<typeof studyConfigSchema>

/** The second arm is called by its own objective. */
export function encoderNames({ stages }: StudyConfig): EncoderNames {
  return { 'stage-1': 'Stage 1', sft: OBJECTIVE_NAMES.sft, dpo: OBJECTIVE_NAMES[stages.dpo.objective.kind] }
}

/** The same as the head of a column or within a title: "stage-1", "sft", "simpo". */
export function encoderColumn(encoder: EncoderName, names: EncoderNames): string {
  return encoder === 'stage-1' ? encoder : names[encoder].toLowerCase()
}

/** One line of the parity table: a setting, its value in each arm, and whether a difference is allowed there. */
export interface ParityRow {
  readonly setting: string
  readonly sft: string
  readonly dpo: string
  readonly verdict: 'equal' | 'differs as it may' | 'must be equal'
}

/** The objective is what is compared; the paper gives each objective its own learning rate (section 3.1, appendix E.1). */
const MAY_DIFFER = /^(objective(\.|$)|learningRate$|modules\.\w+\.learningRate$)/

/** Every training setting of both arms side by side, and what the plan gives to both. */
export function studyParity(config: StudyConfig): readonly ParityRow[] {
  const sft = flatten(config.stages.sft)
  const dpo = flatten(config.stages.dpo)
  const settings = [...new Set([...Object.keys(sft), ...Object.keys(dpo)])]
  const fromThePlan = ['preference pairs and their order', 'starting checkpoint', 'image preprocessing', 'tokenizer and chat template', 'evaluation']
  return [
    ...fromThePlan.map((setting): ParityRow => ({ setting, sft: 'shared', dpo: 'shared', verdict: 'equal' })),
    ...settings.map((setting): ParityRow => {
      const [a, b] = [sft[setting] ?? '–', dpo[setting] ?? '–']
      return { setting, sft: a, dpo: b, verdict: a === b ? 'equal' : MAY_DIFFER.test(setting) ? 'differs as it may' : 'must be equal' }
    }),
  ]
}

/**
 * @throws LabError 'conflict' when the arms differ in anything but objective and learning rate, naming every such setting;
 *   'invalid-input' when the SFT arm has another objective, or the second arm one that learns from neither pairs nor its own answers
 */
export function assertComparable(config: StudyConfig): void {
  const allowed: Readonly<Record<Arm, readonly string[]>> = { sft: ['sft'], dpo: SECOND_ARM_OBJECTIVES }
  for (const arm of ARMS) {
    const { kind } = config.stages[arm].objective
    if (!allowed[arm].includes(kind))
      throw new LabError('invalid-input', `stages.${arm}.objective.kind: expected ${allowed[arm].map((each) => `"${each}"`).join(' or ')}, got "${kind}"`)
  }
  const { objective } = config.stages.dpo
  if (objective.kind === 'grpo' && objective.numIterations > 1)
    throw new LabError('invalid-input', `stages.dpo.objective.numIterations: expected 1 in a study, found ${objective.numIterations}: with several updates on the same answers this arm would meet fewer prompts than the other, in another order`)
  const offending = studyParity(config).filter((row) => row.verdict === 'must be equal')
  if (offending.length > 0)
    throw new LabError(
      'conflict',
      `the two arms may differ in objective and learning rate only; make equal: ${offending.map((row) => `${row.setting} (sft ${row.sft}, dpo ${row.dpo})`).join(', ')}`,
      { settings: offending.map((row) => row.setting) },
    )
}

/** One job of a study, before paths are filled in. `id` is unique in the study and stable over restarts. */
export type Phase =
  | { readonly kind: 'train'; readonly id: string; readonly title: string; readonly seed: number; readonly stage: StageName; readonly training: Training; readonly data: DataRole; readonly start: PhaseStart }
  | { readonly kind: 'evaluate'; readonly id: string; readonly title: string; readonly seed: number; readonly encoder: EncoderName; readonly checkpointOf: string; readonly baselineOf: string | null; readonly evaluators: readonly Evaluator[]; readonly metricPrefix: 'transplant' | null }
  | { readonly kind: 'export'; readonly id: string; readonly title: string; readonly seed: number; readonly encoder: EncoderName; readonly checkpointOf: string }

export const STAGES = ['language', 'pretraining', 'alignment', 'instruction', 'sft', 'dpo', 'transplant'] as const
export type StageName = (typeof STAGES)[number]
export type DataRole = keyof StudyConfig['data']
export type PhaseStart =
  /** What the study starts from: random weights, or folders. */
  | { readonly kind: 'study' }
  | { readonly kind: 'checkpoint'; readonly of: string }
  /** The encoder of one phase under the language model of another (null: random weights), with a fresh projector between. */
  | { readonly kind: 'transplant'; readonly of: string; readonly projectorLayers: 0 | 1 | 2; readonly languageModelOf: string | null }

/** The study as a list of jobs in the order in which they run; each names the earlier phases it needs. */
export function studyPlan(config: StudyConfig): readonly Phase[] {
  assertComparable(config)
  return config.seeds.flatMap((seed) => {
    const at = (what: string) => `seed-${seed}/${what}`
    const train = (stageName: Exclude<StageName, 'transplant'>, training: Training, title: string, data: DataRole, start: PhaseStart): Phase => ({
      kind: 'train',
      id: at(stageName),
      title: `Seed ${seed}: ${title}`,
      seed,
      stage: stageName,
      training: { ...training, seed },
      data,
      start,
    })
    const stageOf = (encoder: EncoderName) => at(encoder === 'stage-1' ? 'instruction' : encoder)
    const { alignment, instruction, sft, dpo } = config.stages
    // Stage 0 teaches a model from nothing; one from folders has learned that.
    const [pretraining, language] = config.start.kind === 'scratch' ? [config.stages.pretraining, config.stages.language] : [null, null]
    const scratch: PhaseStart = { kind: 'study' }
    const languageModelOf = language === null ? null : at('language')
    const after = (what: string): PhaseStart => ({ kind: 'checkpoint', of: at(what) })
    const afterLanguage = language === null ? scratch : after('language')
    const phases: Phase[] = [
      ...(language === null ? [] : [train('language', language, 'stage 0, language model from nothing', 'texts', scratch)]),
      ...(pretraining === null ? [] : [train('pretraining', pretraining, 'stage 0, encoder from nothing', 'captions', afterLanguage)]),
      train('alignment', alignment, 'stage 1a, projector alignment', 'captions', pretraining === null ? afterLanguage : after('pretraining')),
      train('instruction', instruction, 'stage 1b, instructions end to end', 'instructions', after('alignment')),
      train('sft', sft, 'stage 2, SFT on the chosen answers', 'preferences', after('instruction')),
      train('dpo', dpo, `stage 2, ${OBJECTIVE_NAMES[dpo.objective.kind]} on ${learnsFrom(dpo.objective.kind)}`, 'preferences', after('instruction')),
    ]
    const called = (encoder: EncoderName) => encoderColumn(encoder, encoderNames(config))
    for (const encoder of ENCODERS) {
      phases.push({
        kind: 'evaluate',
        id: at(`${encoder}/evaluate`),
        title: `Seed ${seed}: measuring ${called(encoder)}`,
        seed,
        encoder,
        checkpointOf: stageOf(encoder),
        baselineOf: at('instruction'),
        evaluators: EVALUATORS,
        metricPrefix: null,
      })
      phases.push({ kind: 'export', id: at(`${encoder}/export`), title: `Seed ${seed}: exporting ${called(encoder)}`, seed, encoder, checkpointOf: stageOf(encoder) })
    }
    if (config.transplant !== null)
      for (const encoder of ENCODERS) {
        phases.push({
          kind: 'train',
          id: at(`${encoder}/transplant`),
          title: `Seed ${seed}: transplant of ${called(encoder)}`,
          seed,
          stage: 'transplant',
          training: { ...config.transplant.training, seed },
          data: 'instructions',
          start: { kind: 'transplant', of: stageOf(encoder), projectorLayers: config.transplant.projectorLayers, languageModelOf },
        })
        phases.push({
          kind: 'evaluate',
          id: at(`${encoder}/transplant-evaluate`),
          title: `Seed ${seed}: measuring the transplant of ${called(encoder)}`,
          seed,
          encoder,
          checkpointOf: at(`${encoder}/transplant`),
          baselineOf: null,
          evaluators: ['questions'],
          metricPrefix: 'transplant',
        })
      }
    return phases
  })
}

/** Nested settings as `a.b.c` → text. */
function flatten(value: object, path = ''): Record<string, string> {
  return Object.entries(value).reduce<Record<string, string>>((flat, [key, each]) => {
    const name = path ? `${path}.${key}` : key
    return { ...flat, ...(typeof each === 'object' && each !== null ? flatten(each, name) : { [name]: String(each) }) }
  }, {})
}
