// One question to a model, about a picture or without one. The answer comes piece by piece, so that a person sees it grow;
// no piece holds half a character, and leaving or cancelling stops it between two tokens.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, AskJob, JobEvent } from '../domain/job.ts'
import { numImageTokens } from '../domain/model-spec.ts'
import type { ModelAnswer, ModelQuestion } from '../domain/model-view.ts'
import { patchWidth } from '../domain/vision-encoder-spec.ts'
import { eagerDecoder, generateTokens, promptEmbeddings, type Decoder } from '../engine/generate.ts'
import { embedTokens } from '../engine/models/language-model.ts'
import { imageFeatures, imageTokens } from '../engine/models/multimodal-lm.ts'
import { preprocessImage } from '../engine/preprocess/pipeline.ts'
import { expandImage } from '../engine/text/collate.ts'
import type { ChatTokenizer } from '../engine/text/tokenizer.ts'
import { tokenProbabilities } from '../engine/token-probabilities.ts'
import { createStreamDecoder } from '../engine/text/stream-decoder.ts'
import { withImage } from './batches.ts'
import { readCheckpoint } from './checkpoint.ts'
import { heldModel } from './held-model.ts'
import { readImage } from './images/codec.ts'
import { patchesOf } from './samples.ts'

/** Tokens told beside the chosen one. */
const ALTERNATIVES = 5

/** @throws LabError 'not-found', 'corrupt-artifact', 'invalid-input' for a prompt that is longer than the model reads, 'cancelled' */
export async function* runAskJob({ checkpoint: folder, image, question }: AskJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const { checkpoint, weights, tokenizer, preprocess } = await readCheckpoint(folder)
  const spec = checkpoint.model
  const prompt = tokenizer.encodePrompt([{ from: 'human', text: withImage(question.question, image !== null) }])
  const { ids } = expandImage(tokenizer, { ids: prompt, isAnswer: prompt.map(() => false) }, numImageTokens(spec))
  const longest = spec.languageModel.maxPositionEmbeddings
  if (ids.length + question.maxNewTokens > longest)
    throw new LabError('invalid-input', `expected prompt and answer within the model's ${longest} tokens, found ${ids.length} and ${question.maxNewTokens}; ask less, or shorten the answer`)
  const pixels = image === null ? null : patchesOf(preprocessImage(await readImage(image), preprocess), spec.visionEncoder.patchSize)
  const held = heldModel({ spec, weights })
  let embeddings: tf.Tensor | null = null
  try {
    embeddings = tf.tidy(() => {
      if (pixels === null) return embedTokens(held.model.weights.languageModel, tf.tensor2d([...ids], [1, ids.length], 'int32'))
      const width = patchWidth(spec.visionEncoder)
      const patches = tf.tensor3d(pixels, [1, pixels.length / width, width])
      return promptEmbeddings(held.model, [ids], imageTokens(held.model, imageFeatures(held.model, patches)), tokenizer)
    })
    const decoder = createStreamDecoder(tokenizer, question.stops)
    const limits = { endIds: tokenizer.endIds, maxNewTokens: question.maxNewTokens }
    const notFollowed = settingsNotFollowed(tokenizer, question)
    if (notFollowed.length > 0) yield { kind: 'log', level: 'info', message: `generation_config.json asks for what this answer does not follow: ${notFollowed.join(', ')}` }
    yield { kind: 'part', name: 'answering', of: question.maxNewTokens }
    let [text, tokens] = ['', 0]
    const watched = watchLogits(eagerDecoder(spec.languageModel, held.model.weights.languageModel))
    for (const [id] of generateTokens(watched.decoder, embeddings, [ids.length], limits, question, [ids])) {
      if (signal.aborted) throw new LabError('cancelled', `cancelled after ${tokens} tokens`)
      const { chosen, likeliest } = tokenProbabilities(watched.logits(), id!, ALTERNATIVES)
      const named = (each: typeof chosen) => ({ text: tokenizer.decode([each.id]), probability: each.probability })
      yield { kind: 'token', token: { ...named(chosen), alternatives: likeliest.map(named) } }
      const piece = decoder.push(id!)
      tokens += 1
      text += piece
      if (piece !== '') yield { kind: 'text', piece }
      yield { kind: 'progress', done: tokens, of: question.maxNewTokens }
      if (decoder.hasStopped) break
    }
    const rest = decoder.end()
    text += rest
    if (rest !== '') yield { kind: 'text', piece: rest }
    const ended: ModelAnswer['ended'] = decoder.hasStopped ? 'stop' : tokens === question.maxNewTokens ? 'limit' : 'end'
    yield { kind: 'answered', answer: { text, tokens, ended } }
  } finally {
    embeddings?.dispose()
    held.dispose()
  }
}

/** What the checkpoint asks of answers and this one does otherwise, by the names of generation_config.json. */
function settingsNotFollowed({ recommended, notComputed }: Pick<ChatTokenizer, 'recommended' | 'notComputed'>, question: ModelQuestion): readonly string[] {
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  const otherwise = Object.entries(recommended ?? {}).flatMap(([name, asked]) => {
    const found = question[name as keyof typeof recommended & keyof ModelQuestion]
    return found === asked ? [] : [`${snake(name)} ${asked} (here ${String(found)})`]
  })
  return [...otherwise, ...notComputed.map((each) => `${each} (not computed)`)]
}

/** The same decoder; `logits` are those (V) that the token just chosen came from, of its only row. */
function watchLogits(decoder: Decoder): { readonly decoder: Decoder; readonly logits: () => Float32Array } {
  let last: tf.Tensor2D | null = null
  const watch = (step: ReturnType<Decoder['readToken']>) => {
    last = step.logits
    return step
  }
  return {
    decoder: { readPrompts: (...given) => watch(decoder.readPrompts(...given)), readToken: (...given) => watch(decoder.readToken(...given)) },
    logits: () => last!.dataSync() as Float32Array,
  }
}
