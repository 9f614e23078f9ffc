// Question answering: the greedy answer to each held-out question, cleaned and compared with the expected one.

import * as tf from '@tensorflow/tfjs'
import type { ItemResult } from '../../domain/job.ts'
import { QUESTION_GROUPS } from '../../domain/sample.ts'
import type { ItemDetail } from '../../domain/study-results.ts'
import { exactMatch } from '../../engine/evaluate/measures/answers.ts'
import { greedyAnswers } from '../../engine/generate.ts'
import { imageTokens } from '../../engine/models/multimodal-lm.ts'
import { decoderOf } from '../compile/compiled-model.ts'
import { encodeSamples } from '../batches.ts'
import { batchesOf, drawSamples, mean, samplesOfSplit, type Measurement } from './bench.ts'

/** Yields vqa/all and one number a group that occurs; the items stand under vqa/all and carry their group. */
export const measureQuestions: Measurement = async function* (bench) {
  const { measured, settings } = bench
  const { model, tokenizer } = measured
  const { limit, maxNewTokens } = settings.questions
  const samples = drawSamples(await samplesOfSplit(bench, 'questions', 'questions', 'test'), limit, settings.seed, 'questions')
  const { maxPositionEmbeddings } = model.spec.languageModel
  const { samples: encoded, tooLong } = encodeSamples(samples, tokenizer, measured.numImageTokens, maxPositionEmbeddings)
  if (tooLong.length > 0)
    yield {
      kind: 'log',
      level: 'warning',
      message: `${tooLong.length} questions are longer than ${maxPositionEmbeddings} tokens and are left out`,
    }
  yield { kind: 'part', name: 'questions', of: encoded.length }

  const byId = new Map(samples.map((sample) => [sample.id, sample]))
  // The prompt is what stands before the answer in the very row that training would see.
  const asked = encoded.map(({ id, rows: [row] }) => ({
    sample: byId.get(id)!,
    prompt: row!.ids.slice(0, row!.isAnswer.indexOf(true)),
  }))
  const items = new Map<string, ItemResult>()
  // Prompts of like length stand together, so that little is padded.
  for (const group of batchesOf(
    asked.toSorted((a, b) => a.prompt.length - b.prompt.length),
    settings.batchSize,
  )) {
    const features = await measured.features(group.map(({ sample }) => sample.image))
    const tokens = tf.tidy(() => imageTokens(model, features))
    const answers = greedyAnswers(
      model,
      group.map(({ prompt }) => prompt),
      tokens,
      tokenizer,
      { endIds: tokenizer.endIds, maxNewTokens },
      decoderOf(measured),
    )
    tf.dispose([features, tokens])
    group.forEach(({ sample: { id, image, content } }, i) => {
      const given = tokenizer.decode(answers[i]!)
      const detail: ItemDetail = {
        kind: 'question',
        image: image?.sha256 ?? null,
        question: content.question,
        expected: content.answer,
        given,
        region: content.region,
      }
      items.set(id, {
        itemId: id,
        cluster: image?.sha256 ?? id,
        group: content.group,
        value: exactMatch(given, [content.answer]) ? 1 : 0,
        detail,
      })
    })
    yield { kind: 'progress', done: items.size, of: encoded.length }
    bench.assertWanted()
  }

  const all = encoded.map(({ id }) => items.get(id)!)
  yield { kind: 'items', metric: 'vqa/all', items: all }
  yield { kind: 'result', metric: 'vqa/all', value: mean(all.map(({ value }) => value)), n: all.length }
  for (const group of QUESTION_GROUPS) {
    const own = all.filter((item) => item.group === group)
    if (own.length > 0)
      yield { kind: 'result', metric: `vqa/${group}`, value: mean(own.map(({ value }) => value)), n: own.length }
  }
}
