// Every format that comes in, every kind of row that does not, and paths that must never be followed.

import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ImportedSample, ImportEvent, ImportFault, ImportOptions } from '../../../src-main/domain/import-event.ts'
import type { Content } from '../../../src-main/domain/sample.ts'
import { encodePng } from '../../../src-main/jobs/images/codec.ts'
import { maskOf } from '../../../src-main/jobs/import/masks.ts'
import { readDataset } from '../../../src-main/jobs/import/read-dataset.ts'

let home: string
let root: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'import-'))
  root = join(home, 'data')
  mkdirSync(root)
  for (const [i, name] of ['a.png', 'b.png', 'sub/c.png'].entries()) put(name, aPicture(10, 8, i))
})
afterEach(() => rmSync(home, { recursive: true }))

const aPicture = (width: number, height: number, value: number) =>
  encodePng({ width, height, data: new Uint8Array(width * height * 3).fill(value) })

function put(name: string, content: string | Uint8Array): string {
  const file = join(root, name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  return file
}
const putLines = (name: string, rows: readonly unknown[]) =>
  put(name, rows.map((row) => `${typeof row === 'string' ? row : JSON.stringify(row)}\n`).join(''))

async function read(path: string, options: ImportOptions = {}): Promise<ImportEvent[]> {
  const events: ImportEvent[] = []
  for await (const event of readDataset(path, options)) events.push(event)
  return events
}
const samples = (events: readonly ImportEvent[]) => events.filter((event): event is ImportedSample => event.kind === 'sample')
const contents = (events: readonly ImportEvent[]): Content[] => samples(events).map(({ content }) => content)
const faults = (events: readonly ImportEvent[]) => events.filter((event): event is ImportFault => event.kind === 'fault')
const faultsOf = async (path: string, options: ImportOptions = {}) =>
  faults(await read(path, options)).map(({ line, field, expected, found }) => ({ line, field, expected, found }))

const pair = {
  kind: 'preferences',
  prompt: '<image>\nWhat is it?',
  chosen: 'A dog.',
  rejected: 'A cat.',
  group: null,
  category: null,
  region: [],
}

describe('formats', () => {
  it('LLaVA: turns, source, and the image as its file is', async () => {
    const file = put(
      'train.json',
      JSON.stringify([
        {
          id: 7,
          image: 'sub/c.png',
          conversations: [
            { from: 'human', value: '<image>\nHello' },
            { from: 'gpt', value: 'Hi' },
          ],
        },
      ]),
    )
    const image = join(root, 'sub/c.png')
    expect(await read(file)).toEqual([
      { kind: 'file', file: 'train.json', format: 'llava', content: 'conversations', of: readFileSync(file).length },
      {
        kind: 'sample',
        split: 'train',
        source: '7',
        image: {
          file: image,
          sha256: createHash('sha256').update(readFileSync(image)).digest('hex'),
          bytes: readFileSync(image).length,
          width: 10,
          height: 8,
          format: 'png',
        },
        content: {
          kind: 'conversations',
          turns: [
            { from: 'human', text: '<image>\nHello' },
            { from: 'assistant', text: 'Hi' },
          ],
        },
      },
    ])
  })

  it('LLaVA without placeholder gets it first, so that the image is not silently ignored; text alone gets none', async () => {
    const conversations = [
      { from: 'human', value: 'Hello' },
      { from: 'gpt', value: 'Hi' },
    ]
    const events = await read(put('x.json', JSON.stringify([{ image: 'a.png', conversations }, { conversations }])))
    expect(contents(events).map((content) => content.kind === 'conversations' && content.turns[0]!.text)).toEqual([
      '<image>\nHello',
      'Hello',
    ])
  })

  it.each([
    ['PIVOT', { id: 'x', prompt: '<image>\nWhat is it?', chosen: 'A dog.', rejected: 'A cat.', image: 'a.png' }],
    ['MMPR', { image: 'a.png', question: 'What is it?', chosen: 'A dog.', rejected: 'A cat.' }],
    ['MMPR with a list of one image', { image: ['a.png'], question: 'What is it?', chosen: 'A dog.', rejected: 'A cat.' }],
    [
      'RLAIF-V with an image record',
      { ds_name: 'r', image: { bytes: null, path: 'a.png' }, question: 'What is it?', chosen: 'A dog.', rejected: 'A cat.' },
    ],
    [
      'RLHF-V',
      {
        ds_name: 'r',
        image_path: 'a.png',
        text: JSON.stringify({ question: 'What is it?', chosen: 'A dog.', rejected: 'A cat.' }),
        origin_split: '{}',
      },
    ],
    [
      'TRL, explicit prompt as messages',
      {
        images: ['a.png'],
        prompt: [{ role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'What is it?' }] }],
        chosen: [{ role: 'assistant', content: [{ type: 'text', text: 'A dog.' }] }],
        rejected: [{ role: 'assistant', content: 'A cat.' }],
      },
    ],
    [
      'TRL, implicit prompt as messages',
      {
        image: 'a.png',
        chosen: [
          { role: 'user', content: 'What is it?' },
          { role: 'assistant', content: 'A dog.' },
        ],
        rejected: [
          { role: 'user', content: 'What is it?' },
          { role: 'assistant', content: 'A cat.' },
        ],
      },
    ],
  ])('preferences: %s', async (_, row) => {
    expect(contents(await read(putLines('pairs.jsonl', [row])))).toEqual([pair])
  })

  it('TRL, implicit prompt as text: the longest common beginning, its last blank left to the answers', async () => {
    const [content] = contents(
      await read(putLines('pairs.jsonl', [{ chosen: 'The sky is blue.', rejected: 'The sky is green.' }])),
    )
    expect(content).toMatchObject({ prompt: 'The sky is', chosen: ' blue.', rejected: ' green.' })
  })

  it('keeps what the lab adds to a pair', async () => {
    const row = {
      image: 'a.png',
      prompt: 'Q',
      chosen: 'yes',
      rejected: 'no',
      group: 'text',
      category: 'word',
      region: [[1, 2, 3, 4]],
    }
    expect(contents(await read(putLines('pairs.jsonl', [row])))).toEqual([
      { ...pair, prompt: '<image>\nQ', chosen: 'yes', rejected: 'no', group: 'text', category: 'word', region: [[1, 2, 3, 4]] },
    ])
  })

  it('a drawn region must be of its picture: another size and runs that do not fill it are named with their field', async () => {
    const row = { image: 'a.png', prompt: 'Q', chosen: 'yes', rejected: 'no' }
    const masks = [[{ size: [8, 10], counts: [3, 77] }], [{ size: [8, 9], counts: [72] }], [{ size: [8, 10], counts: [3] }]]
    const events = await read(putLines('pairs.jsonl', masks.map((region_masks) => ({ ...row, region_masks }))))
    expect(contents(events)).toMatchObject([{ region: [{ size: [8, 10], counts: [3, 77] }] }])
    expect(events.filter(({ kind }) => kind === 'fault')).toMatchObject([{ line: 2, field: 'region_masks[0].size' }, { line: 3, field: 'region_masks' }])
  })

  it('questions as lines, as an array and as CSV are the same', async () => {
    const row = { image: 'a.png', question: 'How many, "dogs"?', answer: '3', group: 'general' }
    const want = [{ kind: 'questions', question: 'How many, "dogs"?', answer: '3', group: 'general', category: null, region: [] }]
    expect(contents(await read(putLines('q.jsonl', [{ ...row, answer: 3 }])))).toEqual(want)
    expect(contents(await read(put('q.json', JSON.stringify([row]))))).toEqual(want)
    expect(
      contents(await read(put('q.csv', '\uFEFFimage,question,answer,group\r\na.png,"How many, ""dogs""?",3,general\r\n'))),
    ).toEqual(want)
  })

  it('JSON Lines under the name .json are read too', async () => {
    expect(
      contents(
        await read(
          putLines('pairs.json', [
            { image: 'a.png', prompt: 'What is it?', chosen: 'A dog.', rejected: 'A cat.' },
            { image: 'a.png', prompt: 'What is it?', chosen: 'A dog.', rejected: 'A cat.' },
          ]),
        ),
      ),
    ).toEqual([pair, pair])
  })

  it('COCO: boxes, and masks from polygons, run lengths and compressed run lengths', async () => {
    const square = [0, 0, 2, 0, 2, 8, 0, 8]
    const coco = {
      images: [
        { id: 1, file_name: 'a.png', width: 10, height: 8 },
        { id: 2, file_name: 'b.png' },
      ],
      categories: [{ id: 5, name: 'dog' }],
      annotations: [
        { image_id: 1, category_id: 5, bbox: [0, 0, 2, 8], segmentation: [square] },
        { image_id: 1, category_id: 5, bbox: [0, 0, 2, 8], segmentation: { size: [8, 10], counts: [0, 16, 64] } },
        { image_id: 1, category_id: 5, bbox: [1, 1, 3, 3], segmentation: [] },
        { image_id: 1, category_id: 5, bbox: [0, 0, 10, 8], iscrowd: 1 },
      ],
    }
    const events = await read(put('instances.json', JSON.stringify(coco)))
    expect(faults(events)).toEqual([])
    const mask = { size: [8, 10], counts: [0, 16, 64] }
    expect(contents(events)).toEqual([
      {
        kind: 'objects',
        objects: [
          { category: 'dog', box: [0, 0, 2, 8], mask },
          { category: 'dog', box: [0, 0, 2, 8], mask },
          { category: 'dog', box: [1, 1, 3, 3], mask: null },
        ],
      },
      { kind: 'objects', objects: [] },
    ])
  })

  it('MMPR: meta.json leads to each set, with its own image folder', async () => {
    put('meta.json', JSON.stringify({ one: { root: 'sub', annotation: 'annotations/one.jsonl' } }))
    putLines('annotations/one.jsonl', [{ image: 'c.png', question: 'What is it?', chosen: 'A dog.', rejected: 'A cat.' }])
    const events = await read(join(root, 'meta.json'))
    expect([contents(events), samples(events)[0]!.image!.file]).toEqual([[pair], join(root, 'sub/c.png')])
  })

  it('a folder per class: an image is one object; a split above the classes counts, a class may be named train', async () => {
    const flat = join(home, 'flat')
    for (const path of ['train/1.png', 'car/1.png']) writeAt(flat, path)
    const nested = join(home, 'nested')
    for (const path of ['test/car/1.png', 'train/car/2.png']) writeAt(nested, path)
    const told = (events: ImportEvent[]) =>
      samples(events).map(({ split, content }) => [split, content.kind === 'objects' && content.objects[0]!.category])
    expect(told(await read(nested))).toEqual([
      ['test', 'car'],
      ['train', 'car'],
    ])
    expect(told(await read(flat)).map(([, category]) => category)).toEqual(['car', 'train'])
  })

  function writeAt(folder: string, path: string): void {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), aPicture(4, 4, path.length))
  }

  it('a folder with several data files: all are read, or those of one kind; other JSON is named and passed over', async () => {
    putLines('pairs.jsonl', [{ image: 'a.png', prompt: 'What is it?', chosen: 'A dog.', rejected: 'A cat.' }])
    putLines('questions.jsonl', [{ image: 'a.png', question: 'Q', answer: 'A' }])
    put('config.json', '{"model": 1}')
    expect(contents(await read(root)).map(({ kind }) => kind)).toEqual(['preferences', 'questions'])
    expect(contents(await read(root, { kind: 'questions' })).map(({ kind }) => kind)).toEqual(['questions'])
    expect(faults(await read(root))).toMatchObject([{ file: 'config.json', line: null }])
  })
})

describe('splits', () => {
  it('come from the caller, else the row, else a folder, else the file name, else are train', async () => {
    put('val2017/d.png', aPicture(2, 2, 9))
    const row = { question: 'Q', answer: 'A' }
    const split = async (name: string, more: object, options: ImportOptions = {}) =>
      samples(await read(putLines(name, [{ ...row, ...more }]), options))[0]!.split
    expect(await split('x.jsonl', { image: 'a.png' })).toBe('train')
    expect(await split('questions-validation.jsonl', { image: 'a.png' })).toBe('validation')
    expect(await split('test.jsonl', { image: 'val2017/d.png' })).toBe('validation')
    expect(await split('test.jsonl', { image: 'val2017/d.png', split: 'train' })).toBe('train')
    expect(await split('test.jsonl', { image: 'val2017/d.png', split: 'train' }, { split: 'test' })).toBe('test')
  })
})

describe('rows that do not hold', () => {
  it('are named with line, field, what was expected and what was found, and the rest comes in', async () => {
    const good = { image: 'a.png', prompt: 'Q', chosen: 'yes', rejected: 'no' }
    const file = putLines('pairs.jsonl', [
      good,
      '{"image": "a.png", "prompt": ',
      { ...good, chosen: '' },
      { ...good, rejected: undefined },
      { ...good, rejected: 'yes' },
      { ...good, image: 'missing.png' },
      { ...good, image: ['a.png', 'b.png'] },
      { ...good, chosen: 'see <image>' },
      { ...good, prompt: '<image> and <image>' },
      { prompt: '<image>\nQ', chosen: 'yes', rejected: 'no' },
      '[]',
      { ...good, split: 'holdout' },
      good,
    ])
    const events = await read(file)
    expect(samples(events)).toHaveLength(2)
    expect(faults(events).map(({ line, field }) => [line, field])).toEqual([
      [2, 'row'],
      [3, 'chosen'],
      [4, 'rejected'],
      [5, 'rejected'],
      [6, 'image'],
      [7, 'image'],
      [8, 'chosen'],
      [9, 'prompt'],
      [10, 'image'],
      [11, 'row'],
      [12, 'split'],
    ])
    expect(faults(events)[4]).toEqual({
      kind: 'fault',
      file: 'pairs.jsonl',
      line: 6,
      field: 'image',
      expected: 'an image file',
      found: 'no file missing.png',
    })
  })

  it('conversations: speakers must take turns, and the placeholder stands in the first', async () => {
    const talk = (...turns: [string, string][]) => ({
      image: 'a.png',
      conversations: turns.map(([from, value]) => ({ from, value })),
    })
    const file = put(
      'x.json',
      JSON.stringify([
        talk(['human', 'a'], ['gpt', 'b']),
        talk(['gpt', 'a'], ['human', 'b']),
        talk(['human', 'a'], ['human', 'b']),
        talk(['human', 'a']),
        talk(['human', 'a'], ['gpt', ' ']),
        talk(['human', 'a'], ['gpt', '<image>']),
        talk(['narrator', 'a'], ['gpt', 'b']),
        { image: 'a.png', conversations: 'none' },
      ]),
    )
    expect((await faultsOf(file)).map(({ line, field }) => [line, field])).toEqual([
      [2, 'conversations[0].from'],
      [3, 'conversations[1].from'],
      [4, 'conversations'],
      [5, 'conversations[1].value'],
      [6, 'conversations[1].value'],
      [7, 'conversations[0].from'],
      [8, 'conversations'],
    ])
  })

  it('COCO: a bad annotation is left out, its image keeps the others', async () => {
    const good = { image_id: 1, category_id: 1, bbox: [1, 1, 2, 2] }
    const coco = {
      images: [
        { id: 1, file_name: 'a.png' },
        { id: 2, file_name: 'b.png', width: 11 },
      ],
      categories: [{ id: 1, name: 'dog' }],
      annotations: [
        good,
        { ...good, category_id: 9 },
        { ...good, bbox: [50, 1, 2, 2] },
        { ...good, bbox: [1, 1, 0, 2] },
        { ...good, image_id: 77 },
        { ...good, segmentation: { size: [8, 10], counts: [3, 4] } },
        { ...good, segmentation: { size: [10, 8], counts: [80] } },
        { ...good, segmentation: [[1, 2, 3]] },
        good,
      ],
    }
    const events = await read(put('coco.json', JSON.stringify(coco)))
    expect(contents(events)).toMatchObject([{ objects: [{ box: [1, 1, 2, 2] }, { box: [1, 1, 2, 2] }] }])
    expect(faults(events).map(({ field }) => field)).toEqual([
      'annotations[4].image_id',
      'annotations[1].category_id',
      'annotations[2].bbox',
      'annotations[3].bbox',
      'annotations[5].segmentation.counts',
      'annotations[6].segmentation.size',
      'annotations[7].segmentation[0]',
      'images[1].width',
    ])
  })

  it('CSV: a record with too few columns is named by its line, after fields that span lines', async () => {
    const file = put('q.csv', 'image,question,answer\na.png,"two\nlines",x\nb.png,only two\nb.png,Q,A\n')
    expect(contents(await read(file)).map((content) => content.kind === 'questions' && content.question)).toEqual([
      'two\nlines',
      'Q',
    ])
    expect(await faultsOf(file)).toEqual([
      { line: 4, field: 'row', expected: '3 columns (image, question, answer)', found: '2 columns' },
    ])
  })

  it.each([
    ['cut-off PNG', 'cut.png', () => aPicture(50, 50, 1).subarray(0, 60)],
    ['cut-off JPEG', 'cut.jpg', () => Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0])],
    ['text', 'note.png', () => Buffer.from('hello')],
    ['empty file', 'empty.png', () => new Uint8Array()],
  ])('an image that is a %s', async (_, name, bytes) => {
    put(name, bytes())
    const [fault] = await faultsOf(putLines('q.jsonl', [{ image: name, question: 'Q', answer: 'A' }]))
    expect(fault).toMatchObject({ line: 1, field: 'image', found: expect.stringContaining(name) })
  })

  it('a file of no known format is refused with the keys that it has', async () => {
    await expect(read(putLines('x.jsonl', [{ foo: 1, bar: 2 }]))).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringMatching(/found the keys foo, bar$/),
    })
    await expect(read(put('x.json', '{"a": '))).rejects.toMatchObject({ code: 'invalid-input' })
    await expect(read(join(root, 'nothing.jsonl'))).rejects.toMatchObject({ code: 'not-found' })
    await expect(read(join(root, 'a.png'))).rejects.toThrow('expected .json, .jsonl, .csv')
  })
})

describe('paths that lead out of the import', () => {
  beforeEach(() => {
    writeFileSync(join(home, 'secret.png'), aPicture(3, 3, 3))
    mkdirSync(join(home, 'elsewhere'))
    writeFileSync(join(home, 'elsewhere/s.png'), aPicture(3, 3, 4))
    symlinkSync(join(home, 'secret.png'), join(root, 'link.png'))
    symlinkSync(join(home, 'elsewhere'), join(root, 'linked'))
    symlinkSync(join(root, 'a.png'), join(root, 'inner.png'))
  })

  it.each(['../secret.png', 'sub/../../secret.png', '/etc/passwd', 'link.png', 'linked/s.png', '..', '.', 'a.png\0.jpg', 'sub'])(
    '%j is refused',
    async (image) => {
      const events = await read(putLines('q.jsonl', [{ image, question: 'Q', answer: 'A' }]))
      expect([samples(events), faults(events).map(({ field }) => field)]).toEqual([[], ['image']])
    },
  )

  it('an absolute path and a link are followed where they stay inside', async () => {
    const file = putLines('q.jsonl', [
      { image: join(root, 'b.png'), question: 'Q', answer: 'A' },
      { image: 'inner.png', question: 'Q', answer: 'A' },
    ])
    expect(samples(await read(file)).map(({ image }) => image!.file)).toEqual([join(root, 'b.png'), join(root, 'a.png')])
  })

  it('another root can be named, and then it is the limit', async () => {
    const file = putLines('q.jsonl', [
      { image: 's.png', question: 'Q', answer: 'A' },
      { image: '../secret.png', question: 'Q', answer: 'A' },
    ])
    const events = await read(file, { imageRoot: join(home, 'elsewhere') })
    expect([samples(events).length, faults(events).length]).toEqual([1, 1])
  })

  it('image folders do not follow links out either', async () => {
    mkdirSync(join(home, 'classes/dog'), { recursive: true })
    symlinkSync(join(home, 'secret.png'), join(home, 'classes/dog/1.png'))
    expect(await faultsOf(join(home, 'classes'))).toMatchObject([{ field: 'file' }])
  })

  it('MMPR sets outside the folder are refused', async () => {
    put('meta.json', JSON.stringify({ bad: { root: '../elsewhere', annotation: 'pairs.jsonl' } }))
    putLines('pairs.jsonl', [])
    expect((await faultsOf(join(root, 'meta.json'))).map(({ field }) => field)).toEqual(['bad.root'])
  })
})

describe('streaming', () => {
  it('reports how far a long file is read, and reads every line of it, whatever the size of the pieces it comes in', async () => {
    const rows = Array.from({ length: 2600 }, (_, i) => ({ question: `Q${i} ${'é'.repeat(i % 97)}`, answer: String(i) }))
    const events = await read(putLines('q.jsonl', rows))
    expect(contents(events).map((content) => content.kind === 'questions' && content.answer)).toEqual(
      rows.map(({ answer }) => answer),
    )
    const [file] = events.filter((event) => event.kind === 'file')
    const progress = events.filter((event) => event.kind === 'progress').map(({ done }) => done)
    expect(progress).toEqual(progress.toSorted((a, b) => a - b))
    expect(progress.at(-1)).toBe(file!.of)
  })
})

describe('masks', () => {
  const golden = JSON.parse(readFileSync(new URL('pycocotools.json', import.meta.url), 'utf8')) as {
    masks: { width: number; height: number; polygons: number[][]; counts: number[]; compressed: string }[]
  }
  it.each(golden.masks)(
    'polygons and compressed run lengths are what pycocotools makes of them ($width × $height)',
    ({ width, height, polygons, counts, compressed }) => {
      expect(maskOf(polygons, width, height, 'segmentation')).toEqual({ size: [height, width], counts })
      expect(maskOf({ size: [height, width], counts: compressed }, width, height, 'segmentation')).toEqual({
        size: [height, width],
        counts,
      })
    },
  )

  it('compressed text that is none is refused', () => {
    for (const counts of ['\u0001', 'ooooooooooooo', 'oo'])
      expect(() => maskOf({ size: [4, 4], counts }, 4, 4, 's')).toThrow('s.counts')
  })
})
