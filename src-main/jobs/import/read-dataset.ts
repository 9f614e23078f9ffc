// The one path by which data come into the lab: a file or a folder of any format that is recognised by its keys, read row
// by row. What is wrong with a row is told, with its place, and the rest goes on. Nothing is copied or stored here.

import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, extname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { LabError } from '../../domain/errors.ts'
import type { ImportEvent, ImportFormat, ImportOptions } from '../../domain/import-event.ts'
import type { Content, DatasetKind } from '../../domain/sample.ts'
import { isCocoFile, readCoco, type FileContext } from './coco.ts'
import { conversationContent } from './conversation-row.ts'
import { listImages, readImageFolders } from './image-folders.ts'
import { openImageFiles, splitOfFileName, splitOfFolders, splitOfRow } from './image-files.ts'
import { preferenceContent, rlhfVContent } from './preference-row.ts'
import { questionContent } from './question-row.ts'
import { isRow, RowFault, type Row } from './row-fault.ts'
import { readCsv, readJson, readLines, rowsOfArray, type PlacedRow } from './rows.ts'

const DATA_EXTENSIONS = ['.json', '.jsonl', '.csv']

/** How each kind of row is told by its keys, the most telling first; and what is made of it. */
const ROW_FORMATS: readonly {
  readonly format: ImportFormat
  readonly kind: DatasetKind
  readonly matches: (row: Row) => boolean
  readonly content: (row: Row, hasImage: boolean) => Content
}[] = [
  {
    format: 'llava',
    kind: 'conversations',
    matches: (row) => 'conversations' in row || 'messages' in row,
    content: conversationContent,
  },
  {
    format: 'preferences',
    kind: 'preferences',
    matches: (row) => 'chosen' in row || 'rejected' in row,
    content: preferenceContent,
  },
  {
    format: 'rlhf-v',
    kind: 'preferences',
    matches: (row) => typeof row['text'] === 'string' && row['text'].trimStart().startsWith('{'),
    content: rlhfVContent,
  },
  { format: 'questions', kind: 'questions', matches: (row) => 'question' in row && 'answer' in row, content: questionContent },
]

/**
 * Reads a data set. A folder may hold data files (all are read, or those of `kind`), or images in a folder per class.
 * @param path  absolute
 * @throws LabError 'not-found' when nothing is there, 'invalid-input' when a file's format is none of ours
 */
export async function* readDataset(path: string, options: ImportOptions = {}): AsyncGenerator<ImportEvent> {
  if (!isAbsolute(path)) throw new LabError('invalid-input', `${path}: expected an absolute path`, { path })
  const about = await stat(path).catch((thrown: NodeJS.ErrnoException) => {
    throw new LabError(
      'not-found',
      `${path}: expected a data file or a folder, found nothing (${thrown.code}); check the path`,
      { path },
      thrown,
    )
  })
  if (options.imageRoot !== undefined && !(await stat(options.imageRoot).catch(() => null))?.isDirectory())
    throw new LabError('invalid-input', `imageRoot: expected a folder with images, found none at ${options.imageRoot}`, {
      imageRoot: options.imageRoot,
    })
  if (about.isFile()) yield* readFile(path, basename(path), options)
  else if (about.isDirectory()) yield* readFolder(path, options)
  else throw new LabError('invalid-input', `${path}: expected a file or a folder`, { path })
}

async function* readFolder(folder: string, options: ImportOptions): AsyncGenerator<ImportEvent> {
  const names = (await readdir(folder))
    .filter((name) => !name.startsWith('.') && DATA_EXTENSIONS.includes(extname(name).toLowerCase()))
    .sort()
  let recognised = 0
  const faults: ImportEvent[] = []
  for (const name of names) {
    try {
      for await (const event of readFile(join(folder, name), name, options)) {
        recognised += event.kind === 'file' ? 1 : 0
        yield event
      }
    } catch (thrown) {
      // A folder may hold other JSON (a config, a licence list); it is named and passed over.
      if (!(thrown instanceof LabError) || thrown.code !== 'invalid-input') throw thrown
      faults.push({ kind: 'fault', file: name, line: null, field: '', expected: 'a data set', found: thrown.message })
    }
  }
  yield* faults
  if (recognised > 0) return
  const paths = await listImages(folder)
  if (paths.length === 0 || (options.kind !== undefined && options.kind !== 'objects'))
    throw new LabError(
      'invalid-input',
      `${folder}: expected data files (${DATA_EXTENSIONS.join(', ')}) ` +
        `${options.kind === undefined ? '' : `with ${options.kind} `}or images in a folder per class, found none`,
      { path: folder },
    )
  const images = await openImageFiles(folder)
  yield { kind: 'file', file: '', format: 'image-folders', content: 'objects', of: paths.length }
  yield* readImageFolders(paths, { images, splitOf: (_, path) => options.split ?? splitOfFolders(path ?? '') ?? 'train' })
}

async function* readFile(file: string, name: string, options: ImportOptions): AsyncGenerator<ImportEvent> {
  const extension = extname(file).toLowerCase()
  if (!DATA_EXTENSIONS.includes(extension))
    throw new LabError('invalid-input', `${file}: expected ${DATA_EXTENSIONS.join(', ')}, found "${extension}"`, { file })
  const { size } = await stat(file)
  const context = await fileContext(file, name, size, options.imageRoot ?? dirname(file), options)
  if (extension === '.jsonl') return yield* readRows(readLines(file), file, context, options)
  if (extension === '.csv') return yield* readRows(readCsv(file), file, context, options)

  const value = await readJson(file).catch(async (thrown: unknown) => {
    // Many a ".json" holds one object a line.
    const first = await readLines(file).next()
    if (first.done === false && !(first.value.row instanceof RowFault)) return null
    throw thrown
  })
  if (value === null) return yield* readRows(readLines(file), file, context, options)
  if (Array.isArray(value)) return yield* readRows(rowsOfArray(value, size), file, context, options)
  if (isCocoFile(value)) {
    if (options.kind !== undefined && options.kind !== 'objects') return
    yield { kind: 'file', file: name, format: 'coco', content: 'objects', of: size }
    return yield* readCoco(value, context)
  }
  if (isMmprIndex(value)) return yield* readMmpr(value, file, options)
  throw unknownFormat(file, value)
}

async function fileContext(
  file: string,
  name: string,
  bytes: number,
  root: string,
  options: ImportOptions,
): Promise<FileContext> {
  const ofName = splitOfFileName(basename(file, extname(file)))
  return {
    name,
    bytes,
    images: await openImageFiles(root),
    splitOf: (row, path) => options.split ?? splitOfRow(row['split']) ?? splitOfFolders(path ?? '') ?? ofName ?? 'train',
  }
}

async function* readRows(
  rows: AsyncIterable<PlacedRow> | Iterable<PlacedRow>,
  file: string,
  context: FileContext,
  options: ImportOptions,
): AsyncGenerator<ImportEvent> {
  let format: (typeof ROW_FORMATS)[number] | undefined
  let count = 0
  for await (const { line, row, done } of rows) {
    try {
      if (row instanceof RowFault) throw row
      if (format === undefined) {
        // The first whole row says what the file is; a later row of another shape is a fault of that row.
        format = ROW_FORMATS.find(({ matches }) => matches(row))
        if (format === undefined) throw unknownFormat(file, row)
        if (options.kind !== undefined && options.kind !== format.kind) return
        yield { kind: 'file', file: context.name, format: format.format, content: format.kind, of: context.bytes }
      }
      const path = imagePathOf(row)
      const image = path === null ? null : await context.images.find(path.path, path.field)
      const content = format.content(row, image !== null)
      yield {
        kind: 'sample',
        split: context.splitOf(row, path?.path ?? null),
        source: sourceOf(row, path?.path ?? null),
        image,
        content,
      }
    } catch (thrown) {
      if (!(thrown instanceof RowFault)) throw thrown
      yield { kind: 'fault', file: context.name, line, field: thrown.field, expected: thrown.expected, found: thrown.found }
    }
    count += 1
    if (count % 50 === 0 && format !== undefined) yield { kind: 'progress', done }
  }
}

/** The one image of a row: a path, a list of one, or a record with a path in it; null when the row has none. */
function imagePathOf(row: Row): { path: string; field: string } | null {
  const field = ['image', 'images', 'image_path'].find(
    (each) => row[each] !== undefined && row[each] !== null && row[each] !== '',
  )
  if (field === undefined) return null
  const value = row[field]
  const one = Array.isArray(value) ? (value.length === 1 ? value[0] : value.length === 0 ? null : undefined) : value
  if (one === null) return null
  if (one === undefined) throw new RowFault(field, 'one image', value, `${(value as unknown[]).length} images`)
  if (typeof one === 'string') return { path: one, field }
  if (isRow(one) && typeof one['path'] === 'string') return { path: one['path'], field: `${field}.path` }
  throw new RowFault(field, 'the path of an image', one)
}

/** The source's own id; without one, the image: samples about one picture belong together. */
function sourceOf(row: Row, imagePath: string | null): string | null {
  const id = row['id'] ?? row['question_id'] ?? row['idx']
  return typeof id === 'string' || typeof id === 'number' ? String(id) : imagePath
}

/** MMPR's meta.json: set name → { root, annotation }. */
type MmprIndex = Readonly<Record<string, { readonly root: string; readonly annotation: string }>>

function isMmprIndex(value: unknown): value is MmprIndex {
  return (
    isRow(value) &&
    Object.values(value).length > 0 &&
    Object.values(value).every((set) => isRow(set) && typeof set['root'] === 'string' && typeof set['annotation'] === 'string')
  )
}

async function* readMmpr(index: MmprIndex, file: string, options: ImportOptions): AsyncGenerator<ImportEvent> {
  const folder = dirname(file)
  for (const [set, { root, annotation }] of Object.entries(index)) {
    const [annotationFile, imageRoot] = [resolve(folder, annotation), options.imageRoot ?? resolve(folder, root)]
    const isInside = [annotationFile, imageRoot].every(
      (place) => place === options.imageRoot || !relative(folder, place).startsWith('..'),
    )
    const found = await stat(annotationFile).catch(() => null)
    if (!isInside || found === null) {
      const name = basename(file)
      yield {
        kind: 'fault',
        file: name,
        line: null,
        field: `${set}.${isInside ? 'annotation' : 'root'}`,
        expected: `a path inside ${folder}`,
        found: isInside ? `no file ${annotation}` : root,
      }
      continue
    }
    const context = await fileContext(
      annotationFile,
      relative(folder, annotationFile).split(sep).join('/'),
      found.size,
      imageRoot,
      options,
    )
    yield* readRows(readLines(annotationFile), annotationFile, context, options)
  }
}

function unknownFormat(file: string, value: unknown): LabError {
  const keys = isRow(value) ? Object.keys(value).slice(0, 12).join(', ') || 'none' : JSON.stringify(value)?.slice(0, 60)
  return new LabError(
    'invalid-input',
    `${file}: expected rows with conversations (LLaVA), prompt or question with chosen and rejected (PIVOT, MMPR, TRL), ` +
      'text as JSON (RLHF-V), ' +
      `question and answer, or images, annotations and categories (COCO); found the keys ${keys}`,
    { file },
  )
}
