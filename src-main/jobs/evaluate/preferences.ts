// Preference accuracy: is the chosen answer of a held-out pair more likely than the rejected one? Sums over tokens, as in
// DPO; a tie counts as wrong.

import type { ItemResult } from '../../domain/job.ts'
import type { ItemDetail } from '../../domain/study-results.ts'
import { encodeSamples } from '../batches.ts'
import { pairLogProbs } from '../reference-log-probs.ts'
import { batchesOf, byLength, drawSamples, mean, samplesOfSplit, type Measurement } from './bench.ts'

export const measurePreferences: Measurement = async function* (bench) {
  const { measured, settings } = bench
  const { model, tokenizer } = measured
  const pairs = await samplesOfSplit(bench, 'preferences', 'preferences', 'test')
  const samples = drawSamples(pairs, settings.preferences.limit, settings.seed, 'preferences')
  const { maxPositionEmbeddings } = model.spec.languageModel
  const { samples: encoded, tooLong } = encodeSamples(samples, tokenizer, measured.numImageTokens, maxPositionEmbeddings, {
    needsPairs: true,
  })
  if (tooLong.length > 0)
    yield {
      kind: 'log',
      level: 'warning',
      message: `${tooLong.length} pairs are longer than ${maxPositionEmbeddings} tokens and are left out`,
    }
  yield { kind: 'part', name: 'preference pairs', of: encoded.length }

  const byId = new Map(samples.map((sample) => [sample.id, sample]))
  const items: ItemResult[] = []
  for (const group of batchesOf(byLength(encoded), settings.batchSize)) {
    const [chosen, rejected] = await pairLogProbs(measured, measured, group)
    group.forEach(({ id }, i) => {
      const { image, content } = byId.get(id)!
      const detail: ItemDetail = {
        kind: 'preference',
        image: image?.sha256 ?? null,
        prompt: content.prompt,
        chosen: content.chosen,
        rejected: content.rejected,
        logProbs: { chosen: chosen[i]!, rejected: rejected[i]! },
      }
      items.push({
        itemId: id,
        cluster: image?.sha256 ?? id,
        group: content.group,
        value: chosen[i]! > rejected[i]! ? 1 : 0,
        detail,
      })
    })
    yield { kind: 'progress', done: items.length, of: encoded.length }
    bench.assertWanted()
  }
  yield { kind: 'items', metric: 'preference/accuracy', items }
  yield { kind: 'result', metric: 'preference/accuracy', value: mean(items.map(({ value }) => value)), n: items.length }
}
