// Samples written one a line, for work that never opens the database: what an export is to write, and the snapshots that
// runs read.

import { createHash } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import type { ReadingOf, ReadingProgress } from '../../domain/reading.ts'
import type { Store } from '../../store/store.ts'
import { createCounter } from './told.ts'

const BYTES_AT_ONCE = 1 << 20

/** Writes each value as a line of JSON; `observe` is given the bytes. Returns how many. */
function* writeLines(file: string, of: number, values: Iterable<unknown>, observe: (bytes: Uint8Array) => void = () => {}): Generator<ReadingProgress, number> {
  const descriptor = openSync(file, 'w')
  const counter = createCounter(of)
  let [text, count] = ['', 0]
  const write = () => {
    const bytes = Buffer.from(text)
    observe(bytes)
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at)
    text = ''
  }
  try {
    for (const value of values) {
      text += `${JSON.stringify(value)}\n`
      count += 1
      if (text.length > BYTES_AT_ONCE) write()
      const told = counter.next()
      if (told !== null) yield told
    }
    write()
    return count
  } finally {
    closeSync(descriptor)
  }
}

export function listSamples(store: Store, { filter, file }: ReadingOf<'list-samples'>): Generator<ReadingProgress, number> {
  return writeLines(file, store.sampleCounts.count(filter), store.samples.forExport(filter))
}

export function* listImages(store: Store, { filter, file }: ReadingOf<'list-images'>): Generator<ReadingProgress, readonly string[]> {
  const images = store.samples.images(filter)
  yield* writeLines(file, images.length, images)
  return images.map(({ sha256 }) => sha256)
}

export function* writeSnapshot(store: Store, { datasetId, file }: ReadingOf<'snapshot'>) {
  const hash = createHash('sha256')
  const { samples } = store.datasets.find(datasetId)!
  const of = Object.values(samples).reduce((sum, each) => sum + each, 0)
  const count = yield* writeLines(file, of, store.datasets.samples(datasetId), (bytes) => hash.update(bytes))
  return { sha256: hash.digest('hex'), samples: count, changes: store.datasets.changesOf(datasetId) }
}
