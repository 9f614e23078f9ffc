// What a filter's samples are made of, for the charts beside them. Every sample is read once.

import { HISTOGRAM_BINS, type DatasetStatistics } from '../../domain/dataset-view.ts'
import type { ReadingOf, ReadingProgress } from '../../domain/reading.ts'
import { answersOfContent, questionsOfContent } from '../../domain/sample-facts.ts'
import type { Store } from '../../store/store.ts'
import { createCounter } from './told.ts'

const MOST_ANSWERS = 50

export function* statistics(store: Store, { filter }: ReadingOf<'statistics'>): Generator<ReadingProgress, DatasetStatistics> {
  const answers = new Map<string, number>()
  const gaps: number[] = []
  const counter = createCounter(store.sampleCounts.count(filter))
  let [samples, words] = [0, 0]
  for (const { content } of store.samples.examined(filter)) {
    samples += 1
    const told = counter.next()
    if (told !== null) yield told
    const said = answersOfContent(content)
    for (const answer of said) answers.set(answer, (answers.get(answer) ?? 0) + 1)
    words += countWords(said) + countWords(questionsOfContent(content))
    if (content.kind === 'preferences') gaps.push(content.chosen.length - content.rejected.length)
  }
  return {
    samples,
    images: store.sampleCounts.imageCount(filter),
    textLength: [...store.sampleCounts.histogram(filter, 'textLength', HISTOGRAM_BINS)],
    lengthGap: histogram(gaps, HISTOGRAM_BINS),
    imageSize: [...store.sampleCounts.histogram(filter, 'imageSize', HISTOGRAM_BINS)],
    categories: [...store.sampleCounts.categoryBalance(filter)],
    answers: [...answers]
      .map(([value, count]) => ({ value, count }))
      .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
      .slice(0, MOST_ANSWERS),
    words: { total: words, perSample: samples === 0 ? 0 : words / samples },
  }
}

const countWords = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + (text.match(/\S+/g)?.length ?? 0), 0)

/** Integers in at most `bins` bins of equal width. */
function histogram(values: readonly number[], bins: number): { from: number; to: number; count: number }[] {
  if (values.length === 0) return []
  let [low, high] = [Infinity, -Infinity]
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)]
  const width = Math.max(1, Math.ceil((high - low + 1) / bins))
  const counts = Array.from({ length: Math.floor((high - low) / width) + 1 }, (_, i) => ({
    from: low + i * width,
    to: low + (i + 1) * width - 1,
    count: 0,
  }))
  for (const value of values) counts[Math.floor((value - low) / width)]!.count += 1
  return counts
}
