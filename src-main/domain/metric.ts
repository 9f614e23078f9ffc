// Each metric once: its name in code, columns, charts and reports, what it means, its unit, and which way is better.
// Training metrics carry TRL's names, so that a curve can be laid beside a published one.

import { BENCHMARK_TITLES, PAPER_MEANS, type BenchmarkName } from './benchmark.ts'
import { MAP_METHOD_WORDS, MAP_TARGET_WORDS, SCORED_MAP_METHODS, type MapMethod } from './patch-maps.ts'

export interface Metric {
  readonly name: string
  readonly label: string
  /** One sentence, shown on hover. */
  readonly meaning: string
  readonly unit: 'nats' | 'share' | 'number' | 'ratio'
  readonly better: 'higher' | 'lower' | 'neither'
}

const metric = (name: string, label: string, unit: Metric['unit'], better: Metric['better'], meaning: string): Metric => ({
  name,
  label,
  meaning,
  unit,
  better,
})

/** Logged at every optimiser step, under TRL's names. */
export const TRAINING_METRICS = [
  metric('loss', 'Loss', 'nats', 'lower', 'What is minimised: SFT: mean negative log-likelihood of an answer token; DPO: −log σ(margin); other objectives by their own formulas.'),
  metric('learning_rate', 'Learning rate', 'number', 'neither', "The schedule's value at this step; a module may have its own peak."),
  metric('grad_norm', 'Gradient norm', 'number', 'neither', 'Euclidean norm over all trained parameters, before clipping.'),
  metric('epoch', 'Epoch', 'number', 'neither', 'Passes over the training data so far.'),
  metric('num_tokens', 'Tokens seen', 'number', 'neither', 'Text and image tokens processed since the start of the run.'),
  metric('padding', 'Padding', 'share', 'lower', 'Share of the positions of this step that only fill its fixed shape.'),
  metric('mean_token_accuracy', 'Token accuracy', 'share', 'higher', 'Share of answer tokens (of the chosen answer) that are the most likely token.'),
  metric('entropy', 'Entropy', 'nats', 'neither', 'Mean entropy of the predicted distribution at the answer tokens.'),
  metric('rewards/chosen', 'Reward, chosen', 'nats', 'neither', 'β·(log π_policy − log π_reference) of the chosen answer; without a reference β·log π_policy.'),
  metric('rewards/rejected', 'Reward, rejected', 'nats', 'neither', 'β·(log π_policy − log π_reference) of the rejected answer; without a reference β·log π_policy.'),
  metric('rewards/margins', 'Margin', 'nats', 'higher', 'Reward of the chosen minus reward of the rejected answer: the quantity that DPO raises.'),
  metric('rewards/accuracies', 'Preference accuracy', 'share', 'higher', 'Share of pairs whose chosen reward exceeds the rejected one; a tie counts as wrong.'),
  metric('logps/chosen', 'Log-probability, chosen', 'nats', 'higher', 'Sum over the tokens of the chosen answer. It may fall while the margin grows.'),
  metric('logps/rejected', 'Log-probability, rejected', 'nats', 'lower', 'Sum over the tokens of the rejected answer.'),
  metric('logits/chosen', 'Mean logit, chosen', 'number', 'neither', 'Mean over vocabulary and answer tokens of the chosen answer.'),
  metric('logits/rejected', 'Mean logit, rejected', 'number', 'neither', 'Mean over vocabulary and answer tokens of the rejected answer.'),
  metric('nll_loss', 'Negative log-likelihood, chosen', 'nats', 'lower', 'Mean over the tokens of the chosen answer: what SFT would minimise.'),
  metric('log_odds_ratio', 'log σ of the log odds ratio', 'nats', 'higher', 'ORPO: log σ of by how much the odds of the chosen answer exceed those of the rejected one.'),
  metric('log_odds_chosen', 'Log odds ratio', 'nats', 'higher', 'ORPO: log odds of the chosen minus log odds of the rejected answer, odds of the mean probability of a token.'),
  metric('kl', 'Drift from the reference', 'nats', 'neither', 'Estimate of the KL divergence of the policy from the reference. KTO: mean log-ratio of mismatched answers, at least 0; GRPO: mean over the tokens drawn.'),
  metric('reward', 'Reward', 'share', 'higher', "Mean reward of the answers that the model drew: 1 is right by the run's rule."),
  metric('reward_std', 'Spread of rewards', 'number', 'neither', 'Standard deviation over all answers of the batch.'),
  metric('frac_reward_zero_std', 'Groups without a difference', 'share', 'lower', 'Share of prompts whose answers all got the same reward: nothing is learnt from them.'),
  metric('completions/mean_length', 'Answer length, mean', 'number', 'neither', 'Tokens of the answers that the model drew, the end token included.'),
  metric('completions/min_length', 'Answer length, shortest', 'number', 'neither', 'Tokens of the shortest answer that the model drew.'),
  metric('completions/max_length', 'Answer length, longest', 'number', 'neither', 'Tokens of the longest answer that the model drew.'),
  metric('completions/mean_terminated_length', 'Length of ended answers, mean', 'number', 'neither', 'Tokens of the answers that the model ended itself, the end token included; 0 where none was ended.'),
  metric('completions/min_terminated_length', 'Length of ended answers, shortest', 'number', 'neither', 'Tokens of the shortest answer that the model ended itself; 0 where none was ended.'),
  metric('completions/max_terminated_length', 'Length of ended answers, longest', 'number', 'neither', 'Tokens of the longest answer that the model ended itself; 0 where none was ended.'),
  metric('completions/clipped_ratio', 'Answers cut', 'share', 'lower', 'Share of answers that were not ended within the longest answer.'),
  metric('clip_ratio/low_mean', 'Clipped from below', 'share', 'neither', 'Share of tokens of worse answers that have become less likely than clipping allows.'),
  metric('clip_ratio/high_mean', 'Clipped from above', 'share', 'neither', 'Share of tokens of better answers that have become likelier than clipping allows.'),
  metric('clip_ratio/region_mean', 'Clipped', 'share', 'neither', 'Share of tokens that clipping takes out of the update.'),
] as const

/** Measured once a run, at its end: what the job process held at most, and what was predicted before it began. Bytes. */
export const MEMORY_METRICS = [
  metric('memory/peak', 'Peak memory', 'number', 'lower', 'Most bytes that the job process held at once.'),
  metric('memory/predicted', 'Predicted peak memory', 'number', 'neither', 'What was predicted before the first step, in bytes.'),
] as const

/** Gradients at the visual tokens that localisation is scored for; the DPO one with features shared by both answers. */
const MAPS = [
  ['sft', 'SFT map'],
  ['chosen', 'Chosen map'],
  ['rejected', 'Rejected map'],
  ['dpo', 'Contrast (DPO) map'],
] as const

const LOCALISATION_SCORES = [
  ['energy', 'energy', 'ratio', 'higher', 'share of the gradient inside the deciding region, divided by the region’s share of the image; 1 is chance.'],
  ['pointing', 'pointing game', 'share', 'higher', 'share of items whose largest value lies in the deciding region.'],
  ['auroc', 'AUROC', 'share', 'higher', 'probability that a patch inside the deciding region scores above one outside; 0.5 is chance.'],
  ['entropy', 'entropy', 'share', 'lower', 'entropy of the map divided by that of a flat one; 1 is spread evenly.'],
] as const

/** What is measured on a checkpoint, in the order in which tables show it. */
export const EVALUATION_METRICS: readonly Metric[] = [
  metric('vqa/all', 'Questions, all', 'share', 'higher', 'Exact match of the greedy answer after cleaning, over all test questions.'),
  metric('vqa/general', 'Questions, general', 'share', 'higher', 'Exact match on presence, naming and colour.'),
  metric('vqa/text', 'Questions, text in the image', 'share', 'higher', 'Exact match on printed words.'),
  metric('vqa/vision-centric', 'Questions, vision-centric', 'share', 'higher', 'Exact match on count, relation, size and depth order.'),
  metric('vqa/knowledge', 'Questions, knowledge', 'share', 'higher', 'Exact match on facts about what is shown.'),
  metric('preference/accuracy', 'Preference accuracy', 'share', 'higher', 'Share of held-out pairs whose chosen answer has the higher log-probability.'),
  metric('probe/linear', 'Linear probe', 'share', 'higher', 'Top-1 of multinomial logistic regression on frozen, mean-pooled features; λ chosen on validation.'),
  metric('probe/prototype', 'Class-mean prototypes', 'share', 'higher', 'Top-1 of the nearest class mean by cosine.'),
  metric('probe/knn', 'k-NN', 'share', 'higher', 'Top-1 of the weighted k-nearest-neighbour vote (cosine, T 0.07); k chosen on validation.'),
  metric('segmentation/macro-recall', 'Segmentation, macro recall', 'share', 'higher', 'Two-layer MLP on frozen patches: recall per class over patches, averaged over classes.'),
  metric('segmentation/mean-iou', 'Segmentation, mean IoU', 'share', 'higher', 'Two-layer MLP on frozen patches: intersection over union per class over patches, averaged.'),
  ...LOCALISATION_SCORES.flatMap(([score, title, unit, better, meaning]) =>
    MAPS.map(([map, of]) => metric(`localisation/${map}/${score}`, `${of}, ${title}`, unit, better, `${of}: ${meaning}`)),
  ),
  metric('alignment/mutual-knn', 'Alignment with language', 'share', 'higher', 'Mutual k-NN (k 10) of image features with text features of the captions; best pair of layers.'),
  metric('alignment/cka-language', 'Linear CKA with language', 'share', 'higher', 'Linear centred kernel alignment of image features with text features of the captions.'),
  metric('change/cka', 'Linear CKA with the start', 'share', 'neither', 'How alike the features still are to those of the stage-1 encoder; 1 is unchanged.'),
  metric('change/mutual-knn', 'Neighbours kept', 'share', 'neither', 'Mutual k-NN (k 10) with the stage-1 encoder: share of nearest neighbours that stayed.'),
  metric('transplant/all', 'Transplant, all', 'share', 'higher', 'Exact match of a fresh projector and language model trained on the frozen encoder.'),
  metric('transplant/general', 'Transplant, general', 'share', 'higher', 'Transplant, questions on presence, naming and colour.'),
  metric('transplant/text', 'Transplant, text in the image', 'share', 'higher', 'Transplant, questions on printed words.'),
  metric('transplant/vision-centric', 'Transplant, vision-centric', 'share', 'higher', 'Transplant, questions on count, relation, size and depth order.'),
  metric('transplant/knowledge', 'Transplant, knowledge', 'share', 'higher', 'Transplant, questions on facts about what is shown.'),
]

/** Scores of benchmarks by the name's third part; what follows it is a category. */
const BENCHMARK_SCORES: Readonly<Record<string, Omit<Metric, 'name'>>> = Object.fromEntries(
  [
    metric('accuracy', 'accuracy', 'share', 'higher', "Share of questions answered right, or mean score of an answer, by the benchmark's own rule."),
    metric('pair-accuracy', 'pair accuracy', 'share', 'higher', 'Share of pairs of pictures with both questions right.'),
    metric('unit-accuracy', 'unit accuracy', 'share', 'higher', 'Share of units with every question right.'),
    metric('circular-accuracy', 'circular accuracy', 'share', 'higher', 'Share of questions right under every rotation of their options.'),
    metric('accuracy-plus', 'accuracy⁺', 'share', 'higher', 'Share of pictures with both questions right.'),
    metric('perception', 'perception', 'number', 'higher', 'Accuracy and accuracy⁺ in points of 100, summed over ten sub-tasks: at most 2000.'),
    metric('cognition', 'cognition', 'number', 'higher', 'Accuracy and accuracy⁺ in points of 100, summed over four sub-tasks: at most 800.'),
    metric('points', 'points', 'number', 'higher', "Points as the benchmark counts them: MME's sub-tasks at most 200, OCRBench one for each right answer."),
    metric('2d', '2D', 'share', 'higher', 'Mean of the accuracies on ADE20K and on COCO: counts and relations.'),
    metric('3d', '3D', 'share', 'higher', 'Accuracy on Omni3D: depth and distance.'),
    metric('overall', 'overall', 'share', 'higher', 'Mean of 2D and 3D.'),
    metric('anls', 'ANLS', 'share', 'higher', 'Mean normalised Levenshtein similarity, 0 below one half.'),
    metric('precision', 'precision', 'share', 'higher', 'Share of answers "yes" that are right.'),
    metric('recall', 'recall', 'share', 'higher', 'Share of objects in the picture that were said to be there.'),
    metric('f1', 'F1', 'share', 'higher', 'Harmonic mean of precision and recall.'),
    metric('yes-ratio', 'yes-ratio', 'share', 'neither', 'Share of answers "yes"; half of the right answers are.'),
    metric('unparsed', 'unparsed answers', 'share', 'lower', 'Share of questions of whose answer nothing could be made; they count as wrong.'),
  ].map(({ name, ...rest }) => [name, rest]),
)

function benchmarkMetric(name: string): Metric | null {
  const [kind, benchmark, score, ...category] = name.split('/')
  const about = BENCHMARK_SCORES[score ?? '']
  if (kind !== 'benchmark' || about === undefined) return null
  return { name, ...about, label: [BENCHMARK_TITLES[benchmark as BenchmarkName], about.label, ...category].join(', ') }
}

/** Scores of maps over a set, by names such as maps/gradient-contrast/energy and maps/occlusion/auroc. */
const MAP_SCORE_METRICS: ReadonlyMap<string, Metric> = new Map(
  SCORED_MAP_METHODS.flatMap((method): readonly (readonly [string, MapMethod, string])[] =>
    method === 'gradient'
      ? (['sft', 'chosen', 'rejected', 'contrast'] as const).map((target) => [`gradient-${target}`, method, `Gradient (${MAP_TARGET_WORDS[target].label.toLowerCase()})`])
      : [[method, method, MAP_METHOD_WORDS[method].label]],
  ).flatMap(([name, method, of]) =>
    LOCALISATION_SCORES.map(([score, title, unit, better, meaning]): [string, Metric] => {
      const words = meaning.replace('share of the gradient', 'share of the map')
      return [`maps/${name}/${score}`, metric(`maps/${name}/${score}`, `${of}, ${title}`, unit, better, `${of}: ${words} ${MAP_METHOD_WORDS[method].worth}`)]
    }),
  ),
)

const ZERO_SHOT = metric('zero-shot/accuracy', 'Zero-shot', 'share', 'higher', 'Top-1 by the names of the classes alone: the text whose embedding is nearest to the picture’s (dual encoders).')

/** Probes beside those of a study: each k, few pictures a class, layer by layer. */
function probeMetric(name: string): Metric | null {
  if (name === ZERO_SHOT.name) return ZERO_SHOT
  const [, base, rest] = /^(probe\/(?:few-shot\/)?[\w-]+)((?:\/(?:k|n|layer)=\d+)+)$/.exec(name) ?? []
  if (base === undefined) return null
  const own = EVALUATION_METRICS.find((each) => each.name === base.replace('few-shot/', ''))
  if (own === undefined) return null
  const words = rest!.split('/').filter(Boolean).map((each) => each.replace(/^k=/, 'k ').replace(/^n=(\d+)/, (_, n: string) => `${n} ${n === '1' ? 'picture' : 'pictures'} a class`).replace(/^layer=/, 'layer '))
  const meaning = base.includes('few-shot') ? `${own.meaning} Trained on few pictures a class, drawn several times; the mean over draws.` : own.meaning
  return { ...own, name, meaning, label: [`${base.includes('few-shot') ? 'Few-shot, ' : ''}${base.includes('few-shot') ? own.label.toLowerCase() : own.label}`, ...words].join(', ') }
}

const PAPER_METRICS: readonly Metric[] = PAPER_MEANS.map(({ metric: name, label, of }) =>
  metric(name, label, 'number', 'higher', `Mean over ${of.length} benchmarks in points of 100, each counting alike (arXiv 2510.16333, table T).`),
)

export function metricNamed(name: string): Metric {
  const all: readonly Metric[] = [...TRAINING_METRICS, ...MEMORY_METRICS, ...EVALUATION_METRICS, ...PAPER_METRICS]
  return all.find((each) => each.name === name) ?? benchmarkMetric(name) ?? probeMetric(name) ?? MAP_SCORE_METRICS.get(name) ?? { name, label: name, meaning: '', unit: 'number', better: 'neither' }
}

/** The order of tables: measurements in the order of the list above, each with its parts behind it, numbers in them as numbers. */
export function byMetricOrder(a: string, b: string): number {
  const rank = (metric: string) => {
    const base = metric.replace('few-shot/', '').replace(/(\/(?:k|n|layer)=\d+)+$/, '')
    const at = EVALUATION_METRICS.findIndex(({ name }) => name === base)
    return at < 0 ? EVALUATION_METRICS.length : at
  }
  return rank(a) - rank(b) || a.localeCompare(b, 'en', { numeric: true })
}

/** What measured a metric, as tables group it. */
const FAMILIES: readonly (readonly [prefix: string, family: string])[] = [
  ['benchmark/', 'Benchmarks'],
  ['paper/', 'The paper’s averages'],
  ['vqa/', 'Questions'],
  ['transplant/', 'Transplant'],
  ['probe/', 'Probes'],
  ['zero-shot/', 'Probes'],
  ['segmentation/', 'Segmentation'],
  ['localisation/', 'Where it looks'],
  ['preference/', 'Preferences'],
  ['alignment/', 'Alignment with language'],
  ['change/', 'What training moved'],
]

export function familyOf(metric: string): string {
  return FAMILIES.find(([prefix]) => metric.startsWith(prefix))?.[1] ?? 'Other measurements'
}

/** Scores of a benchmark that stand for the whole; the others are sides of it. */
const HEADLINE_SCORES = ['accuracy', 'pair-accuracy', 'unit-accuracy', 'circular-accuracy', 'perception', 'cognition', '2d', '3d', 'overall', 'anls', 'f1', 'points']

/** Whether a metric stands for its measurement; the others are its parts, sides and categories. */
export function isHeadline(metric: string): boolean {
  const [family, ...rest] = metric.split('/')
  switch (family) {
    case 'benchmark':
      return rest.length === 2 && HEADLINE_SCORES.includes(rest[1]!)
    case 'localisation':
      return metric === 'localisation/dpo/energy' || metric === 'localisation/dpo/pointing'
    case 'change':
      return false
    case 'probe':
    case 'segmentation':
      return rest.length === 1
    default:
      return true
  }
}
