// One writer a format: what a sample is in it. Beside the format's own fields stand the lab's (id, split, group, category,
// region, tags), which other programs pass over and the lab reads back, so that nothing is lost on the way. A region's masks have
// a field of their own: a column of two types is one that Arrow, and with it Hugging Face's datasets, refuses.

import { mkdir, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { LabError } from '../../domain/errors.ts'
import type { ExportFormat } from '../../domain/data-export.ts'
import { boxesOf, masksOf } from '../../domain/mask.ts'
import type { Content, PreferenceContent, Region, Sample } from '../../domain/sample.ts'
import type { ExportPlace } from '../export-data-job.ts'
import { openArchiveWriter, openWebDatasetWriter } from './tar-writers.ts'
import { openCocoWriter } from './coco-writer.ts'
import { openParquetWriter } from './parquet-writer.ts'

export interface SampleWriter {
  write(sample: Sample, tags: readonly string[]): Promise<void>
  end(): Promise<void>
}

type Row = Readonly<Record<string, unknown>>

export async function openSampleWriter(format: ExportFormat, place: ExportPlace): Promise<SampleWriter> {
  switch (format) {
    case 'archive':
      return openArchiveWriter(place)
    case 'webdataset':
      return openWebDatasetWriter(place)
    case 'coco':
      return openCocoWriter(place)
    case 'parquet':
    case 'rlaif-v':
      return openParquetWriter(place, format)
    case 'class-folders':
      return openClassFolderWriter(place)
    case 'csv':
      return openCsvWriter(place)
    case 'llama-factory':
      return openFactoryWriter(place)
    case 'mmpr':
      return openMmprWriter(place)
    case 'llava':
    case 'pivot-sft':
    case 'pivot-dpo':
      return openArrayWriter(place, `${format}.json`, format)
    case 'trl':
    case 'trl-implicit':
    case 'rlhf-v':
    case 'questions-jsonl':
      return openLinesWriter(place, `${format}.jsonl`, format)
  }
}

/** What the lab adds to a row; absent where there is nothing to say. */
export function labFields({ split, source, content }: Sample, tags: readonly string[]): Row {
  const { group, category, region } = { group: null, category: null, region: [], ...(content as Partial<PreferenceContent>) }
  return {
    ...(source === null ? {} : { id: source }),
    split,
    ...(group === null ? {} : { group }),
    ...(category === null ? {} : { category }),
    ...regionFields(region),
    ...(tags.length === 0 ? {} : { tags }),
  }
}

export function regionFields(region: Region): Row {
  const [boxes, masks] = [boxesOf(region), masksOf(region)]
  return { ...(boxes.length === 0 ? {} : { region: boxes }), ...(masks.length === 0 ? {} : { region_masks: masks }) }
}

export const imageField = (path: string | null): Row => (path === null ? {} : { image: path })

function rowIn(format: ExportFormat, sample: Sample, image: string | null, tags: readonly string[]): Row {
  const { content } = sample
  const more = labFields(sample, tags)
  switch (format) {
    case 'llava':
    case 'pivot-sft':
      return { ...more, ...imageField(image), conversations: conversationsOf(content) }
    case 'pivot-dpo': {
      const { prompt, chosen, rejected } = pairOf(content)
      return { ...more, prompt, chosen, rejected, ...imageField(image) }
    }
    case 'trl':
    case 'trl-implicit': {
      const { prompt, chosen, rejected } = pairOf(content)
      const question = { role: 'user', content: partsOf(prompt) }
      const [good, bad] = [chosen, rejected].map((text) => ({ role: 'assistant', content: [{ type: 'text', text }] }))
      const images = image === null ? {} : { images: [image] }
      return format === 'trl'
        ? { ...more, ...images, prompt: [question], chosen: [good], rejected: [bad] }
        : { ...more, ...images, chosen: [question, good], rejected: [question, bad] }
    }
    case 'rlhf-v': {
      const { prompt, chosen, rejected } = pairOf(content)
      return { ...more, ...(image === null ? {} : { image_path: image }), text: JSON.stringify({ question: prompt, chosen, rejected }) }
    }
    case 'questions-jsonl': {
      if (content.kind !== 'questions') throw wrongKind(content, format)
      return { ...more, ...imageField(image), question: content.question, answer: content.answer }
    }
    default:
      throw new LabError('internal', `${format} has no rows`)
  }
}

export function pairOf(content: Content): PreferenceContent {
  if (content.kind !== 'preferences') throw wrongKind(content, 'pairs')
  return content
}

export const wrongKind = (content: Content, format: string) => new LabError('internal', `${format} cannot hold ${content.kind}`)

/** Turns as LLaVA has them; of a pair: the preferred answer, PIVOT's SFT twin. */
export function conversationsOf(content: Content): Row[] {
  if (content.kind === 'conversations')
    return content.turns.map(({ from, text }) => ({ from: from === 'human' ? 'human' : 'gpt', value: text }))
  const { prompt, chosen } = pairOf(content)
  return [
    { from: 'human', value: prompt },
    { from: 'gpt', value: chosen },
  ]
}

const PLACEHOLDER = '<image>\n'

/** A prompt as message parts: the image where its placeholder stood. */
function partsOf(prompt: string): Row[] {
  const at = prompt.indexOf(PLACEHOLDER)
  if (at < 0) return [{ type: 'text', text: prompt }]
  const [before, after] = [prompt.slice(0, at), prompt.slice(at + PLACEHOLDER.length)]
  return [
    ...(before === '' ? [] : [{ type: 'text', text: before }]),
    { type: 'image' },
    ...(after === '' ? [] : [{ type: 'text', text: after }]),
  ]
}

async function openLinesWriter(place: ExportPlace, name: string, format: ExportFormat): Promise<SampleWriter> {
  const file = await place.open(name)
  return {
    write: async (sample, tags) => file.write(`${JSON.stringify(rowIn(format, sample, await place.imagePath(sample), tags))}\n`),
    end: () => file.end(),
  }
}

async function openArrayWriter(place: ExportPlace, name: string, format: ExportFormat): Promise<SampleWriter> {
  const file = await place.open(name)
  let isFirst = true
  return {
    async write(sample, tags) {
      const row = JSON.stringify(rowIn(format, sample, await place.imagePath(sample), tags))
      await file.write(`${isFirst ? '[\n' : ',\n'}${row}`)
      isFirst = false
    },
    async end() {
      await file.write(isFirst ? '[]\n' : '\n]\n')
      await file.end()
    },
  }
}

/** ShareGPT rows, and dataset_info.json that names them: one file for conversations, one for pairs. */
async function openFactoryWriter(place: ExportPlace): Promise<SampleWriter> {
  const files = new Map<string, SampleWriter>()
  const openOf = async (kind: 'sft' | 'dpo') => {
    const file = await place.open(`${kind}.jsonl`)
    return {
      async write(sample: Sample, tags: readonly string[]) {
        const image = await place.imagePath(sample)
        const { content } = sample
        const conversations =
          content.kind === 'preferences' ? [{ from: 'human', value: content.prompt }] : conversationsOf(content)
        const answers =
          content.kind === 'preferences'
            ? { chosen: { from: 'gpt', value: content.chosen }, rejected: { from: 'gpt', value: content.rejected } }
            : {}
        const images = image === null ? {} : { images: [image] }
        await file.write(`${JSON.stringify({ ...labFields(sample, tags), conversations, ...answers, ...images })}\n`)
      },
      end: () => file.end(),
    }
  }
  return {
    async write(sample, tags) {
      const kind = sample.content.kind === 'preferences' ? 'dpo' : 'sft'
      const writer = files.get(kind) ?? (await openOf(kind))
      files.set(kind, writer)
      await writer.write(sample, tags)
    },
    async end() {
      for (const writer of files.values()) await writer.end()
      const info = Object.fromEntries(
        [...files.keys()].map((kind) => [
          `${place.name.replace(/[^\w-]+/g, '_')}_${kind}`,
          {
            file_name: `${kind}.jsonl`,
            formatting: 'sharegpt',
            ...(kind === 'dpo' ? { ranking: true } : {}),
            columns: {
              messages: 'conversations',
              images: 'images',
              ...(kind === 'dpo' ? { chosen: 'chosen', rejected: 'rejected' } : {}),
            },
          },
        ]),
      )
      const file = await place.open('dataset_info.json')
      await file.write(`${JSON.stringify(info, null, 2)}\n`)
      await file.end()
    },
  }
}

async function openMmprWriter(place: ExportPlace): Promise<SampleWriter> {
  const file = await place.open('annotations/pairs.jsonl')
  let length = 0
  return {
    async write(sample, tags) {
      const { prompt: question, chosen, rejected } = pairOf(sample.content)
      const image = await place.imagePath(sample)
      await file.write(`${JSON.stringify({ ...labFields(sample, tags), ...imageField(image), question, chosen, rejected })}\n`)
      length += 1
    },
    async end() {
      await file.end()
      const meta = await place.open('meta.json')
      await meta.write(`${JSON.stringify({ [place.name]: { root: '.', annotation: 'annotations/pairs.jsonl', data_augment: false, repeat_time: 1, length } }, null, 2)}\n`)
      await meta.end()
    },
  }
}

const CSV_COLUMNS = ['id', 'split', 'image', 'question', 'answer', 'prompt', 'chosen', 'rejected', 'group', 'category', 'region', 'region_masks'] as const

async function openCsvWriter(place: ExportPlace): Promise<SampleWriter> {
  const file = await place.open('data.csv')
  let columns: readonly string[] | null = null
  const cell = (value: unknown) => {
    const text = value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value)
    return /[",\r\n]|^\s|\s$|^\uFEFF/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  return {
    async write(sample, tags) {
      const { content } = sample
      if (columns === null) {
        const others = content.kind === 'questions' ? ['prompt', 'chosen', 'rejected'] : ['question', 'answer']
        columns = CSV_COLUMNS.filter((column) => !others.includes(column))
        await file.write(`${columns.join(',')}\r\n`)
      }
      const row: Row = { ...content, region: null, ...labFields(sample, tags), image: await place.imagePath(sample) }
      await file.write(`${columns.map((column) => cell(row[column])).join(',')}\r\n`)
    },
    end: () => file.end(),
  }
}

/** <split>/<class>/<image>: an image that is one object of one class. */
async function openClassFolderWriter({ folder, imageBytes }: ExportPlace): Promise<SampleWriter> {
  return {
    async write(sample) {
      const { image, content, split } = sample
      const categories = content.kind === 'objects' ? new Set(content.objects.map(({ category }) => category)) : new Set<string>()
      const [category] = categories
      if (image === null || category === undefined || categories.size > 1)
        throw new LabError(
          'invalid-input',
          `class folders hold one class an image; image ${image?.sha256.slice(0, 12) ?? '(none)'} has ${categories.size}: ${[...categories].join(', ')}. Export as COCO, or filter by category.`,
        )
      // A class is a folder's name: what cannot stand in one is replaced.
      const name = category.replace(/[/\\:*?"<>|\p{C}]/gu, '_').replace(/^\.+|\.+$/g, '_')
      const target = join(folder, split, name)
      await mkdir(target, { recursive: true })
      await writeFile(join(target, `${image.sha256}${extname(image.path)}`), await imageBytes(image))
    },
    end: async () => {},
  }
}
