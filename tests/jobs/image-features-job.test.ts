// Features of images under an encoder: kept on disk, computed once, and nothing of the engine is left behind.

import { readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { beforeAll, expect, it } from 'vitest'
import type { JobEvent } from '../../src-main/domain/job.ts'
import type { ImageRef, Sample } from '../../src-main/domain/sample.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { readFeatures } from '../../src-main/jobs/feature-file.ts'
import { runImageFeaturesJob } from '../../src-main/jobs/image-features-job.ts'
import { readSnapshot } from '../../src-main/jobs/samples.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { tinyProject } from './evaluate/tiny-project.ts'

beforeAll(() => openBackend())

it('are computed once an image and encoder, in the order in which images were first asked for', async () => {
  const project = temporaryFolder()
  const tiny = tinyProject(project)
  const checkpoint = await tiny.checkpoint(1)
  const { snapshots } = tiny.evaluateJob({ checkpoint, evaluators: ['probe'] })
  const samples: readonly Sample[] = await readSnapshot(project, snapshots.objects!)
  const images = [...new Map(samples.flatMap(({ image }) => (image === null ? [] : [[image.sha256, image] as const]))).values()]
  const tensors = tf.memory().numTensors
  async function features(of: readonly ImageRef[]) {
    const events: JobEvent[] = []
    const list = join(project, 'images.jsonl')
    writeFileSync(list, of.map((image) => `${JSON.stringify(image)}\n`).join(''))
    for await (const event of runImageFeaturesJob({ kind: 'image-features', project, checkpoint, images: list }, { aborted: false })) events.push(event)
    const missing = events.find((event) => event.kind === 'part')!.of
    const file = events.find((event) => event.kind === 'artifact')!.path
    return { missing, ...(await readFeatures(file)) }
  }
  const file = () => join(project, 'cache', 'features', readdirSync(join(project, 'cache', 'features'))[0]!)
  const first = await features(images.slice(0, 5))
  const all = await features(images)
  expect([first.missing, all.missing]).toEqual([5, images.length - 5])
  expect(all.images).toEqual(images.map(({ sha256 }) => sha256))
  expect([...all.features.values.subarray(0, first.features.values.length)]).toEqual([...first.features.values])
  expect((await features(images)).missing).toBe(0)
  // A file cut short is computed again, not complained of for ever.
  truncateSync(file(), 100)
  expect(await features(images)).toMatchObject({ missing: images.length, images: all.images })
  expect(tf.memory().numTensors).toBe(tensors)
})
