// Data sets in one tar: WebDataset (files that share a name up to its first dot are one row), and the lab's own archive
// (lab-dataset.json first, then each image before the first sample that is about it).

import { basename, dirname } from 'node:path/posix'
import { LabError } from '../../domain/errors.ts'
import type { ImportedImage, ImportEvent } from '../../domain/import-event.ts'
import { sampleSchema, type Content, type DatasetKind, type Split } from '../../domain/sample.ts'
import { z } from 'zod'
import { IMAGE_EXTENSIONS } from '../images/header.ts'
import { imageOfBytes } from './image-files.ts'
import { IMAGE_PLACEHOLDER } from './messages.ts'
import { isRow, RowFault, type Row } from './row-fault.ts'
import { readTar } from './tar-entries.ts'

export const ARCHIVE_HEADER = 'lab-dataset.json'
export const archiveHeaderSchema = z.strictObject({
  format: z.literal('pivot-lab dataset'),
  version: z.literal(1),
  name: z.string(),
  kinds: z.array(z.string()),
  samples: z.int(),
})
/** A line of the archive: the image by its hash, its bytes earlier in the tar. */
export const archivedSampleSchema = sampleSchema
  .omit({ image: true })
  .extend({ image: sampleSchema.shape.image.unwrap().pick({ sha256: true }).nullable(), tags: z.array(z.string()) })

interface Member {
  readonly extension: string
  readonly bytes: Buffer
}

/** What a row of a WebDataset becomes: by the keys of its JSON, else a caption, else a class. */
export interface RowReader {
  /** null: none of our formats. */
  open(row: Row): { readonly kind: DatasetKind } | null
  contents(row: Row, image: ImportedImage | null): readonly Content[]
  split(row: Row, path: string): Split
  source(row: Row, path: string): string | null
}

export async function* readTarDataset(
  file: string,
  name: string,
  size: number,
  { reader, split, kind }: { readonly reader: RowReader; readonly split: Split | null; readonly kind: DatasetKind | null },
): AsyncGenerator<ImportEvent> {
  let key: string | null = null
  let members: Member[] = []
  let isOpen = false
  let isArchive = false
  let count = 0
  const images = new Map<string, ImportedImage>()
  const fault = (of: string, thrown: unknown): ImportEvent => {
    if (!(thrown instanceof RowFault)) throw thrown
    return { kind: 'fault', file: name, line: count, field: `${of}: ${thrown.field}`, expected: thrown.expected, found: thrown.found }
  }

  function* finish(): Generator<ImportEvent> {
    if (key === null || members.length === 0) return
    count += 1
    try {
      const row = rowOf(members)
      const opened = reader.open(row)
      if (opened === null) throw new RowFault('row', 'a picture with json, txt or cls beside it', row, Object.keys(row).join(', '))
      if (kind !== null && opened.kind !== kind) return
      if (!isOpen) {
        isOpen = true
        yield { kind: 'file', file: name, format: 'webdataset', content: opened.kind, of: size }
      }
      const picture = members.find(({ extension }) => IMAGE_EXTENSIONS.some((each) => each === `.${extension}`))
      const image = picture === undefined ? null : imageOfBytes(picture.bytes, file, `${key}.${picture.extension}`, 'image')
      for (const content of reader.contents(row, image))
        yield { kind: 'sample', split: split ?? reader.split(row, key), source: reader.source(row, key), image, content }
    } catch (thrown) {
      yield fault(key, thrown)
    } finally {
      members = []
    }
  }

  try {
    for await (const entry of readTar(file)) {
      if ('tooLarge' in entry) {
        yield { kind: 'fault', file: name, line: null, field: entry.name, expected: 'a file of at most 500 MB', found: `${entry.tooLarge} bytes` }
        continue
      }
      if (!isOpen && key === null && entry.name === ARCHIVE_HEADER) {
        const header = archiveHeaderSchema.safeParse(jsonOf(entry.bytes, entry.name))
        if (!header.success) throw new LabError('invalid-input', `${file}: expected an archive of this lab's version, found ${entry.bytes.toString().slice(0, 80)}`, { file })
        isArchive = true
        isOpen = true
        yield { kind: 'file', file: name, format: 'archive', content: (header.data.kinds[0] ?? 'questions') as DatasetKind, of: size }
        continue
      }
      if (isArchive) {
        count += 1
        try {
          const sample = archived(entry.name, entry.bytes, file, images)
          if (sample !== null && (kind === null || sample.content.kind === kind)) {
            // Whoever takes the image keeps it: later samples about it name it by its hash alone, and memory stays flat.
            if (sample.image?.data !== undefined) images.set(sample.image.sha256, { ...sample.image, data: undefined })
            yield split === null ? sample : { ...sample, split }
          }
        } catch (thrown) {
          yield fault(entry.name, thrown)
        }
      } else {
        const dot = basename(entry.name).indexOf('.')
        if (dot <= 0) continue
        const folder = dirname(entry.name)
        const of = `${folder === '.' ? '' : `${folder}/`}${basename(entry.name).slice(0, dot)}`
        if (of !== key) {
          yield* finish()
          key = of
        }
        members.push({ extension: basename(entry.name).slice(dot + 1).toLowerCase(), bytes: entry.bytes })
      }
      if (count % 50 === 0 && isOpen) yield { kind: 'progress', done: entry.done }
    }
    yield* finish()
  } catch (thrown) {
    // A cut-off archive: what stood before is in.
    if (!(thrown instanceof LabError) || !isOpen) throw thrown
    yield* finish()
    yield { kind: 'fault', file: name, line: null, field: 'archive', expected: 'the end of the archive', found: thrown.message }
  }
  if (!isOpen)
    throw new LabError('invalid-input', `${file}: expected a WebDataset (key.png, key.json) or an archive of the lab, found neither`, { file })
}

function archived(entry: string, bytes: Buffer, file: string, images: Map<string, ImportedImage>): Extract<ImportEvent, { kind: 'sample' }> | null {
  if (entry.startsWith('images/')) {
    const image = imageOfBytes(bytes, file, entry, 'image')
    images.set(image.sha256, image)
    return null
  }
  const sample = archivedSampleSchema.safeParse(jsonOf(bytes, entry))
  if (!sample.success) throw new RowFault('sample', 'a sample of the lab', sample.error.issues[0]?.path.join('.'), sample.error.issues[0]?.message ?? 'another')
  const { split, source, content, tags, image: named } = sample.data
  const image = named === null ? null : images.get(named.sha256)
  if (image === undefined) throw new RowFault('image', `image ${named!.sha256} earlier in the archive`, undefined)
  return { kind: 'sample', split, source, image, content, tags }
}

function rowOf(members: readonly Member[]): Row {
  const text = (extension: string) => members.find((each) => each.extension === extension)?.bytes.toString('utf8')
  const json = text('json')
  const row: Record<string, unknown> = {}
  if (json !== undefined) {
    const value = jsonOf(Buffer.from(json), 'json')
    if (!isRow(value)) throw new RowFault('json', 'a JSON object', value)
    Object.assign(row, value)
  }
  const caption = text('txt') ?? text('caption')
  const category = text('cls')
  if (caption !== undefined && Object.keys(row).length === 0)
    row['conversations'] = [
      { from: 'human', value: IMAGE_PLACEHOLDER },
      { from: 'gpt', value: caption.trim() },
    ]
  if (category !== undefined && Object.keys(row).length === 0) row['class'] = category.trim()
  for (const each of ['image', 'images', 'image_path']) delete row[each]
  return row
}

function jsonOf(bytes: Buffer, field: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (thrown) {
    throw new RowFault(field, `JSON (${(thrown as Error).message})`, bytes.toString('utf8', 0, 60))
  }
}

