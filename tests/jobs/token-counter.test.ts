// Tokens are counted as a training counts them: what is longer than maxLength here is what a training leaves out there.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Sample } from '../../src-main/domain/sample.ts'
import { numImageTokens } from '../../src-main/domain/model-spec.ts'
import { encodeSamples } from '../../src-main/jobs/batches.ts'
import { readCheckpoint } from '../../src-main/jobs/checkpoint.ts'
import { readSnapshot } from '../../src-main/jobs/samples.ts'
import { openTokenCounter } from '../../src-main/jobs/token-counter.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { tinyProject } from './evaluate/tiny-project.ts'

it('is the length of the longest row that a training makes of a sample, read from a folder without its weights', async () => {
  const project = temporaryFolder()
  const tiny = tinyProject(project)
  const checkpoint = await tiny.checkpoint(1)
  const { snapshots } = tiny.evaluateJob({ checkpoint, evaluators: ['preferences', 'questions'] })
  const loaded = await readCheckpoint(checkpoint)
  rmSync(join(checkpoint, 'model.safetensors'))
  const counter = await openTokenCounter(checkpoint)
  expect(counter.limit).toBe(loaded.checkpoint.model.languageModel.maxPositionEmbeddings)
  expect((await openTokenCounter(checkpoint)).identity).toBe(counter.identity)
  for (const snapshot of [snapshots.preferences, snapshots.questions]) {
    const samples: readonly Sample[] = await readSnapshot(project, snapshot!)
    const counts = samples.map((sample) => counter.count(sample)!)
    expect(new Set(counts).size).toBeGreaterThan(1)
    const most = counts.toSorted((a, b) => a - b)[counts.length >> 1]!
    const { tooLong } = encodeSamples(samples, loaded.tokenizer, numImageTokens(loaded.checkpoint.model), most)
    expect(tooLong).toEqual(samples.filter((_, i) => counts[i]! > most).map(({ id }) => id))
  }
  expect(counter.count({ image: null, content: { kind: 'objects', objects: [] } })).toBeNull()
})
