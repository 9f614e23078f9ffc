// Samples that a queue of labelling may ask about, drawn by lot from those that fit, with a near miss where one is asked for.

import type { z } from 'zod'
import { nearMisses, type AskedQuestion } from '../../domain/labelling/near-miss.ts'
import { createRandom } from '../../domain/random.ts'
import type { candidatesSchema, ReadingOf, ReadingProgress } from '../../domain/reading.ts'
import { categoriesOfContent } from '../../domain/sample-facts.ts'
import type { Sample } from '../../domain/sample.ts'
import type { Store } from '../../store/store.ts'
import { createCounter } from './told.ts'

export function* candidates(store: Store, asked: ReadingOf<'candidates'>): Generator<ReadingProgress, z.output<typeof candidatesSchema>> {
  const tagged = asked.tag === '' ? null : new Set(store.datasets.idsTagged(asked.datasetId, asked.tag))
  const wanted = asked.search.toLowerCase()
  const { samples } = store.datasets.find(asked.datasetId)!
  const counter = createCounter(Object.values(samples).reduce((sum, each) => sum + each, 0))
  const found: Sample[] = []
  for (const sample of store.datasets.samples(asked.datasetId)) {
    const told = counter.next()
    if (told !== null) yield told
    if (asked.split !== null && sample.split !== asked.split) continue
    if (asked.category !== '' && (sample.content.kind === 'objects' || categoriesOfContent(sample.content)[0] !== asked.category)) continue
    if (tagged !== null && !tagged.has(sample.id)) continue
    if (wanted !== '' && !JSON.stringify(sample.content).toLowerCase().includes(wanted)) continue
    found.push(sample)
  }
  const misses = asked.nearMisses ? nearMisses(found.flatMap(questionOf), asked.seed) : null
  const able = misses === null ? found : found.filter(({ id }) => misses.has(id))
  const drawn = asked.limit === null ? able : createRandom(asked.seed, 'candidates').shuffle(able).slice(0, asked.limit)
  return drawn.map((sample) => ({ sample, nearMiss: misses?.get(sample.id) ?? null }))
}

function questionOf({ id, content }: Sample): AskedQuestion[] {
  return content.kind === 'questions' ? [{ id, question: content.question, answer: content.answer, category: content.category }] : []
}
