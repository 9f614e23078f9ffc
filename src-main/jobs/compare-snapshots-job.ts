// What changed between two versions of a dataset, by the ids of their samples. Only ids and splits are held in memory.

import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { DataJobOf } from '../domain/data-job.ts'
import type { SnapshotDifference } from '../domain/dataset-view.ts'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent } from '../domain/job.ts'
import { parse } from '../domain/parse.ts'
import { sampleSchema } from '../domain/sample.ts'

const MOST_IDS = 100

export async function* runCompareSnapshotsJob(
  job: DataJobOf<'compare-snapshots'>,
  signal: AbortSignalLike,
): AsyncGenerator<JobEvent> {
  const before = await splitsOf(job.project, job.from, signal)
  const after = await splitsOf(job.project, job.to, signal)
  const [added, removed, moved] = [[] as string[], [] as string[], [] as string[]]
  for (const [id, split] of after)
    if (!before.has(id)) added.push(id)
    else if (before.get(id) !== split) moved.push(id)
  for (const id of before.keys()) if (!after.has(id)) removed.push(id)
  const value: SnapshotDifference = {
    added: added.length,
    removed: removed.length,
    moved: moved.length,
    same: after.size - added.length - moved.length,
    addedIds: added.slice(0, MOST_IDS),
    removedIds: removed.slice(0, MOST_IDS),
    movedIds: moved.slice(0, MOST_IDS),
  }
  yield { kind: 'answer', value }
}

const placeSchema = sampleSchema.pick({ id: true, split: true })

async function splitsOf(project: string, snapshot: string, signal: AbortSignalLike): Promise<ReadonlyMap<string, string>> {
  const path = join(project, 'snapshots', `${snapshot}.jsonl`)
  const splits = new Map<string, string>()
  try {
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
      if (signal.aborted) throw new LabError('cancelled', 'stopped while comparing snapshots')
      const { id, split } = parse(placeSchema.strip(), JSON.parse(line), 'corrupt-artifact', path)
      splits.set(id, split)
    }
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown
    throw new LabError('not-found', `${path} does not exist; lab versions lists the snapshots of a dataset`, { path }, thrown)
  }
  return splits
}
