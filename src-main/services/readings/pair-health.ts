// What the texts of a dataset's pairs say by themselves, with the right answers that the project knows from its questions.

import { examinePairs, questionKey, type PairHealth } from '../../domain/labelling/pair-health.ts'
import type { ReadingOf, ReadingProgress } from '../../domain/reading.ts'
import { sampleFilterSchema } from '../../domain/sample-query.ts'
import type { Store } from '../../store/store.ts'
import { createCounter } from './told.ts'

export function* pairHealth(store: Store, { datasetId }: ReadingOf<'pair-health'>): Generator<ReadingProgress, PairHealth> {
  const pairs = sampleFilterSchema.parse({ datasetId })
  const questions = sampleFilterSchema.parse({ kinds: ['questions'] })
  const counter = createCounter(store.sampleCounts.count(pairs) + store.sampleCounts.count(questions))
  const known = new Map<string, string>()
  for (const { sha256, content } of store.samples.examined(questions)) {
    const told = counter.next()
    if (told !== null) yield told
    if (content.kind === 'questions') known.set(questionKey(sha256, content.question), content.answer)
  }
  const examination = examinePairs(known)
  for (const { row, id, sha256, content } of store.samples.examined(pairs)) {
    const told = counter.next()
    if (told !== null) yield told
    if (content.kind === 'preferences') examination.add({ row, id, imageSha256: sha256, content })
  }
  return examination.result()
}
