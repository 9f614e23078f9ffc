// One reading to its events, on a connection of its own that sees the project as it was when it began, whatever is written
// meanwhile. The only list of what a reading can be.

import type { DataJobOf } from '../../domain/data-job.ts'
import { LabError } from '../../domain/errors.ts'
import type { AbortSignalLike, JobEvent } from '../../domain/job.ts'
import { parse } from '../../domain/parse.ts'
import { readingSchema, type Reading } from '../../domain/reading.ts'
import type { TokenCounter } from '../../domain/token-count.ts'
import { openForReading } from '../../store/database.ts'
import { createStore, type Store } from '../../store/store.ts'
import { candidates } from './candidates.ts'
import { find } from './find.ts'
import { pairHealth } from './pair-health.ts'
import { listImages, listSamples, writeSnapshot } from './sample-files.ts'
import { divide } from './divide.ts'
import { statistics } from './statistics.ts'
import { tokens } from './tokens.ts'

/** What a reading needs that is no matter of rows. */
export interface ReadingTools {
  openTokenCounter(folder: string): Promise<TokenCounter>
}

/** @throws LabError 'cancelled' between events */
export async function* runReading({ database, reading: given }: DataJobOf<'read'>, signal: AbortSignalLike, tools: ReadingTools): AsyncGenerator<JobEvent> {
  const reading = parse(readingSchema, given, 'internal', 'reading')
  const counter = reading.kind === 'tokens' ? await tools.openTokenCounter(reading.checkpoint) : null
  const open = openForReading(database)
  try {
    open.db.exec('BEGIN')
    const store = createStore(open)
    const work = reading.kind === 'tokens' ? tokens(store, reading, counter!) : answering(store, reading)
    for (let step = work.next(); ; step = work.next()) {
      if (signal.aborted) throw new LabError('cancelled', 'stopped while reading samples')
      yield step.done === true ? { kind: 'answer', value: step.value } : step.value
      if (step.done === true) return
    }
  } finally {
    open.close()
  }
}

function answering(store: Store, reading: Exclude<Reading, { kind: 'tokens' }>): Generator<JobEvent, unknown> {
  switch (reading.kind) {
    case 'statistics':
      return statistics(store, reading)
    case 'divide':
      return divide(store, reading)
    case 'find':
      return find(store, reading)
    case 'pair-health':
      return pairHealth(store, reading)
    case 'list-samples':
      return listSamples(store, reading)
    case 'list-images':
      return listImages(store, reading)
    case 'snapshot':
      return writeSnapshot(store, reading)
    case 'candidates':
      return candidates(store, reading)
  }
}
