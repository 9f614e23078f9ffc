// Files that no program should have written, drawn from a seed: whole ones of every format, cut, flipped, spliced and nested.
// Reading one may refuse it or name its rows; it may never crash, hang, or throw anything but a LabError.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../../src-main/domain/errors.ts'
import { createRandom, type Random } from '../../src-main/domain/random.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { readDataset } from '../../src-main/jobs/import/read-dataset.ts'

const HOSTILE_TEXTS = [
  '../../../etc/passwd', '/etc/passwd', 'C:\\x.png', 'a.png\0.jpg', '.', '..', '', ' ', '\uFEFF', '\uD800', '<image>', '<image><image>', 'a.png', 'b.png',
  'data:image/png;base64,AAAA', '{"question":1}', '[[[[', 'null', 'NaN', '1e999', '\u202Egnp.a', 'x'.repeat(5000), 'constructor', '__proto__',
] as const
const FIELDS = [
  'image', 'images', 'image_path', 'id', 'conversations', 'messages', 'from', 'value', 'role', 'content', 'prompt', 'question', 'chosen', 'rejected', 'answer', 'text',
  'completions', 'annotations', 'Rating', 'response', 'split', 'region', 'categories', 'file_name', 'bbox', 'segmentation', 'counts', 'size', 'category_id', 'image_id',
  'root', 'annotation', 'columns', 'tags', 'bytes', 'path', 'instruction', 'output', '__proto__',
] as const

function value(random: Random, depth: number): unknown {
  const kind = random.integer(depth > 3 ? 5 : 8)
  if (kind < 3) return random.pick(HOSTILE_TEXTS)
  if (kind === 3) return random.pick([0, -1, 1.5, 1e300, 2 ** 53, null, true, false])
  if (kind === 4) return random.pick(['human', 'gpt', 'user', 'assistant', 'train', 'A dog.', 'A cat.'])
  if (kind === 5) return Array.from({ length: random.integer(4) }, () => value(random, depth + 1))
  const object: Record<string, unknown> = {}
  for (let i = random.integer(6); i >= 0; i--) Object.defineProperty(object, random.pick(FIELDS), { value: value(random, depth + 1), enumerable: true, configurable: true })
  return object
}

/** Rows that hold, so that damage meets what is nearly right. */
const WHOLE_ROWS: readonly object[] = [
  { id: 'x', image: 'a.png', conversations: [{ from: 'human', value: '<image>\nWhat?' }, { from: 'gpt', value: 'A dog.' }] },
  { id: 'x', image: 'a.png', prompt: '<image>\nWhat?', chosen: 'A dog.', rejected: 'A cat.', region: [[0, 0, 1, 1]] },
  { image_path: 'a.png', text: JSON.stringify({ question: 'What?', chosen: 'A', rejected: 'B' }), origin_split: '{}' },
  { images: ['a.png'], prompt: [{ role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'Q' }] }], chosen: [{ role: 'assistant', content: 'A' }], rejected: [{ role: 'assistant', content: 'B' }] },
  { prompt: 'Q', img_path: 'a.png', completions: [{ response: 'A', annotations: { H: { Rating: '5' } } }, { response: 'B', annotations: { H: { Rating: '1' } } }] },
  { question: 'Q', answer: 'A', image: 'a.png' },
]
const COCO = {
  images: [{ id: 1, file_name: 'a.png', width: 6, height: 4 }],
  categories: [{ id: 1, name: 'dog' }],
  annotations: [{ image_id: 1, category_id: 1, bbox: [0, 0, 2, 2], segmentation: { size: [4, 6], counts: '04d0' } }],
}

function row(random: Random): unknown {
  if (random.integer(2) === 0) return value(random, 0)
  const whole: Record<string, unknown> = { ...random.pick(WHOLE_ROWS) }
  if (random.integer(2) === 0) whole[random.pick(FIELDS.slice(0, -1))] = value(random, 1)
  return whole
}

/** Name and bytes of the next file. */
export function hostileFile(random: Random): { readonly name: string; readonly bytes: Buffer } {
  const rows = Array.from({ length: random.integer(5) }, () => row(random))
  // Each beside the name that fits it.
  const notations: readonly (readonly [string, () => string])[] = [
    ['json', () => JSON.stringify(rows)],
    ['jsonl', () => rows.map((each) => JSON.stringify(each)).join('\n')],
    ['json', () => JSON.stringify(random.integer(3) === 0 ? { ...COCO, ...(value(random, 2) as object | null) } : COCO)],
    ['json', () => JSON.stringify({ set: { root: random.pick(HOSTILE_TEXTS), annotation: random.pick(HOSTILE_TEXTS) } })],
    ['json', () => JSON.stringify({ set: { file_name: random.pick(HOSTILE_TEXTS), columns: value(random, 2), tags: value(random, 2) } })],
    ['csv', () => `question,answer,image\n${rows.map((each) => Object.values(Object(each)).join(',')).join('\n')}`],
    ['json', () => `${'['.repeat(random.integer(2000))}${JSON.stringify(rows)}`],
    ['tar', () => random.pick(HOSTILE_TEXTS).repeat(random.integer(20))],
  ]
  const [fitting, write] = random.pick(notations)
  const extension = random.integer(4) > 0 ? fitting : random.pick(['json', 'jsonl', 'csv', 'tsv', 'parquet', 'tar', 'tgz'])
  let bytes = Buffer.from(write())
  for (let times = random.integer(2) * random.integer(4); times > 0 && bytes.length > 0; times--) {
    const at = random.integer(bytes.length)
    switch (random.integer(4)) {
      case 0:
        bytes = bytes.subarray(0, at)
        break
      case 1:
        bytes = Buffer.from(bytes)
        bytes[at] = random.integer(256)
        break
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(random.pick(HOSTILE_TEXTS)), bytes.subarray(at)])
        break
      default:
        bytes = Buffer.concat([bytes, bytes.subarray(at)])
    }
  }
  return { name: `data.${extension}`, bytes }
}

export interface FuzzOutcome {
  readonly inputs: number
  readonly samples: number
  readonly faults: number
  readonly refused: number
  /** What must not be: how it went wrong, and the seed that does it again. */
  readonly broken: readonly { readonly seed: number; readonly thrown: string }[]
  readonly slowestMs: number
}

/** Reads `count` files, each drawn from a seed of its own, in `folder`. */
export async function fuzzImporters(folder: string, count: number, firstSeed = 0, observe: (done: number) => void = () => {}): Promise<FuzzOutcome> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'a.png'), encodePng({ width: 6, height: 4, data: new Uint8Array(72) }))
  const broken: { seed: number; thrown: string }[] = []
  let [samples, faults, refused, slowestMs] = [0, 0, 0, 0]
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const { name, bytes } = hostileFile(createRandom(seed, 'hostile'))
    const file = join(folder, name)
    writeFileSync(file, bytes)
    const from = performance.now()
    try {
      for await (const event of readDataset(file)) {
        if (event.kind === 'sample') samples += 1
        if (event.kind === 'fault') faults += 1
      }
    } catch (thrown) {
      if (thrown instanceof LabError && thrown.code !== 'internal') refused += 1
      else broken.push({ seed, thrown: String((thrown as Error).stack ?? thrown).slice(0, 600) })
    }
    slowestMs = Math.max(slowestMs, performance.now() - from)
    rmSync(file)
    if ((seed - firstSeed) % 1000 === 999) observe(seed - firstSeed + 1)
  }
  return { inputs: count, samples, faults, refused, broken, slowestMs }
}
