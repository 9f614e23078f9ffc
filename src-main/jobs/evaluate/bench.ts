// What every evaluator is given: the checkpoint to be measured, the one it is compared with, and the samples it may use.
// Which samples are drawn depends on the data and the evaluation's seed only, so that every checkpoint answers the same.

import { LabError } from '../../domain/errors.ts'
import type { Evaluation } from '../../domain/evaluation.ts'
import type { AbortSignalLike, EvaluateJob, JobEvent } from '../../domain/job.ts'
import { createRandom } from '../../domain/random.ts'
import type { DatasetKind, Sample, SampleOf, Split } from '../../domain/sample.ts'
import type { EncodedSample } from '../batches.ts'
import { readSnapshot, samplesOf } from '../samples.ts'
import type { MeasuredModel } from './measured-model.ts'

/** Where samples come from, and whether anyone still wants them. */
export interface SampleBench {
  readonly job: Pick<EvaluateJob, 'snapshots'>
  /** A snapshot's samples, read once. */
  snapshot(sha256: string): Promise<readonly Sample[]>
  /** @throws LabError 'cancelled' */
  assertWanted(): void
}

export interface Bench extends SampleBench {
  readonly job: EvaluateJob
  readonly settings: Evaluation
  readonly measured: MeasuredModel
  /** The very same object as `measured` where a checkpoint is its own baseline. */
  readonly baseline: MeasuredModel | null
}

/** Measures one thing: a part, progress, items, results. */
export type Measurement = (bench: Bench) => AsyncGenerator<JobEvent>

type Role = keyof EvaluateJob['snapshots']

export function createBench(
  job: EvaluateJob,
  measured: MeasuredModel,
  baseline: MeasuredModel | null,
  signal: AbortSignalLike,
): Bench {
  const snapshots = new Map<string, Promise<readonly Sample[]>>()
  return {
    job,
    settings: job.settings,
    measured,
    baseline,
    snapshot(sha256) {
      const known = snapshots.get(sha256) ?? readSnapshot(job.project, sha256)
      snapshots.set(sha256, known)
      return known
    },
    assertWanted() {
      if (signal.aborted) throw new LabError('cancelled', 'cancelled while measuring')
    },
  }
}

/**
 * The samples of one split of a role's snapshot.
 * @throws LabError 'invalid-input' when there is no snapshot, or nothing of that split in it
 */
export async function samplesOfSplit<K extends DatasetKind>(
  bench: SampleBench,
  role: Role,
  kind: K,
  split: Split,
): Promise<readonly SampleOf<K>[]> {
  const snapshot = bench.job.snapshots[role]
  if (snapshot === null)
    throw new LabError(
      'invalid-input',
      `snapshots.${role}: expected a dataset of ${kind}, found none; choose one or leave out what needs it`,
    )
  const all = samplesOf(await bench.snapshot(snapshot), kind)
  const found = all.filter((sample) => sample.split === split)
  if (found.length === 0)
    throw new LabError(
      'invalid-input',
      `snapshots.${role}: expected samples of the split "${split}", found ${all.length} samples and none of it; ` +
        'import held-out data, or split the dataset',
    )
  return found
}

/** At most `limit` of the samples, in their own order: the same ones for every checkpoint. */
export function drawSamples<T>(samples: readonly T[], limit: number, seed: number, purpose: string): readonly T[] {
  if (samples.length <= limit) return samples
  const chosen = createRandom(seed, 'evaluation', purpose)
    .shuffle(samples.map((_, i) => i))
    .slice(0, limit)
  return chosen.sort((a, b) => a - b).map((i) => samples[i]!)
}

/** Shortest first, so that samples of like length share a batch and little is padded. */
export function byLength(samples: readonly EncodedSample[]): readonly EncodedSample[] {
  const lengthOf = ({ rows }: EncodedSample) => Math.max(...rows.map(({ ids }) => ids.length))
  return samples.toSorted((a, b) => lengthOf(a) - lengthOf(b))
}

/** Groups of at most `size`, in order. */
export function batchesOf<T>(values: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, i) => values.slice(i * size, (i + 1) * size))
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
