// Formats of whole folders and containers, as those who publish them write them: by fields of their documentation, not by ours.

import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { crc32, deflateSync } from 'node:zlib'
import { parquetWriteFile } from 'hyparquet-writer'
import { pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import type { ImportedSample, ImportEvent, ImportFault, ImportOptions } from '../../../src-main/domain/import-event.ts'
import { decodeImage, encodePng } from '../../../src-main/jobs/images/codec.ts'
import { readImageHeader } from '../../../src-main/jobs/images/header.ts'
import { readDataset } from '../../../src-main/jobs/import/read-dataset.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const png = (value: number, width = 6, height = 4) => encodePng({ width, height, data: new Uint8Array(width * height * 3).fill(value) })

function put(root: string, name: string, content: string | Uint8Array): string {
  mkdirSync(dirname(join(root, name)), { recursive: true })
  writeFileSync(join(root, name), content)
  return join(root, name)
}

async function read(path: string, options: ImportOptions = {}) {
  const events: ImportEvent[] = []
  for await (const event of readDataset(path, options)) events.push(event)
  const samples = events.filter((event): event is ImportedSample => event.kind === 'sample')
  return {
    formats: events.flatMap((event) => (event.kind === 'file' ? [event.format] : [])),
    columns: events.flatMap((event) => (event.kind === 'file' ? (event.columns ?? []) : [])),
    samples,
    contents: samples.map(({ content }) => content),
    faults: events.filter((event): event is ImportFault => event.kind === 'fault').map(({ line, field }) => [line, field]),
  }
}

async function putTar(root: string, entries: readonly (readonly [string, string | Uint8Array])[]): Promise<string> {
  const tar = pack()
  for (const [name, bytes] of entries) tar.entry({ name }, Buffer.from(bytes))
  tar.finalize()
  await pipeline(tar, createWriteStream(join(root, 'data.tar')))
  return join(root, 'data.tar')
}

const pair = { kind: 'preferences', prompt: '<image>\nWhat is it?', chosen: 'A dog.', rejected: 'A cat.', group: null, category: null, region: [] }

describe('Parquet', () => {
  it('RLAIF-V: images as bytes beside texts, whole numbers as numbers; a row with damaged bytes is named', async () => {
    const root = temporaryFolder()
    const file = join(root, 'train-00000-of-00001.parquet')
    const text = (name: string, data: (string | null)[]) => ({ name, data })
    parquetWriteFile({
      filename: file,
      columnData: [
        text('question', ['What is it?', 'What is it?']),
        text('chosen', ['A dog.', 'A dog.']),
        text('rejected', ['A cat.', 'A cat.']),
        text('origin_split', ['{}', '{}']),
        { name: 'idx', data: [5n, 6n] },
        { name: 'image', data: [{ bytes: png(1), path: 'a.png' }, { bytes: png(2).slice(0, 40), path: 'b.png' }] },
      ],
      schema: [
        { name: 'root', num_children: 6 },
        ...['question', 'chosen', 'rejected', 'origin_split'].map((name) => ({ name, type: 'BYTE_ARRAY' as const, converted_type: 'UTF8' as const, repetition_type: 'OPTIONAL' as const })),
        { name: 'idx', type: 'INT64', repetition_type: 'OPTIONAL' },
        { name: 'image', num_children: 2, repetition_type: 'OPTIONAL' },
        { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
        { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      ],
    })
    const { contents, samples, columns, faults } = await read(file)
    expect(contents).toEqual([pair])
    expect(samples[0]).toMatchObject({ source: '5', image: { width: 6, height: 4, format: 'png' } })
    expect(columns).toEqual(['question', 'chosen', 'rejected', 'origin_split', 'idx', 'image'])
    expect(faults).toEqual([[2, 'image']])
  })
})

describe('VLFeedback', () => {
  const answers = [
    { model: 'a', response: 'A dog.', annotations: { Helpfulness: { Rating: '5' }, 'Visual Faithfulness': { Rating: '4' } } },
    { model: 'b', response: 'A cat.', annotations: { Helpfulness: { Rating: '2' }, 'Visual Faithfulness': { Rating: 'N/A' } } },
    { model: 'c', response: 'A cow.', annotations: { Helpfulness: { Rating: '2' }, 'Visual Faithfulness': { Rating: '2' } } },
    { model: 'd', response: 'No idea.', annotations: { Helpfulness: { Rating: 'N/A' } } },
  ]
  const lists = {
    model: answers.map(({ model }) => model),
    response: answers.map(({ response }) => response),
    annotations: answers.map(({ annotations }) => annotations),
  }
  it.each([
    ['a list', answers],
    ['a record of lists', lists],
  ])('completions as %s: every two answers whose mean ratings differ, and none without a number', async (_, completions) => {
    const root = temporaryFolder()
    put(root, 'a.png', png(1))
    const file = put(root, 'data.jsonl', JSON.stringify({ id: 'x', prompt: 'What is it?', img_path: 'a.png', completions }))
    const { contents, formats } = await read(file)
    expect(formats).toEqual(['vlfeedback'])
    expect(contents).toEqual([pair, { ...pair, rejected: 'A cow.' }])
  })
})

describe('LLaMA-Factory', () => {
  it('dataset_info.json names files, columns and speakers; a ranking set is pairs', async () => {
    const root = temporaryFolder()
    put(root, 'pics/a.png', png(1))
    put(
      root,
      'dataset_info.json',
      JSON.stringify({
        pairs: {
          file_name: 'rlhf.json',
          formatting: 'sharegpt',
          ranking: true,
          columns: { messages: 'talk', chosen: 'good', rejected: 'bad', images: 'pics' },
          tags: { role_tag: 'role', content_tag: 'content', user_tag: 'user', assistant_tag: 'bot' },
        },
        alpaca: { file_name: 'alpaca.json', columns: { prompt: 'instruction', query: 'input', response: 'output' } },
        elsewhere: { file_name: '../../etc/passwd' },
      }),
    )
    put(
      root,
      'rlhf.json',
      JSON.stringify([
        {
          talk: [{ role: 'user', content: '<image>\nWhat is it?' }],
          good: { role: 'bot', content: 'A dog.' },
          bad: { role: 'bot', content: 'A cat.' },
          pics: ['pics/a.png'],
        },
      ]),
    )
    put(root, 'alpaca.json', JSON.stringify([{ instruction: 'Add.', input: '1 and 2', output: '3' }]))
    const { contents, faults } = await read(root)
    expect(contents).toEqual([
      pair,
      {
        kind: 'conversations',
        turns: [
          { from: 'human', text: 'Add.\n1 and 2' },
          { from: 'assistant', text: '3' },
        ],
      },
    ])
    expect(faults).toEqual([[null, 'elsewhere.file_name']])
  })
})

describe('pictures with annotations beside them', () => {
  it('PASCAL VOC: corners from 1 and inclusive, splits from ImageSets, entities in names', async () => {
    const root = temporaryFolder()
    for (const name of ['1', '2']) put(root, `JPEGImages/${name}.png`, png(Number(name)))
    const xml = (name: string, box: string) =>
      `<annotation><filename>${name}.png</filename><size><width>6</width></size><object><name>cat &amp; dog</name><bndbox>${box}</bndbox></object></annotation>`
    put(root, 'Annotations/1.xml', xml('1', '<xmin>1</xmin><ymin>2</ymin><xmax>6</xmax><ymax>4</ymax>'))
    put(root, 'Annotations/2.xml', xml('2', '<xmin>5</xmin><ymin>2</ymin><xmax>1</xmax><ymax>4</ymax>'))
    put(root, 'ImageSets/Main/val.txt', '1\n')
    const { samples, faults, formats } = await read(root)
    expect(formats).toEqual(['voc'])
    expect(samples).toMatchObject([
      { split: 'validation', content: { objects: [{ category: 'cat & dog', box: [0, 1, 6, 3], mask: null }] } },
    ])
    expect(faults).toEqual([[null, 'object[0].bndbox']])
  })

  it.each([
    ['grey indices named by a list of classes', 'annotations', [[0, 0, 0], [2, 2, 2], [1, 1, 1]], 'classes.txt', ['wall', 'sky']],
    ['VOC’s colours', 'SegmentationClass', [[0, 0, 0], [0, 128, 0], [128, 0, 0]], null, ['class 1', 'class 2']],
  ] as const)('label maps: %s', async (_, folder, colours, names, categories) => {
    const root = temporaryFolder()
    put(root, 'images/train/a.png', png(9))
    // Left two columns class of the second colour, the upper right pixel the third, the rest background.
    const data = new Uint8Array(6 * 4 * 3)
    for (let y = 0; y < 4; y++)
      for (let x = 0; x < 6; x++) data.set(colours[x < 2 ? 1 : x === 5 && y === 0 ? 2 : 0], (y * 6 + x) * 3)
    put(root, `${folder}/train/a.png`, folder === 'annotations' ? greyPng(data) : encodePng({ width: 6, height: 4, data }))
    if (names !== null) put(root, names, 'wall\nsky\n')
    const { samples } = await read(root)
    expect(samples).toMatchObject([
      {
        split: 'train',
        content: {
          objects: [
            { category: categories[0], box: [5, 0, 1, 1], mask: { size: [4, 6], counts: [20, 1, 3] } },
            { category: categories[1], box: [0, 0, 2, 4], mask: { size: [4, 6], counts: [0, 8, 16] } },
          ],
        },
      },
    ])
  })
})

/** The red channel as an 8-bit grey PNG: the RGB one with its header and rows rewritten. */
function greyPng(rgb: Uint8Array): Uint8Array {
  const rows = Buffer.concat(Array.from({ length: 4 }, (_, y) => Buffer.from([0, ...Array.from({ length: 6 }, (_x, x) => rgb[(y * 6 + x) * 3]!)])))
  const chunk = (type: string, body: Uint8Array) => {
    const out = Buffer.alloc(12 + body.length)
    out.writeUInt32BE(body.length, 0)
    out.write(type, 4, 'latin1')
    out.set(body, 8)
    out.writeUInt32BE(crc32(out.subarray(4, 8 + body.length)), 8 + body.length)
    return out
  }
  const header = Buffer.from([0, 0, 0, 6, 0, 0, 0, 4, 8, 0, 0, 0, 0])
  return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))])
}

describe('WebDataset', () => {
  it('files of one key are a row: JSON by its fields, a caption, a class; a lone picture is named', async () => {
    const root = temporaryFolder()
    const captions = await read(await putTar(root, [['a.png', png(1)], ['a.txt', 'A dog. '], ['b.png', png(2)]]))
    expect(captions.contents).toEqual([
      { kind: 'conversations', turns: [{ from: 'human', text: '<image>' }, { from: 'assistant', text: 'A dog.' }] },
    ])
    expect(captions.faults).toEqual([[2, 'b: conversations']])
    const rows = await read(await putTar(root, [['train/1.json', JSON.stringify({ question: 'Q', answer: 'A', id: 4 })], ['train/1.jpg', png(1)]]))
    expect(rows.samples).toMatchObject([{ split: 'train', source: '4', content: { kind: 'questions' }, image: { width: 6 } }])
    const classes = await read(await putTar(root, [['x.cls', '7'], ['x.png', png(1)]]))
    expect(classes.contents).toEqual([{ kind: 'objects', objects: [{ category: '7', box: [0, 0, 6, 4], mask: null }] }])
  })

  it('cut off in the middle keeps what came before', async () => {
    const root = temporaryFolder()
    const file = await putTar(root, Array.from({ length: 6 }, (_, i) => [`${i}.json`, JSON.stringify({ question: `Q${i}`, answer: 'A' })]))
    writeFileSync(file, readFileSync(file).subarray(0, 3 * 1024 + 600))
    const { contents, faults } = await read(file)
    expect(contents.length).toBeGreaterThanOrEqual(2)
    expect(faults.at(-1)).toEqual([null, 'archive'])
  })
})

describe('tables and arrays', () => {
  it('a table with other column names is read by the mapping that a person gives', async () => {
    const root = temporaryFolder()
    const file = put(root, 'x.csv', 'bild;frage;antwort\r\n;"Wie viele; ""alle""?";3\r\nzu wenig\r\n')
    const { contents, faults, columns } = await read(file, { columns: { question: 'frage', answer: 'antwort', image: 'bild' } })
    expect(contents).toMatchObject([{ question: 'Wie viele; "alle"?', answer: '3' }])
    expect(faults).toEqual([[3, 'row']])
    expect(columns).toEqual(['bild', 'frage', 'antwort'])
    expect((await read(file, { columns: { question: 'none', answer: 'antwort' } }).catch((thrown: unknown) => thrown))).toMatchObject({
      faults: [[2, 'question'], [3, 'row']],
    })
  })

  it('a JSON array that was cut off gives its whole elements and one fault', async () => {
    const root = temporaryFolder()
    const rows = Array.from({ length: 5 }, (_, i) => ({ question: `Q${i} [}],"`, answer: 'A' }))
    const text = JSON.stringify(rows)
    const { contents, faults } = await read(put(root, 'x.json', text.slice(0, -12)))
    expect([contents.length, faults]).toEqual([4, [[5, 'row']]])
  })
})

describe('pictures of other formats', () => {
  it('a bitmap of 24 bits, bottom up, and one of a palette, are their pixels', async () => {
    const header = (depth: number, palette: number, pixels: number) => {
      const out = Buffer.alloc(54 + palette * 4)
      out.write('BM')
      out.writeUInt32LE(out.length + pixels, 2)
      out.writeUInt32LE(out.length, 10)
      out.writeUInt32LE(40, 14)
      out.writeInt32LE(2, 18)
      out.writeInt32LE(2, 22)
      out.writeUInt16LE(1, 26)
      out.writeUInt16LE(depth, 28)
      return out
    }
    const rows24 = Buffer.from([3, 2, 1, 6, 5, 4, 0, 0, 9, 8, 7, 12, 11, 10, 0, 0])
    const deep = Buffer.concat([header(24, 0, 16), rows24])
    expect(readImageHeader(deep, 'x.bmp')).toEqual({ format: 'bmp', width: 2, height: 2 })
    expect([...(await decodeImage(deep, { name: 'x.bmp' })).data]).toEqual([7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6])
    const flat = header(1, 2, 8)
    flat.set([30, 20, 10, 0, 60, 50, 40, 0], 54)
    const two = Buffer.concat([flat, Buffer.from([0b01000000, 0, 0, 0, 0b10000000, 0, 0, 0])])
    expect([...(await decodeImage(two, { name: 'x.bmp' })).data]).toEqual([40, 50, 60, 10, 20, 30, 10, 20, 30, 40, 50, 60])
    await expect(decodeImage(deep.subarray(0, 60), { name: 'x.bmp' })).rejects.toMatchObject({ code: 'invalid-input' })
  })
})
