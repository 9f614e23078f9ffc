// Counts the tokens of those samples of a filter that the tokenizer has not counted yet.

import type { JobEvent } from '../../domain/job.ts'
import type { ReadingOf } from '../../domain/reading.ts'
import type { TokenCounter, TokenReading } from '../../domain/token-count.ts'
import type { Store } from '../../store/store.ts'

const SAMPLES_A_MESSAGE = 500

export function* tokens(store: Store, { filter }: ReadingOf<'tokens'>, counter: TokenCounter): Generator<JobEvent, TokenReading> {
  const { identity, limit } = counter
  const of = store.samples.countUncounted(filter, identity)
  let [rows, counts, done]: [number[], number[], number] = [[], [], 0]
  const message = (): JobEvent => {
    const told: JobEvent = { kind: 'counted', tokenizer: identity, limit, rows: Int32Array.from(rows), tokens: Int32Array.from(counts) }
    ;[rows, counts] = [[], []]
    return told
  }
  yield message()
  for (const { row, sample } of store.samples.uncounted(filter, identity)) {
    const count = counter.count(sample)
    if (count !== null) {
      rows.push(row)
      counts.push(count)
    }
    if (++done % SAMPLES_A_MESSAGE !== 0) continue
    yield message()
    yield { kind: 'progress', done, of }
  }
  if (rows.length > 0) yield message()
  return { tokenizer: identity, limit }
}
