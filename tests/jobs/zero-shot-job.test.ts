// Zero-shot classification of folders of images by tiny dual encoders with random weights: the answers are those of the engine's
// own functions put together by hand, and what does not fit is refused. The embeddings themselves are held to the reference
// libraries by parity-job.test.ts.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { jobSchema, type ItemResult, type JobEvent, type ProbeJob } from '../../src-main/domain/job.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import { dualEncoderLayout, dualEncoderSpec, imageEmbeddings, imageTextLogits, textEmbeddings } from '../../src-main/engine/models/dual-encoder.ts'
import { createTextEncoderTokenizer } from '../../src-main/engine/text/text-encoder-tokenizer.ts'
import { trainTokenizer } from '../../src-main/engine/text/train-tokenizer.ts'
import { writeSafetensors } from '../../src-main/engine/weights/safetensors.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { sha256 } from '../../src-main/jobs/files.ts'
import { decodePng } from '../../src-main/jobs/images/png.ts'
import { runProbeJob } from '../../src-main/jobs/probe/probe-job.ts'
import { inspectFolder } from '../../src-main/jobs/inspect-job.ts'
import { runZeroShotJob } from '../../src-main/jobs/zero-shot-job.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

beforeAll(() => openBackend())

const { tokenizer, config: tokenizerConfig } = trainTokenizer(['a photo of a red square.', 'a drawing of a blue circle.'], 300)
const endText = String(tokenizerConfig['eos_token'])
const endId = (tokenizer as { added_tokens: { id: number; content: string }[] }).added_tokens.find(({ content }) => content === endText)!.id
/** Ends every text with the end token, as CLIP's does. */
const withEnd = {
  ...tokenizer,
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: endText, type_id: 0 } }],
    pair: [],
    special_tokens: { [endText]: { id: endText, ids: [endId], tokens: [endText] } },
  },
}

const tower = { hidden_size: 8, intermediate_size: 12, num_hidden_layers: 1, num_attention_heads: 2 }
const CONFIGS = {
  clip: { model_type: 'clip', projection_dim: 6, vision_config: { ...tower, image_size: 8, patch_size: 4 }, text_config: { ...tower, vocab_size: 300, max_position_embeddings: 40, eos_token_id: endId } },
  siglip: { model_type: 'siglip', vision_config: { ...tower, image_size: 8, patch_size: 4 }, text_config: { ...tower, vocab_size: 300, max_position_embeddings: 40 } },
  siglip2: { model_type: 'siglip2', vision_config: { ...tower, num_patches: 4, patch_size: 4 }, text_config: { ...tower, vocab_size: 300, max_position_embeddings: 40 } },
} as const
const PROCESSORS = {
  clip: { image_processor_type: 'CLIPImageProcessor', size: { shortest_edge: 8 }, crop_size: 8 },
  siglip: { image_processor_type: 'SiglipImageProcessor', size: { height: 8, width: 8 } },
  siglip2: { image_processor_type: 'Siglip2ImageProcessor', patch_size: 4, max_num_patches: 6 },
} as const

function aModel(family: keyof typeof CONFIGS): string {
  const folder = temporaryFolder()
  const spec = dualEncoderSpec(CONFIGS[family])
  const tensors = Object.fromEntries(
    Object.entries(dualEncoderLayout(spec)).map(([name, { shape }]) => {
      const random = createRandom(0, name)
      return [name, { shape, values: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.5 * random.normal()) }]
    }),
  )
  writeFileSync(join(folder, 'model.safetensors'), writeSafetensors(tensors))
  for (const [name, value] of Object.entries({ 'config.json': CONFIGS[family], 'preprocessor_config.json': PROCESSORS[family], 'tokenizer.json': withEnd, 'tokenizer_config.json': tokenizerConfig }))
    writeFileSync(join(folder, name), JSON.stringify(value))
  return folder
}

/** Two pictures in each of two folders, and one beside them. */
function images(): string {
  const folder = temporaryFolder()
  const random = createRandom(1, 'pictures')
  for (const path of ['red_square/1.png', 'red_square/2.png', 'circle/3.png', 'circle/4.png', '5.png']) {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    const [width, height] = [4 + random.integer(20), 4 + random.integer(20)]
    writeFileSync(join(folder, path), encodePng({ width, height, data: Uint8Array.from({ length: width * height * 3 }, () => random.integer(256)) }))
  }
  return folder
}

async function classify(model: string, folder: string, fields: { classes?: string[]; templates?: string[]; batchSize?: number; done?: string[] } = {}) {
  const events: JobEvent[] = []
  const job = { kind: 'zero-shot', model, images: folder, classes: fields.classes ?? null, templates: fields.templates ?? ['a photo of a {}.'], batchSize: fields.batchSize ?? 16, done: fields.done ?? [] } as const
  for await (const event of runZeroShotJob(job, { aborted: false })) events.push(event)
  const items = events.flatMap((event): readonly ItemResult[] => (event.kind === 'items' ? event.items : []))
  const results = Object.fromEntries(events.flatMap((event) => (event.kind === 'result' ? [[event.metric, event]] : [])))
  return { items, results }
}
const detailOf = ({ detail }: ItemResult) => detail as { expected: string | null; given: string; probability: number }

describe.each(['clip', 'siglip', 'siglip2'] as const)('%s', (family) => {
  it('takes folders for classes, scores what has one, tells the rest, and leaves no tensor behind', async () => {
    const [model, folder] = [aModel(family), images()]
    const before = tf.memory().numTensors
    const { items, results } = await classify(model, folder)
    expect(tf.memory().numTensors).toBe(before)
    expect(items.map(({ itemId, group }) => [itemId, group])).toEqual([
      ['5.png', null],
      ['circle/3.png', 'circle'],
      ['circle/4.png', 'circle'],
      ['red_square/1.png', 'red square'],
      ['red_square/2.png', 'red square'],
    ])
    const scored = items.filter(({ group }) => group !== null)
    for (const item of scored) expect(item.value).toBe(detailOf(item).given === item.group ? 1 : 0)
    expect(results['zero-shot/accuracy']).toMatchObject({ n: 4, value: scored.reduce((sum, { value }) => sum + value, 0) / 4 })
  })

  it('gives every image the same answer in whatever batch it comes', async () => {
    const [model, folder] = [aModel(family), images()]
    const [together, alone] = [await classify(model, folder), await classify(model, folder, { batchSize: 1 })]
    together.items.forEach((item, i) => {
      expect(detailOf(alone.items[i]!).given).toBe(detailOf(item).given)
      expect(detailOf(alone.items[i]!).probability).toBeCloseTo(detailOf(item).probability, 5)
    })
  })
})

it('goes on after a break with the images that are left, among the same classes', async () => {
  const [model, folder] = [aModel('clip'), images()]
  const { items } = await classify(model, folder)
  const { items: rest, results } = await classify(model, folder, { done: ['circle/3.png', 'circle/4.png', '5.png'] })
  expect(rest).toEqual(items.slice(3))
  expect(results['zero-shot/accuracy']).toMatchObject({ n: 2 })
})

it('a dry look knows a dual encoder, has a use for both of its sides, and says when one cannot be asked', async () => {
  const model = aModel('clip')
  expect(await inspectFolder(model)).toMatchObject({ kind: 'dual encoder', modelType: 'clip', unknown: [], faults: [] })
  const spec = dualEncoderSpec(CONFIGS.clip)
  const sees = Object.entries(dualEncoderLayout(spec)).filter(([name]) => name.startsWith('vision_model.'))
  writeFileSync(join(model, 'model.safetensors'), writeSafetensors(Object.fromEntries(sees.map(([name, { shape }]) => [name, { shape, values: new Float32Array(shape.reduce((a, b) => a * b, 1)) }]))))
  const { kind, faults } = await inspectFolder(model)
  expect([kind, faults.length]).toEqual(['dual encoder', 1])
  expect(faults[0]).toMatch(/^text side: \d+ weights are missing: .*cannot classify by words$/)
})

it('as a probe of a dataset it gives the pictures of a class the answers that folders of them get', async () => {
  const [model, folder] = [aModel('clip'), images()]
  const { items, results } = await classify(model, folder)
  const samples = items.flatMap(({ itemId, group }) => {
    if (group === null) return []
    const { width, height } = decodePng(readFileSync(join(folder, itemId)), itemId)
    const content = { kind: 'objects', objects: [{ category: group, box: [0, 0, width, height], mask: null }] }
    const image = { sha256: sha256(readFileSync(join(folder, itemId))), path: join(folder, itemId), width, height }
    return (['train', 'test'] as const).map((split) => ({ id: `${split} ${itemId}`, split, source: null, image, content }))
  })
  const text = samples.map((sample) => `${JSON.stringify(sample)}\n`).join('')
  mkdirSync(join(folder, 'snapshots'))
  writeFileSync(join(folder, 'snapshots', `${sha256(text)}.jsonl`), text)
  const job = jobSchema.parse({ kind: 'probe', project: folder, checkpoint: model, snapshot: sha256(text), settings: { probes: ['zero-shot'] } }) as ProbeJob
  const found: JobEvent[] = []
  for await (const event of runProbeJob(job, { aborted: false })) found.push(event)
  expect(found.filter(({ kind }) => kind === 'result')).toEqual([{ kind: 'result', metric: 'zero-shot/accuracy', value: results['zero-shot/accuracy']!.value, n: 4 }])
})

it('a class is the mean of its prompts: probabilities are those of the engine, put together by hand', async () => {
  const [model, folder] = [aModel('clip'), images()]
  const templates = ['a photo of a {}.', 'a drawing of a {}.']
  const classes = ['red square', 'circle']
  const { items } = await classify(model, folder, { classes, templates })
  const spec = dualEncoderSpec(CONFIGS.clip)
  const weights = Object.fromEntries(
    Object.entries(dualEncoderLayout(spec)).map(([name, { shape }]) => {
      const random = createRandom(0, name)
      return [name, tf.tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.5 * random.normal()), [...shape])]
    }),
  )
  const { encode } = createTextEncoderTokenizer({ tokenizer: withEnd, config: tokenizerConfig }, 'clip', 40)
  const texts = tf.stack(classes.map((name) => {
    const mean = tf.mean(textEmbeddings(spec, weights, templates.map((template) => encode(template.replace('{}', name)))), 0)
    return tf.div(mean, tf.norm(mean))
  })) as tf.Tensor2D
  const { readImage } = await import('../../src-main/jobs/images/codec.ts')
  const { preprocessImage } = await import('../../src-main/engine/preprocess/pipeline.ts')
  const { specFromHuggingFace } = await import('../../src-main/engine/preprocess/hugging-face.ts')
  const { patchesOf } = await import('../../src-main/jobs/samples.ts')
  for (const item of items) {
    const pixels = preprocessImage(await readImage(join(folder, item.itemId)), specFromHuggingFace(PROCESSORS.clip))
    const image = imageEmbeddings(spec, weights, tf.tensor3d(patchesOf(pixels, 4), [1, 4, 48]))
    const likely = [...tf.softmax(imageTextLogits(weights, image, texts)).dataSync()]
    expect(detailOf(item)).toMatchObject({ given: classes[likely.indexOf(Math.max(...likely))], probability: expect.closeTo(Math.max(...likely), 5) })
  }
})

describe('what does not fit is refused', () => {
  it('an encoder without text, a template without a place, one class, no pictures, a text too long', async () => {
    const [model, folder, empty] = [aModel('siglip'), images(), temporaryFolder()]
    await expect(classify(model, folder, { templates: ['a photo'] })).rejects.toThrow('templates: expected {}')
    await expect(classify(model, empty)).rejects.toThrow('expected images, found none')
    await expect(classify(model, join(empty, 'nowhere'))).rejects.toMatchObject({ code: 'not-found' })
    await expect(classify(model, folder, { templates: [`{} ${'xyz '.repeat(40)}`] })).rejects.toThrow(/expected at most 40 tokens, found \d+/)
    rmSync(join(folder, 'circle'), { recursive: true })
    await expect(classify(model, folder)).rejects.toThrow('at least two, found 1')
    writeFileSync(join(model, 'config.json'), JSON.stringify({ model_type: 'dinov2' }))
    await expect(classify(model, folder)).rejects.toThrow(/model_type: expected a dual encoder, one of clip, siglip, siglip2; found "dinov2"/)
  })
})
