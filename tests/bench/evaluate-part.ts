// One part of evaluate.ts in a process of its own. It says what it measured as JSON lines on standard output.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { jobSchema, type MapsJob } from '../../src-main/domain/job.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import { sampleSchema } from '../../src-main/domain/sample.ts'
import { numPatches, patchWidth } from '../../src-main/domain/vision-encoder-spec.ts'
import type { Matrix } from '../../src-main/engine/evaluate/measures/matrix.ts'
import { pooledStates } from '../../src-main/engine/evaluate/pooled-states.ts'
import { initialWeights } from '../../src-main/engine/weights/initial.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { compiledModel } from '../../src-main/jobs/compile/compiled-model.ts'
import { probeClasses, type ClassificationSets, type LabelledSet } from '../../src-main/jobs/evaluate/classification.ts'
import { createEncoderShelf } from '../../src-main/jobs/maps/encoder-shelf.ts'
import { runMapsJob } from '../../src-main/jobs/maps/maps-job.ts'
import { tinyProject } from '../jobs/evaluate/tiny-project.ts'
import type { EvaluateMeasure } from './comparing.ts'
import { CONFIGURATIONS } from './configurations.ts'
import type { EvaluatePart, ProbeSizes } from './evaluate.ts'
import { FULL_SIZE } from './full-size.ts'

const [part, sizes] = [process.argv[2] as EvaluatePart, JSON.parse(process.argv[3]!) as ProbeSizes]
await openBackend()
const tell = (measure: EvaluateMeasure) => void process.stdout.write(`${JSON.stringify(measure)}\n`)
/** Seconds of processor time of this process so far. */
const processorTime = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
const peakMb = () => process.resourceUsage().maxRSS / 1024
await (part === 'features' ? features() : part === 'maps' ? maps() : probe())
process.stdout.write('\n', () => process.exit(0))

/** Forward passes alone: reading and resizing pictures runs on their own file formats' time. */
async function features(): Promise<void> {
  const { visionEncoder: spec } = FULL_SIZE
  const [batchSize, batches] = [8, 3]
  const small = { ...FULL_SIZE, languageModel: CONFIGURATIONS.tiny.spec.languageModel }
  const held = compiledModel({ spec: small, weights: { visionEncoder: initialWeights(small, 0).visionEncoder, projector: {}, languageModel: {} } })
  const random = createRandom(0, 'features')
  const shape: [number, number, number] = [batchSize, numPatches(spec), patchWidth(spec)]
  const patches = tf.tensor3d(Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, () => random.normal()), shape)
  const once = () => {
    const { pooled } = held.run('pooled', (model, inputs) => ({ pooled: pooledStates(spec, model.weights.visionEncoder, inputs['patches']!, [spec.numHiddenLayers], 'mean')[0]! }), { patches })
    pooled!.dataSync()
    pooled!.dispose()
  }
  once()
  const [from, used] = [performance.now(), processorTime()]
  for (let i = 0; i < batches; i++) once()
  tell({ what: 'features', n: `ViT-B/16, 224 pixels, ${batchSize * batches} pictures in batches of ${batchSize}`, value: (batchSize * batches * 1000) / (performance.now() - from), unit: 'pictures/s', processor: processorTime() - used })
}

/** Every method at its defaults, on the demo's size of model: the first time, which loads the model, and the next picture. */
async function maps(): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'pivot-lab-maps-'))
  const shelf = createEncoderShelf(1 << 28)
  try {
    const tiny = tinyProject(root, { train: 2, validation: 1, test: 1 })
    const checkpoint = await tiny.checkpoint(0, CONFIGURATIONS.tiny.spec)
    const lines = readFileSync(join(root, 'snapshots', `${tiny.snapshots.preferences}.jsonl`), 'utf8').trim().split('\n')
    for (const [i, line] of lines.slice(0, 2).entries()) {
      const { image, content } = sampleSchema.parse(JSON.parse(line))
      if (content.kind !== 'preferences') throw new Error('expected a preference')
      const { prompt, chosen, rejected, region } = content
      const job = jobSchema.parse({ kind: 'maps', project: root, item: { image, prompt, chosen, rejected, region }, settings: {}, encoders: [{ name: 'it', checkpoint }] }) as MapsJob
      const [from, used] = [performance.now(), processorTime()]
      let firstMs: number | null = null
      let firstUsed = 0
      for await (const event of runMapsJob(job, { aborted: false }, shelf)) {
        if (event.kind !== 'answer' || firstMs !== null) continue
        ;[firstMs, firstUsed] = [performance.now() - from, processorTime() - used]
      }
      const n = '64 pixels in patches of 8'
      const of = i === 0 ? 'the first picture' : 'the next picture'
      tell({ what: `first map of ${of}`, n, value: firstMs!, unit: 'ms', processor: firstUsed, goal: 'about 1000' })
      tell({ what: `all maps of ${of}`, n: `${n}, ${job.settings.methods.length} methods`, value: performance.now() - from, unit: 'ms', processor: processorTime() - used })
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** Classes as clouds that overlap: the fit has work to do. */
async function probe(): Promise<void> {
  const { images, features: D, classes, test } = sizes
  const random = createRandom(0, 'probe', 'centres')
  const centres = Float32Array.from({ length: classes * D }, () => random.normal())
  const setOf = (rows: number, name: string): LabelledSet => {
    const stream = createRandom(0, 'probe', name)
    const labels = Int32Array.from({ length: rows }, () => stream.integer(classes))
    const values = new Float32Array(rows * D)
    // Sums of uniform numbers are normal enough, and quick.
    for (let i = 0; i < rows; i++) for (let j = 0; j < D; j++) values[i * D + j] = 0.06 * centres[labels[i]! * D + j]! + 2 * (stream.uniform() + stream.uniform() - 1) * 1.2
    const matrix: Matrix = { rows, columns: D, values }
    return { pictures: Array.from({ length: rows }, (_, i) => ({ id: `${name} ${i}`, image: `${name} ${i}`, category: String(labels[i]) })), features: matrix, labels }
  }
  const sets: ClassificationSets = { train: setOf(images, 'train'), validation: setOf(test, 'validation'), test: setOf(test, 'test'), categories: Array.from({ length: classes }, (_, c) => String(c)) }
  const lambdas = [1e-2, 1e-1, 1, 10, 100, 1000]
  const probes = ({ linear: ['linear'], neighbours: ['knn'], prototypes: ['prototype'] } as const)[part as 'linear']
  const before = peakMb()
  const [from, used] = [performance.now(), processorTime()]
  let score = 0
  for (const event of probeClasses(sets, { probes: [...probes], lambdas, neighbours: [10, 20, 100, 200], everyNeighbour: true, shots: [], draws: 2, seed: 0, suffix: '' }, () => ({ kind: 'progress', done: 0, of: 1 })))
    if (event.kind === 'result' && score === 0) score = event.value
  const n = `${images.toLocaleString('en')} × ${D}, ${classes} classes, ${test.toLocaleString('en')} to validate and ${test.toLocaleString('en')} to test${part === 'linear' ? `, ${lambdas.length} λ` : ''}`
  tell({ what: `${part === 'linear' ? 'sweep of λ' : part === 'neighbours' ? 'k-NN, four k' : 'prototypes'} (accuracy ${(100 * score).toFixed(0)} %)`, n, value: (performance.now() - from) / 1000, unit: 's', processor: processorTime() - used, ...(part === 'linear' ? { goal: 'minutes on 2 cores' } : {}) })
  tell({ what: '  peak memory', n: `${before.toFixed(0)} MB of it before`, value: peakMb(), unit: 'MB', goal: 'bounded' })
}
