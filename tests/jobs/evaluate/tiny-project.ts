// A project small enough for a test: pictures of one or two coloured squares, snapshots of every role about them, a
// tokenizer learned from their texts, and checkpoints of a model with two blocks of width 16.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EvaluateJob } from '../../../src-main/domain/job.ts'
import { jobSchema } from '../../../src-main/domain/job.ts'
import { multimodalLmSpecSchema, type MultimodalLmSpec } from '../../../src-main/domain/model-spec.ts'
import { siglipPreprocess } from '../../../src-main/domain/preprocess-spec.ts'
import { createRandom } from '../../../src-main/domain/random.ts'
import {
  sampleSchema,
  type AnnotatedObject,
  type Box,
  type Content,
  type ImageRef,
  type Sample,
  type Split,
} from '../../../src-main/domain/sample.ts'
import { trainTokenizer } from '../../../src-main/engine/text/train-tokenizer.ts'
import { initialWeights } from '../../../src-main/engine/weights/initial.ts'
import { writeCheckpoint } from '../../../src-main/jobs/checkpoint.ts'
import { sha256 } from '../../../src-main/jobs/files.ts'
import { encodePng } from '../../../src-main/jobs/images/codec.ts'

export const SIDE = 16
const COLOURS = { red: [220, 40, 40], green: [40, 200, 60], blue: [50, 60, 230] } as const
type Colour = keyof typeof COLOURS
const NAMES = Object.keys(COLOURS) as Colour[]

export const TINY_SPEC: MultimodalLmSpec = multimodalLmSpecSchema.parse({
  visionEncoder: {
    imageSize: SIDE,
    patchSize: 4,
    hiddenSize: 16,
    intermediateSize: 32,
    numHiddenLayers: 3,
    numAttentionHeads: 2,
  },
  languageModel: {
    vocabSize: 320,
    hiddenSize: 16,
    intermediateSize: 32,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    numKeyValueHeads: 1,
  },
})

export interface TinyProject {
  readonly project: string
  readonly snapshots: {
    readonly questions: string
    readonly preferences: string
    readonly objects: string
    readonly captions: string
  }
  /** Writes a checkpoint of fresh weights and returns its folder. */
  checkpoint(seed: number, spec?: MultimodalLmSpec): Promise<string>
  evaluateJob(fields: Partial<EvaluateJob> & { readonly checkpoint: string }): EvaluateJob
}

/** @param scenes  of each split */
export function tinyProject(project: string, scenes = { train: 18, validation: 9, test: 18 }): TinyProject {
  mkdirSync(join(project, 'images'), { recursive: true })
  mkdirSync(join(project, 'snapshots'), { recursive: true })
  const samples: Record<'questions' | 'preferences' | 'objects' | 'captions', Sample[]> = {
    questions: [],
    preferences: [],
    objects: [],
    captions: [],
  }
  for (const split of Object.keys(scenes) as Split[])
    for (let i = 0; i < scenes[split]; i++) {
      const { image, objects, colour } = drawScene(project, split, i)
      const add = (role: keyof typeof samples, content: Content) =>
        samples[role].push(
          sampleSchema.parse({ id: sha256(JSON.stringify([image.sha256, content])), split, source: null, image, content }),
        )
      const other = NAMES[(NAMES.indexOf(colour) + 1) % NAMES.length]!
      const region = [objects[0]!.box]
      const group = (['general', 'text', 'vision-centric', 'knowledge'] as const)[i % 4]!
      const question = i % 2 === 0 ? 'What colour is it?' : 'Say which colour the square in the picture has.'
      add('questions', { kind: 'questions', question, answer: colour, group, category: null, region })
      add('preferences', {
        kind: 'preferences',
        prompt: question,
        chosen: `It is ${colour}.`,
        rejected: `It is ${other}, I think.`,
        group,
        category: 'colour',
        region,
      })
      add('objects', { kind: 'objects', objects })
      add('captions', {
        kind: 'conversations',
        turns: [
          { from: 'human', text: '<image>\nDescribe the picture.' },
          { from: 'assistant', text: `There is a ${colour} square number ${i}.` },
        ],
      })
    }
  const snapshots = Object.fromEntries(
    Object.entries(samples).map(([role, rows]) => {
      const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('')
      writeFileSync(join(project, 'snapshots', `${sha256(text)}.jsonl`), text)
      return [role, sha256(text)]
    }),
  ) as unknown as TinyProject['snapshots']
  const tokenizerFiles = trainTokenizer(
    ['What colour is it? It is red, green, blue.', 'Describe the picture. There is a square number.'],
    300,
  )
  return {
    project,
    snapshots,
    async checkpoint(seed, spec = TINY_SPEC) {
      const folder = join(project, 'checkpoints', `${seed}-${sha256(JSON.stringify(spec)).slice(0, 8)}`)
      await writeCheckpoint(folder, {
        weights: initialWeights(spec, seed),
        moments: null,
        tokenizerFiles,
        preprocess: siglipPreprocess(spec.visionEncoder.imageSize),
        describe: { step: 0, model: spec, config: null, execution: null, numTokens: 0 },
      })
      return folder
    },
    evaluateJob: (fields) =>
      jobSchema.parse({
        kind: 'evaluate',
        project,
        baseline: null,
        evaluators: ['questions'],
        settings: {
          batchSize: 8,
          questions: { maxNewTokens: 4 },
          probe: { perClass: { train: 6, validation: 3, test: 6 }, neighbours: [1, 3], lambdas: [0.01, 1] },
          segmentation: { hiddenSize: 16, epochs: 2 },
          localisation: { examples: 3 },
          alignment: { limit: 16, neighbours: 3 },
        },
        snapshots,
        ...fields,
      }) as EvaluateJob,
  }
}

/** One square of a colour, in every third scene a second one beside it; noise in the background makes each image its own. */
function drawScene(
  project: string,
  split: Split,
  index: number,
): { readonly image: ImageRef; readonly objects: AnnotatedObject[]; readonly colour: Colour } {
  const random = createRandom(7, split, index)
  const data = new Uint8Array(SIDE * SIDE * 3)
  for (let i = 0; i < data.length; i++) data[i] = 90 + random.integer(60)
  const colour = NAMES[index % NAMES.length]!
  const boxes: Box[] = [[random.integer(3), random.integer(9), 6, 6]]
  if (index % 3 === 0) boxes.push([10, random.integer(10), 5, 5])
  const objects = boxes.map((box, i): AnnotatedObject => {
    const name = i === 0 ? colour : NAMES[random.integer(NAMES.length)]!
    const inside: number[] = []
    for (let x = 0; x < SIDE; x++)
      for (let y = 0; y < SIDE; y++) {
        const isInside = x >= box[0] && x < box[0] + box[2] && y >= box[1] && y < box[1] + box[3]
        inside.push(isInside ? 1 : 0)
        if (isInside)
          data.set(
            COLOURS[name].map((value) => value - random.integer(20)),
            (y * SIDE + x) * 3,
          )
      }
    return { category: name, box, mask: { size: [SIDE, SIDE], counts: runLengths(inside) } }
  })
  const png = encodePng({ width: SIDE, height: SIDE, data })
  const path = join('images', `${sha256(png)}.png`)
  writeFileSync(join(project, path), png)
  return { image: { sha256: sha256(png), path, width: SIDE, height: SIDE }, objects, colour }
}

/** Lengths of runs, zeros first. */
function runLengths(values: readonly number[]): number[] {
  const counts: number[] = []
  let [current, length] = [0, 0]
  for (const value of values) {
    if (value !== current) {
      counts.push(length)
      ;[current, length] = [value, 0]
    }
    length++
  }
  return [...counts, length]
}
