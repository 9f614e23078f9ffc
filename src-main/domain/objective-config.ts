// What a run minimises, and the settings of each objective. Names and defaults are TRL's where TRL has the objective, in
// camelCase, so that a setting can be carried over by name. One setting is not read by every loss: `onlyWith` in its
// description says by which, the form shows it there only, and a value that nothing would read is refused.

import { z } from 'zod'
import { LabError } from './errors.ts'
import { parse } from './parse.ts'
import type { DatasetKind } from './sample.ts'

/** Losses of pairs against a reference, by TRL's names (DPOConfig.loss_type); `sft` is a part of a mix only. */
export const PAIR_LOSSES = [
  'sigmoid',
  'sigmoid_norm',
  'hinge',
  'ipo',
  'robust',
  'exo_pair',
  'nca_pair',
  'bco_pair',
  'sppo_hard',
  'apo_zero',
  'apo_down',
  'aot',
  'aot_unpaired',
  'discopop',
] as const
export type PairLoss = (typeof PAIR_LOSSES)[number]
export type MixedLoss = PairLoss | 'sft'

/** Losses that see a pair through f′(π_θ/π_ref) and so can use another divergence than the reverse KL (arXiv 2309.16240). */
const DIVERGENCE_LOSSES: readonly MixedLoss[] = ['sigmoid', 'sigmoid_norm', 'hinge', 'ipo', 'robust', 'exo_pair', 'discopop', 'sft']
const SMOOTHED_LOSSES: readonly MixedLoss[] = ['sigmoid', 'robust', 'exo_pair', 'aot', 'aot_unpaired']
const UNPAIRED_LOSSES = ['kto', 'apo_zero_unpaired'] as const
const REFERENCE_FREE_LOSSES = ['sigmoid', 'hinge', 'ipo'] as const

const beta = (help: string, byDefault = 0.1) => z.number().min(0.001).max(10).default(byDefault).meta({ label: 'β', help })

const pairSettings = {
  beta: beta('DPO (arXiv 2305.18290): how strongly the policy is held to the reference; the paper uses 0.1'),
  labelSmoothing: z.number().min(0).max(0.499).default(0).meta({
    label: 'Label smoothing',
    help: 'assumed share of pairs whose answers are swapped (cDPO, robust DPO); of exo_pair: ε of its target, above 0',
    onlyWith: { lossType: SMOOTHED_LOSSES },
  }),
  fDivergenceType: z
    .enum(['reverse_kl', 'forward_kl', 'js_divergence', 'alpha_divergence'])
    .default('reverse_kl')
    .meta({
      label: 'Divergence',
      help: 'what holds the policy to the reference (f-DPO, arXiv 2309.16240); reverse_kl is DPO itself',
      onlyWith: { lossType: DIVERGENCE_LOSSES },
    }),
  fAlphaDivergenceCoef: z.number().min(0).max(2).default(0.5).meta({
    label: 'α of the divergence',
    help: 'of the α-divergence; 1 is the reverse KL',
    onlyWith: { fDivergenceType: ['alpha_divergence'] },
  }),
  discopopTau: z.number().min(0.001).max(1).default(0.05).meta({
    label: 'DiscoPOP τ',
    help: 'DiscoPOP (arXiv 2406.08414): how sharply it changes from the logistic to the exponential loss',
    onlyWith: { lossType: ['discopop'] },
  }),
  ldAlpha: z.number().min(0).max(1).default(1).meta({
    label: 'Length desensitising α',
    help: 'LD-DPO (arXiv 2409.06411): weight of the tokens beyond the shorter answer of the pair; 1 is off',
  }),
} as const

const dpo = z
  .strictObject({
    kind: z.literal('dpo'),
    lossType: z.enum(PAIR_LOSSES).default('sigmoid').meta({
      label: 'Loss',
      help: 'sigmoid is DPO, with label smoothing cDPO; ipo, hinge (SLiC), robust, exo_pair, nca_pair, bco_pair, sppo_hard, apo_zero, apo_down, aot, discopop are its relatives, under the names that TRL gives them',
    }),
    ...pairSettings,
    rpoAlpha: z.number().min(0).max(100).default(0).meta({
      label: 'SFT term',
      help: 'weight of the mean negative log-likelihood of the chosen answer, added to the loss (RPO, arXiv 2404.19733); keeps the chosen answer from becoming unlikely',
    }),
  })
  .check(({ value, issues }) => {
    issues.push(...unreadSettings(value, [value.lossType]))
  })

const mpo = z
  .strictObject({
    kind: z.literal('mpo'),
    lossType: z.array(z.enum([...PAIR_LOSSES, 'sft'])).min(1).default(['sigmoid', 'bco_pair', 'sft']).meta({
      label: 'Losses',
      help: 'the parts of the mix (MPO, arXiv 2411.10442): preference sigmoid, quality bco_pair, generation sft',
    }),
    lossWeights: z.array(z.number().min(0).max(100)).min(1).default([0.8, 0.2, 1]).meta({
      label: 'Weights',
      help: 'one for each loss, in its order; the paper uses 0.8, 0.2, 1',
    }),
    ...pairSettings,
  })
  .check(({ value, issues }) => {
    issues.push(...unreadSettings(value, value.lossType))
    const { lossType, lossWeights } = value
    const fault = (path: string, message: string) => issues.push({ code: 'custom', input: value, path: [path], message })
    if (lossType.length !== lossWeights.length)
      fault('lossWeights', `expected one weight for each of the ${lossType.length} losses (${lossType.join(', ')}), found ${lossWeights.length}`)
    if (new Set(lossType).size !== lossType.length) fault('lossType', 'expected every loss once: add its weights up instead')
    if (lossWeights.every((weight) => weight === 0)) fault('lossWeights', 'expected a weight above 0: nothing would be minimised')
  })

type Fault = { readonly code: 'custom'; readonly input: unknown; readonly path: string[]; readonly message: string }

/** Settings that the chosen losses would not read, or lack. */
function unreadSettings(
  settings: { readonly labelSmoothing: number; readonly fDivergenceType: string },
  losses: readonly MixedLoss[],
): Fault[] {
  const faults: Fault[] = []
  const fault = (path: string, message: string) => faults.push({ code: 'custom', input: settings, path: [path], message })
  if (settings.labelSmoothing > 0 && !losses.some((loss) => SMOOTHED_LOSSES.includes(loss)))
    fault('labelSmoothing', `expected 0: ${losses.join(', ')} would not read it; ${SMOOTHED_LOSSES.join(', ')} do`)
  if (settings.labelSmoothing === 0 && losses.includes('exo_pair'))
    fault('labelSmoothing', 'expected a value above 0 for exo_pair, whose target gives the rejected answer the probability ε; 0.001 is usual')
  const deaf = losses.filter((loss) => !DIVERGENCE_LOSSES.includes(loss))
  if (settings.fDivergenceType !== 'reverse_kl' && deaf.length > 0)
    fault('fDivergenceType', `expected reverse_kl: ${deaf.join(', ')} would not read it; ${DIVERGENCE_LOSSES.join(', ')} do`)
  return faults
}

const nllWeight = (byDefault: number) =>
  z.number().min(0).max(100).default(byDefault).meta({
    label: 'SFT term',
    help: 'weight of the mean negative log-likelihood of the chosen answer (cpo_alpha in TRL)',
  })
const smoothing = z.number().min(0).max(0.499).default(0).meta({
  label: 'Label smoothing',
  help: 'assumed share of pairs whose answers are swapped',
})

export const objectiveSchema = z.discriminatedUnion('kind', [
  /** Pre-trains an encoder from nothing: predict the caption's words from the image (SuperClass, arXiv 2411.03313). */
  z.strictObject({ kind: z.literal('caption-words') }),
  /** Pre-trains a language model from nothing: SFT on the text alone, images left out. */
  z.strictObject({ kind: z.literal('text') }),
  z.strictObject({ kind: z.literal('sft') }),
  dpo,
  mpo,
  /** Simple preference optimisation: DPO without a reference, on length-normalised log-probabilities (arXiv 2405.14734). */
  z.strictObject({
    kind: z.literal('simpo'),
    beta: beta('SimPO (arXiv 2405.14734): scale of the mean log-probability per token; the paper uses 2 to 10', 2),
    simpoGamma: z.number().min(0).max(20).default(0.5).meta({
      label: 'Target margin γ',
      help: 'by how much the chosen answer is to lead, in units of the reward; the paper uses 0.3 to 0.5 of β',
    }),
    labelSmoothing: smoothing,
    cpoAlpha: nllWeight(0),
  }),
  /** Contrastive preference optimisation: DPO without a reference, with a term of SFT (arXiv 2401.08417). */
  z.strictObject({
    kind: z.literal('cpo'),
    lossType: z.enum(REFERENCE_FREE_LOSSES).default('sigmoid').meta({ label: 'Loss', help: 'the losses that TRL offers for CPO; ipo is of mean log-probabilities' }),
    beta: beta('CPO (arXiv 2401.08417): scale of the log-probabilities'),
    labelSmoothing: smoothing.meta({
      label: 'Label smoothing',
      help: 'assumed share of pairs whose answers are swapped',
      onlyWith: { lossType: ['sigmoid'] },
    }),
    cpoAlpha: nllWeight(1),
  }).check(({ value, issues }) => {
    if (value.labelSmoothing > 0 && value.lossType !== 'sigmoid')
      issues.push({ code: 'custom', input: value, path: ['labelSmoothing'], message: `expected 0: ${value.lossType} would not read it; sigmoid does` })
  }),
  /** Odds-ratio preference optimisation: SFT with a preference for higher odds, without a reference (arXiv 2403.07691). */
  z.strictObject({
    kind: z.literal('orpo'),
    beta: beta('ORPO (arXiv 2403.07691): weight λ of the odds ratio beside SFT; the paper uses 0.1'),
  }),
  /** Kahneman-Tversky optimisation: every answer is judged alone, as desirable or not (arXiv 2402.01306). */
  z.strictObject({
    kind: z.literal('kto'),
    lossType: z.enum(UNPAIRED_LOSSES).default('kto').meta({
      label: 'Loss',
      help: 'kto measures an answer against the mean drift from the reference; apo_zero_unpaired (arXiv 2408.06266) against 0',
    }),
    beta: beta('KTO (arXiv 2402.01306): how strongly the policy is held to the reference; the paper uses 0.1'),
    desirableWeight: z.number().min(0).max(100).default(1).meta({ label: 'Weight of chosen answers', help: 'λ of desirable answers' }),
    undesirableWeight: z.number().min(0).max(100).default(1).meta({ label: 'Weight of rejected answers', help: 'λ of undesirable answers' }),
  }),
  /** Group relative policy optimisation: learns from the model's own answers, rewarded by a rule (arXiv 2402.03300). */
  z.strictObject({
    kind: z.literal('grpo'),
    reward: z.enum(['exact-match', 'number', 'box-iou']).default('exact-match').meta({
      label: 'Reward',
      help: "how the model's answer is judged against those that the dataset accepts (of a pair: the chosen one): equal after cleaning, a number within the tolerance, or the overlap of boxes [x1, y1, x2, y2]",
    }),
    numberTolerance: z.number().min(0).max(1).default(0.05).meta({
      label: 'Tolerance',
      help: 'of a number, as a share of the expected one',
      onlyWith: { reward: ['number'] },
    }),
    numGenerations: z.int().min(2).max(256).default(8).meta({ label: 'Answers per prompt', help: 'G, the size of a group; batch size counts prompts' }),
    maxCompletionLength: z.int().min(1).max(8192).default(16).meta({ label: 'Longest answer', help: 'tokens; an answer that is not ended by then is cut' }),
    temperature: z.number().min(0.01).max(10).default(1).meta({ label: 'Temperature', help: 'of the answers that are drawn, and of the log-probabilities that are compared' }),
    topP: z.number().min(0.01).max(1).default(1).meta({ label: 'Top-p', help: 'answers are drawn from the likeliest tokens that hold this share; 1: from all' }),
    numIterations: z.int().min(1).max(64).default(1).meta({ label: 'Updates per draw', help: 'μ: how many steps learn from the same answers' }),
    beta: z.number().min(0).max(10).default(0.04).meta({ label: 'β', help: 'weight of the KL divergence from the model that training starts with; the paper uses 0.04, 0 leaves it out' }),
    useBiasCorrectionKl: z.boolean().default(true).meta({ label: 'Unbiased KL gradient', help: 'multiplies the KL estimate by the ratio of new to old probability, which makes its gradient that of the KL divergence (arXiv 2512.02556); off: as in the paper of GRPO' }),
    epsilon: z.number().min(0.001).max(0.999).default(0.2).meta({ label: 'Clipping ε', help: 'how far a token may become less (and more) likely before an answer stops to count; has an effect from the second update on' }),
    epsilonHigh: z.number().min(0.001).max(100).nullable().default(null).meta({ label: 'Clipping ε, above', help: 'its own limit upwards (DAPO uses 0.28); empty: ε' }),
    lossType: z.enum(['grpo', 'dapo', 'dr_grpo']).default('grpo').meta({ label: 'Mean over', help: 'grpo: every answer alike; dapo: every token alike; dr_grpo: by the longest answer, a constant' }),
    scaleRewards: z.enum(['group', 'batch', 'none']).default('group').meta({ label: 'Scale rewards by', help: 'the standard deviation of the group, of the batch, or not at all (Dr. GRPO)' }),
  }),
])
export type ObjectiveConfig = z.output<typeof objectiveSchema>
export type ObjectiveKind = ObjectiveConfig['kind']
export type ObjectiveOf<Kind extends ObjectiveKind> = Extract<ObjectiveConfig, { kind: Kind }>

/** Objectives that learn from both answers of a pair: what the preference arm of a study may train with. */
export const PREFERENCE_OBJECTIVES = ['dpo', 'mpo', 'simpo', 'cpo', 'orpo', 'kto'] as const satisfies readonly ObjectiveKind[]

/** What the second arm of a study may train with: both answers of a pair, or its own answers, judged by the chosen one. */
export const SECOND_ARM_OBJECTIVES = [...PREFERENCE_OBJECTIVES, 'grpo'] as const satisfies readonly ObjectiveKind[]

export function needsPairs(kind: ObjectiveKind): boolean {
  return (PREFERENCE_OBJECTIVES as readonly string[]).includes(kind)
}

/** What a dataset must hold to be trained on; GRPO asks a question and knows the answer. */
export function datasetKindsFor(kind: ObjectiveKind): readonly DatasetKind[] {
  if (needsPairs(kind)) return ['preferences']
  return kind === 'grpo' ? ['questions', 'conversations', 'preferences'] : ['conversations', 'preferences']
}

/** What a training with an objective learns from, for a title. */
export function learnsFrom(kind: ObjectiveKind): string {
  return kind === 'sft' ? 'the chosen answers' : kind === 'grpo' ? 'its own answers' : 'the pairs'
}

/** How an objective is called: its field's short name. */
export const OBJECTIVE_NAMES: Readonly<Record<ObjectiveKind, string>> = {
  sft: 'SFT',
  dpo: 'DPO',
  mpo: 'MPO',
  simpo: 'SimPO',
  cpo: 'CPO',
  orpo: 'ORPO',
  kto: 'KTO',
  grpo: 'GRPO',
  'caption-words': 'Caption words',
  text: 'Text alone',
}

/** How an objective that is not plain SFT or DPO is called in a sentence; null for those two. */
export function unusualName(config: ObjectiveConfig): string | null {
  switch (config.kind) {
    case 'dpo':
      return config.lossType === 'sigmoid' ? null : `DPO with the loss ${config.lossType}`
    case 'mpo':
      return `MPO (${config.lossType.map((loss, i) => `${config.lossWeights[i]} ${loss}`).join(' + ')})`
    case 'sft':
      return null
    default:
      return OBJECTIVE_NAMES[config.kind]
  }
}

/**
 * The objective with its label smoothing set to an estimate of the share of swapped pairs (cDPO, robust DPO).
 * @param share  0 to 1; at ½ the labels say nothing
 * @throws LabError 'invalid-input' where no loss of the objective reads label smoothing, or the labels say nothing
 */
export function withLabelNoise(config: ObjectiveConfig, share: number): ObjectiveConfig {
  if (!(share >= 0 && share < 0.5))
    throw new LabError('invalid-input', `label noise: expected a share of swapped pairs from 0 to below 0.5, found ${share}; at 0.5 the labels say nothing`, { share })
  if (!('labelSmoothing' in config))
    throw new LabError('invalid-input', `label noise: ${config.kind} has no label smoothing; choose dpo with the loss robust or sigmoid`, { kind: config.kind })
  return parse(objectiveSchema, { ...config, labelSmoothing: Math.min(share, 0.499) })
}
