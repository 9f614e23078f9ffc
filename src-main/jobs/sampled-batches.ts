// Batches whose answers the model itself draws, for GRPO: prompts in the order of every objective, G answers to each from the
// weights as they are, rewarded by rule. Draws are a function of seed and count, and what a step learns from beyond the weights
// (answers drawn before the last update) is part of the checkpoint, so a run continues bit for bit.

import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { z } from 'zod'
import { LabError } from '../domain/errors.ts'
import type { ObjectiveOf } from '../domain/objective-config.ts'
import { parse } from '../domain/parse.ts'
import { createRandom } from '../domain/random.ts'
import { collectAnswers, generateTokens, promptEmbeddings, type Decoder } from '../engine/generate.ts'
import { imageFeatures, imageTokens, type MultimodalLm } from '../engine/models/multimodal-lm.ts'
import { grpoRowWeight, sampledLogProbs } from '../engine/objectives/grpo.ts'
import { groupAdvantages, verifiableReward } from '../engine/objectives/rewards.ts'
import { collateRows, type EncodedRow } from '../engine/text/collate.ts'
import type { ChatTokenizer } from '../engine/text/tokenizer.ts'
import type { StepBatch } from '../engine/train.ts'
import { asDealt, batchOrder, bucketOfAll, chooseBuckets, imagesTensor, rowTensors, type BatchSource, type Bucket, type EncodedData, type EncodedSample } from './batches.ts'
import { readJson } from './files.ts'

/** Answers that several steps learn from. */
export interface DrawnAnswers {
  /** The step that learned from them first. */
  readonly firstStep: number
  /** By forward pass, then by row (row r answers prompt r mod B): tokens with the end token, if it came. */
  readonly answers: readonly (readonly (readonly number[])[])[]
  /** log π of their tokens under the weights that drew them, (R·A) by forward pass. */
  readonly oldLogProbs: readonly (readonly number[])[]
}

const drawnSchema = z.strictObject({
  firstStep: z.int().min(1),
  answers: z.array(z.array(z.array(z.int().min(0)))),
  oldLogProbs: z.array(z.array(z.number())),
})
/** Its file in a checkpoint's folder. */
export const DRAWN_ANSWERS_FILE = 'drawn-answers.json'

export interface SampledSource {
  readonly source: BatchSource
  readonly config: ObjectiveOf<'grpo'>
  /** The model as it is at the moment: it is asked before every draw. */
  policy(): MultimodalLm
  /** Reads tokens with the policy's weights. */
  readonly decoder: Decoder
  /** What β holds the policy to; null where β is 0. */
  readonly reference: MultimodalLm | null
  /** Told of answers before the first step learns from them: a checkpoint on the way must hold them. */
  remember(drawn: DrawnAnswers): void
}

/**
 * Samples as prompts with room for the longest answer, in place of their own. Pairs must all have that room: a study's other
 * arm meets every one of them.
 * @throws LabError 'invalid-input' when none is left, or a pair's prompt would be left out
 */
export function promptSamples({ samples, tooLong }: EncodedData, { maxCompletionLength }: ObjectiveOf<'grpo'>, maxLength: number): EncodedData {
  const room = samples.map(({ rows: [row, ...rest], ...sample }): EncodedSample => {
    const prompt = promptOf(row!)
    const spare = new Array<number>(maxCompletionLength).fill(0)
    const own = row!.ids.filter((_, at) => row!.isAnswer[at] && at >= prompt.length)
    return { ...sample, rows: [{ ids: [...prompt, ...spare], isAnswer: [...prompt.map(() => false), ...spare.map(() => true)] }], ownAnswer: own, ownRows: [row!, ...rest] }
  })
  const fits = room.filter(({ rows }) => rows[0]!.ids.length <= maxLength)
  if (fits.length === 0)
    throw new LabError('invalid-input', `no prompt leaves room for an answer of ${maxCompletionLength} tokens within maxLength (${maxLength}); raise maxLength or lower maxCompletionLength`)
  const pairs = room.filter((sample) => sample.ownRows!.length > 1 && !fits.includes(sample)).length
  if (pairs > 0)
    throw new LabError('invalid-input', `${pairs} of ${room.length} prompts of pairs leave no room for an answer of ${maxCompletionLength} tokens within maxLength (${maxLength}); raise maxLength or lower maxCompletionLength, so that every objective meets the same pairs`)
  return { samples: fits, tooLong: [...tooLong, ...room.filter((sample) => !fits.includes(sample)).map(({ id }) => id)] }
}

/**
 * An answer that the rule cannot read in the dataset itself would give no answer of the model a reward, ever.
 * @throws LabError 'invalid-input' when no answer of the dataset can be checked by the rule
 */
export function assertCheckable(config: ObjectiveOf<'grpo'>, { samples }: EncodedData, { decode }: Pick<ChatTokenizer, 'decode'>): void {
  const own = samples.map((sample) => acceptedAnswers(sample, decode))
  if (!own.some((accepted) => verifiableReward(config, accepted[0]!, accepted) > 0))
    throw new LabError('invalid-input', `objective.reward: the rule ${config.reward} finds nothing to check in any of the ${own.length} answers of this dataset, such as ${JSON.stringify(own[0]?.[0]?.slice(0, 80) ?? '')}; choose another reward, or data with such answers`)
}

/** The batches of steps `stepsDone` + 1, …; `numIterations` steps learn from the same answers. @param drawn those under way, after a resume */
export async function* sampledBatches(sampled: SampledSource, stepsDone: number, drawn: DrawnAnswers | null): AsyncGenerator<StepBatch> {
  const { source, config } = sampled
  const { samples, training } = source
  const perStep = training.batchSize * training.gradientAccumulation
  const [buckets, dealt] = [chooseBuckets(samples), asDealt(samples)]
  let step = 0
  for (const plan of batchOrder(dealt, chooseBuckets(dealt), perStep, training.seed)) {
    const bucket = bucketOfAll(buckets, plan.indices.map((index) => samples[index]!))
    const firstStep = step + 1
    let answers = drawn?.firstStep === firstStep ? drawn : null
    for (let iteration = 0; iteration < config.numIterations; iteration++) {
      if (++step <= stepsDone) continue
      const chosen = Array.from({ length: training.gradientAccumulation }, (_, i) =>
        plan.indices.slice(i * training.batchSize, (i + 1) * training.batchSize).map((index) => samples[index]!),
      )
      answers ??= await drawAnswers(sampled, chosen, bucket, firstStep)
      sampled.remember(answers)
      yield { ...(await batchOf(sampled, chosen, bucket, answers)), epoch: plan.epoch }
    }
  }
}

/** @throws LabError 'corrupt-artifact' */
export async function readDrawnAnswers(checkpoint: string): Promise<DrawnAnswers> {
  const file = join(checkpoint, DRAWN_ANSWERS_FILE)
  return parse(drawnSchema, await readJson(file), 'corrupt-artifact', file)
}

async function drawAnswers({ source, config, policy, decoder }: SampledSource, passes: readonly (readonly EncodedSample[])[], bucket: Bucket, firstStep: number): Promise<DrawnAnswers> {
  const { training } = source
  const model = policy()
  const answers: number[][][] = []
  const oldLogProbs: number[][] = []
  for (const [pass, chosen] of passes.entries()) {
    const patches = await imagesTensor(source, chosen.map(({ image }) => image))
    const tokens = tf.tidy(() => imageTokens(model, imageFeatures(model, patches))) // (B, I, D)
    patches.dispose()
    try {
      const drawn = drawRows(model, decoder, source, config, chosen, bucket, tokens, createRandom(training.seed, firstStep, pass, 'answers').integer(2 ** 31))
      answers.push(drawn)
      if (config.numIterations > 1) {
        const old = tokenLogProbsOf(model, rowsOf(source, config, chosen, drawn, bucket), tokens, config)
        oldLogProbs.push(Array.from(old.dataSync()))
        old.dispose()
      }
    } finally {
      tokens.dispose()
    }
  }
  return { firstStep, answers, oldLogProbs }
}

/** One answer for each of R = G·B rows. @param tokens (B, I, D) */
function drawRows(
  model: MultimodalLm,
  decoder: Decoder,
  { tokenizer }: BatchSource,
  config: ObjectiveOf<'grpo'>,
  chosen: readonly EncodedSample[],
  bucket: Bucket,
  tokens: tf.Tensor,
  seed: number,
): number[][] {
  const { numGenerations: G, maxCompletionLength: maxNewTokens, temperature, topP } = config
  const prompts = Array.from({ length: G }, () => chosen.map(({ rows: [row] }) => promptOf(row!))).flat()
  const repeated = tf.tile(tokens, [G, 1, 1]) // (R, I, D): row r looks at image r mod B
  // All prompts of a bucket at one width: their steps are then one program.
  const embeddings = promptEmbeddings(model, prompts, repeated, tokenizer, bucket.T - maxNewTokens)
  repeated.dispose()
  try {
    const steps = generateTokens(decoder, embeddings, prompts.map((prompt) => prompt.length), { endIds: [tokenizer.endId], maxNewTokens }, { temperature, topP, seed })
    // The end token is what an ended answer says last, and is learned like the rest.
    return collectAnswers(steps, prompts.length).map((answer) => (answer.length < maxNewTokens ? [...answer, tokenizer.endId] : answer))
  } finally {
    embeddings.dispose()
  }
}

async function batchOf({ source, config, reference }: SampledSource, passes: readonly (readonly EncodedSample[])[], bucket: Bucket, drawn: DrawnAnswers): Promise<Omit<StepBatch, 'epoch'>> {
  const { tokenizer } = source
  const rewards = passes.map((chosen, pass) => rewardsOf(config, tokenizer, chosen, drawn.answers[pass]!))
  const { advantages, metrics } = groupAdvantages(rewards.flat(), config.scaleRewards)
  const lengths = drawn.answers.flat().map((answer) => answer.length)
  const weight = grpoRowWeight(config, lengths)
  const tensors: Record<string, tf.Tensor> = {}
  let [numTokens, numPositions] = [0, 0]
  for (const [pass, chosen] of passes.entries()) {
    const rows = rowsOf(source, config, chosen, drawn.answers[pass]!, bucket)
    numTokens += rows.numTokens
    numPositions += rows.R * rows.T
    const [R, A, B] = [rows.R, rows.A, chosen.length]
    const own = rowTensors(rows)
    const patches = await imagesTensor(source, chosen.map(({ image }) => image))
    const made: Record<string, tf.Tensor> = {
      ...own,
      patches,
      rowWeights: tf.fill([R], weight),
      referenceLogProbs: tf.zeros([R]),
      // Row r is answer ⌊r/B⌋ to prompt r mod B.
      'sampled/advantages': tf.tensor1d(Array.from({ length: R }, (_, r) => advantages[pass * B + (r % B)]![Math.floor(r / B)]!)),
      'sampled/share': tf.scalar(1 / passes.length),
    }
    const old = drawn.oldLogProbs[pass]
    if (old !== undefined) made['sampled/oldLogProbs'] = tf.tensor2d([...old], [R, A])
    if (reference !== null) {
      const tokens = tf.tidy(() => imageTokens(reference, imageFeatures(reference, patches)))
      made['sampled/referenceLogProbs'] = tokenLogProbsOf(reference, rows, tokens, config)
      tokens.dispose()
    }
    for (const [name, tensor] of Object.entries(made)) tensors[`${pass}/${name}`] = tensor
  }
  return {
    tensors,
    numTokens,
    numPositions,
    samples: passes.flat().map(({ id }) => id),
    metrics: { ...metrics, ...lengthMetrics(lengths, drawn.answers.flat(), tokenizer.endId) },
  }
}

/** Rewards of G answers to each of B prompts: one list a prompt. */
function rewardsOf(config: ObjectiveOf<'grpo'>, { decode }: BatchSource['tokenizer'], chosen: readonly EncodedSample[], answers: readonly (readonly number[])[]): number[][] {
  const B = chosen.length
  return chosen.map((sample, b) => {
    const expected = acceptedAnswers(sample, decode)
    return answers.filter((_, r) => r % B === b).map((answer) => verifiableReward(config, decode([...answer]), expected))
  })
}

/** What an answer is judged against: the list of the dataset, or its one answer. */
function acceptedAnswers({ accepted, ownAnswer }: EncodedSample, decode: ChatTokenizer['decode']): readonly string[] {
  return accepted ?? [decode(ownAnswer ?? [])]
}

/** Of all answers, and of those that were ended (0 where none was), as TRL counts them. */
function lengthMetrics(lengths: readonly number[], answers: readonly (readonly number[])[], endId: number): Record<string, number> {
  const isEnded = answers.map((answer) => answer.at(-1) === endId)
  const ended = lengths.filter((_, i) => isEnded[i])
  const spread = (of: readonly number[], name: string) => ({
    [`completions/mean_${name}`]: of.reduce((sum, length) => sum + length, 0) / of.length,
    [`completions/min_${name}`]: Math.min(...of),
    [`completions/max_${name}`]: Math.max(...of),
  })
  return {
    ...spread(lengths, 'length'),
    ...spread(ended.length === 0 ? [0] : ended, 'terminated_length'),
    'completions/clipped_ratio': (answers.length - ended.length) / answers.length,
  }
}

function rowsOf({ tokenizer, numImageTokens }: BatchSource, { numGenerations }: ObjectiveOf<'grpo'>, chosen: readonly EncodedSample[], answers: readonly (readonly number[])[], bucket: Bucket) {
  const rows = Array.from({ length: numGenerations * chosen.length }, (_, r): EncodedRow => {
    const prompt = promptOf(chosen[r % chosen.length]!.rows[0]!)
    return { ids: [...prompt, ...answers[r]!], isAnswer: [...prompt.map(() => false), ...answers[r]!.map(() => true)] }
  })
  return collateRows(tokenizer, rows, chosen.length, numImageTokens, bucket)
}

/** @param tokens (B, I, D)  @returns (R, A); the caller disposes */
function tokenLogProbsOf(model: MultimodalLm, rows: ReturnType<typeof rowsOf>, tokens: tf.Tensor, { temperature }: ObjectiveOf<'grpo'>): tf.Tensor2D {
  return tf.tidy(() => sampledLogProbs(model, rowTensors(rows), tokens, temperature).logProbs)
}

/** What stands before the last answer. */
function promptOf({ ids, isAnswer }: EncodedRow): readonly number[] {
  const end = isAnswer.lastIndexOf(true)
  const before = isAnswer.lastIndexOf(false, end)
  return ids.slice(0, before + 1)
}
