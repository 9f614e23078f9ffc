// A checkpoint's answers to prompts, for labellers to compare: under the true image, or under one that stands in for it.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import type { AbortSignalLike, AnswersJob, JobEvent } from '../../domain/job.ts'
import { createRandom } from '../../domain/random.ts'
import type { ImageRef } from '../../domain/sample.ts'
import { collectAnswers, generateTokens, promptEmbeddings } from '../../engine/generate.ts'
import { imageTokens } from '../../engine/models/multimodal-lm.ts'
import { preprocessImage } from '../../engine/preprocess/pipeline.ts'
import { encodeRow } from '../../engine/text/collate.ts'
import { withImage } from '../batches.ts'
import { decoderOf } from '../compile/compiled-model.ts'
import { openMeasuredModel, type MeasuredModel } from '../evaluate/measured-model.ts'
import { patchesOf } from '../samples.ts'
import { anotherImage, blurred } from './stand-in-images.ts'

/** @throws LabError 'cancelled' between batches; 'not-found', 'corrupt-artifact' for the checkpoint or an image */
export async function* runAnswersJob(job: AnswersJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const measured = await openMeasuredModel(job.project, job.checkpoint)
  try {
    yield { kind: 'part', name: 'answers', of: job.prompts.length }
    const { model, tokenizer, numImageTokens } = measured
    const { maxPositionEmbeddings } = model.spec.languageModel
    const images = standIns(job)
    const asked = job.prompts.map(({ id, prompt, image }, i) => {
      const row = encodeRow(
        tokenizer,
        [
          { from: 'human', text: withImage(prompt, image !== null) },
          { from: 'assistant', text: 'x' },
        ],
        numImageTokens,
      )
      return { id, image: images[i]!, tokens: row.ids.slice(0, row.isAnswer.indexOf(true)) }
    })
    const able = asked.filter(({ tokens }) => tokens.length + job.maxNewTokens <= maxPositionEmbeddings)
    if (able.length < asked.length)
      yield {
        kind: 'log',
        level: 'warning',
        message: `${asked.length - able.length} prompts with an answer of ${job.maxNewTokens} tokens are longer than ${maxPositionEmbeddings} and are left out`,
      }
    // Prompts of like length stand together, so that little is padded.
    const sorted = able.toSorted((a, b) => a.tokens.length - b.tokens.length)
    for (let at = 0; at < sorted.length; at += job.batchSize) {
      if (signal.aborted) throw new LabError('cancelled', 'cancelled while answering')
      const group = sorted.slice(at, at + job.batchSize)
      const features = await featuresOf(measured, job.image, group.map(({ image }) => image))
      const tokens = tf.tidy(() => imageTokens(model, features))
      const prompts = group.map((each) => each.tokens)
      const embeddings = promptEmbeddings(model, prompts, tokens, tokenizer)
      const answers = collectAnswers(
        generateTokens(
          decoderOf(measured),
          embeddings,
          prompts.map((prompt) => prompt.length),
          { endIds: tokenizer.endIds, maxNewTokens: job.maxNewTokens },
          // A seed of its own for each batch, or all batches would draw alike.
          { temperature: job.temperature, topP: 1, seed: createRandom(job.seed, 'answers', at).integer(2 ** 31) },
        ),
        prompts.length,
      )
      tf.dispose([features, tokens, embeddings])
      yield {
        kind: 'items',
        metric: 'answers',
        items: group.map(({ id, image }, i) => ({
          itemId: id,
          cluster: image?.sha256 ?? id,
          group: null,
          value: answers[i]!.length,
          detail: tokenizer.decode(answers[i]!),
        })),
      }
      yield { kind: 'progress', done: Math.min(at + job.batchSize, sorted.length), of: sorted.length }
    }
  } finally {
    measured.dispose()
  }
}

/** What each prompt looks at; pixels are changed later. */
function standIns({ prompts, image, seed }: AnswersJob): readonly (ImageRef | null)[] {
  const own = prompts.map((each) => each.image)
  if (image === 'blank') return own.map(() => null)
  return image === 'shuffled' ? anotherImage(own, createRandom(seed, 'shuffled-images')) : own
}

/** (B, P, D). The caller disposes. */
async function featuresOf(measured: MeasuredModel, condition: AnswersJob['image'], refs: readonly (ImageRef | null)[]): Promise<tf.Tensor3D> {
  const { patchSize } = measured.model.spec.visionEncoder
  const size = measured.numPatches * measured.patchWidth
  if (condition !== 'blurred' && condition !== 'blank') return measured.features(refs)
  const patches: Float32Array[] = []
  for (const ref of refs)
    patches.push(
      ref === null
        ? new Float32Array(size)
        : patchesOf(preprocessImage(blurred(await measured.images.raw(ref)), measured.preprocess), patchSize),
    )
  return measured.featuresOf(patches)
}
