// The one path by which data come into the lab: a file or a folder of any format that is recognised by its keys, read row
// by row. What is wrong with a row is told, with its place, and the rest goes on. Nothing is copied or stored here.

import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, extname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { LabError } from '../../domain/errors.ts'
import type { ImportEvent, ImportOptions } from '../../domain/import-event.ts'
import { benchmarkQuestion, BENCHMARK_OF, recognisedBenchmark } from '../benchmarks/published.ts'
import type { Benchmark } from '../benchmarks/benchmark.ts'
import { isCocoFile, readCoco, type FileContext } from './coco.ts'
import { listImages, readImageFolders } from './image-folders.ts'
import { openImageFiles, splitOfFileName, splitOfFolders, splitOfRow } from './image-files.ts'
import { imageOfRow } from './image-of-row.ts'
import { factoryDatasets, type FactoryDataset } from './llama-factory.ts'
import { maskPairs, readMaskFolders } from './mask-folders.ts'
import { ROW_FORMATS, type RowFormat } from './row-formats.ts'
import { isRow, RowFault, type Row } from './row-fault.ts'
import { columnsOf, firstCharacter, readCsv, readJson, readJsonArray, readLines, readParquet, type PlacedRow } from './rows.ts'
import { readTarDataset, type RowReader } from './tar-datasets.ts'
import { readVoc, vocFiles } from './voc.ts'

const DATA_EXTENSIONS = ['.json', '.jsonl', '.csv', '.tsv', '.parquet', '.tar', '.tgz', '.gz']

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
  // What dataset_info.json names is read through it, with its names of columns.
  const isFactory = names.includes('dataset_info.json')
  for (const name of isFactory ? ['dataset_info.json'] : names) {
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
  yield* readPictures(folder, options)
}

/** A folder without data files: pictures with label maps, pictures with VOC's boxes, or pictures in a folder per class. */
async function* readPictures(folder: string, options: ImportOptions): AsyncGenerator<ImportEvent> {
  const paths = await listImages(folder)
  if (paths.length === 0 || (options.kind !== undefined && options.kind !== 'objects'))
    throw new LabError(
      'invalid-input',
      `${folder}: expected data files (${DATA_EXTENSIONS.join(', ')}) ` +
        `${options.kind === undefined ? '' : `with ${options.kind} `}or images in a folder per class, found none`,
      { path: folder },
    )
  const images = await openImageFiles(folder)
  const context = { images, splitOf: (_: Row, path: string | null) => options.split ?? splitOfFolders(path ?? '') ?? 'train' }
  const pairs = maskPairs(paths)
  if (pairs.length > 0) {
    yield { kind: 'file', file: '', format: 'mask-folders', content: 'objects', of: pairs.length }
    return yield* readMaskFolders(folder, pairs, context)
  }
  const annotations = await vocFiles(folder)
  if (annotations.length > 0) {
    yield { kind: 'file', file: '', format: 'voc', content: 'objects', of: annotations.length }
    return yield* readVoc(folder, annotations, context)
  }
  yield { kind: 'file', file: '', format: 'image-folders', content: 'objects', of: paths.length }
  yield* readImageFolders(paths, context)
}

async function* readFile(
  file: string,
  name: string,
  options: ImportOptions,
  factory: FactoryDataset | null = null,
): AsyncGenerator<ImportEvent> {
  const extension = extname(file).toLowerCase()
  if (!DATA_EXTENSIONS.includes(extension))
    throw new LabError('invalid-input', `${file}: expected ${DATA_EXTENSIONS.join(', ')}, found "${extension}"`, { file })
  const { size } = await stat(file)
  if (extension === '.tar' || extension === '.tgz' || extension === '.gz') {
    const ofName = splitOfFileName(basename(file))
    const reader = rowReader((row, path) => splitOfRow(row['split']) ?? splitOfFolders(path) ?? ofName ?? 'train')
    return yield* readTarDataset(file, name, size, { reader, split: options.split ?? null, kind: options.kind ?? null })
  }
  const context = await fileContext(file, name, size, options.imageRoot ?? dirname(file), options)
  const rows = (placed: AsyncIterable<PlacedRow>) => readRows(placed, file, context, options, factory)
  switch (extension) {
    case '.jsonl':
      return yield* rows(readLines(file))
    case '.csv':
    case '.tsv':
      return yield* rows(readCsv(file))
    case '.parquet':
      return yield* rows(readParquet(file))
  }
  if ((await firstCharacter(file)) === '[') return yield* rows(readJsonArray(file))

  const value = await readJson(file).catch(async (thrown: unknown) => {
    // Many a ".json" holds one object a line.
    const first = await readLines(file).next()
    if (first.done === false && !(first.value.row instanceof RowFault)) return null
    throw thrown
  })
  if (value === null) return yield* rows(readLines(file))
  if (isCocoFile(value)) {
    if (options.kind !== undefined && options.kind !== 'objects') return
    yield { kind: 'file', file: name, format: 'coco', content: 'objects', of: size }
    return yield* readCoco(value, context)
  }
  const ofBenchmark = options.benchmark === undefined ? null : rowsOfObject(value)
  if (ofBenchmark !== null) return yield* rows(placed(ofBenchmark, size))
  if (isMmprIndex(value)) return yield* readMmpr(value, file, options)
  const datasets = factoryDatasets(value)
  if (datasets !== null) return yield* readFactory(datasets, file, options)
  if (isRow(value) && ROW_FORMATS.some(({ matches }) => matches(value))) return yield* rows(readLines(file))
  throw unknownFormat(file, value)
}

function rowReader(split: RowReader['split']): RowReader {
  let format: RowFormat | undefined
  return {
    open: (row) => (format ??= ROW_FORMATS.find(({ matches }) => matches(row))) ?? null,
    contents: (row, image) => format!.contents(row, image),
    split,
    source: (row, path) => sourceOf(row, path),
  }
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
  rows: AsyncIterable<PlacedRow>,
  file: string,
  context: FileContext,
  options: ImportOptions,
  factory: FactoryDataset | null = null,
): AsyncGenerator<ImportEvent> {
  let format: Omit<RowFormat, 'matches'> | undefined
  let benchmark: Benchmark | null = null
  let count = 0
  for await (const { line, row: placed, done } of rows) {
    try {
      if (placed instanceof RowFault) throw placed
      let row = withColumns(factory === null ? placed : factory.rename(placed), options.columns)
      if (format === undefined) {
        benchmark = options.benchmark !== undefined ? BENCHMARK_OF[options.benchmark] : recognisedBenchmark(row)
        // The first whole row says what the file is; a later row of another shape is a fault of that row.
        format = benchmark === null ? ROW_FORMATS.find(({ matches }) => matches(row)) : formatOf(benchmark, options, context.name)
        if (format === undefined) throw unknownFormat(file, row)
        if (options.kind !== undefined && options.kind !== format.kind) return
        const extension = extname(file).toLowerCase()
        const isTable = ['.csv', '.tsv', '.parquet'].includes(extension)
        yield {
          kind: 'file',
          file: context.name,
          format: factory === null ? format.format : 'llama-factory',
          content: format.kind,
          of: context.bytes,
          ...(isTable ? { columns: await columnsOf(file, extension) } : {}),
        }
      }
      // Before its image: a row that the benchmark leaves out may name none.
      if (benchmark !== null && benchmark.record(row, context.name) === null) continue
      if (benchmark?.image !== undefined) row = { ...row, image: benchmark.image(row) }
      const named = imageOfRow(row, file)
      const image = named === null ? null : await named.find(context.images)
      for (const content of format.contents(row, image))
        yield {
          kind: 'sample',
          split: benchmark !== null ? (options.split ?? 'test') : context.splitOf(row, named?.path ?? null),
          source: sourceOf(row, named?.path || null),
          image,
          content,
          ...tagsOf(row),
        }
    } catch (thrown) {
      if (!(thrown instanceof RowFault)) throw thrown
      yield { kind: 'fault', file: context.name, line, field: thrown.field, expected: thrown.expected, found: thrown.found }
    }
    count += 1
    if (count % 50 === 0 && format !== undefined) yield { kind: 'progress', done }
  }
}

/** Questions of a benchmark are for measuring: they come in as the test split. */
function formatOf(benchmark: Benchmark, { measure }: ImportOptions, name: string): Omit<RowFormat, 'matches'> {
  return {
    format: 'benchmark',
    kind: 'questions',
    contents: (row) => [benchmarkQuestion(benchmark, row, name, measure)].filter((each) => each !== null),
  }
}

/** Many a benchmark is one JSON object: its rows under "data" or "questions", or by their ids. */
function rowsOfObject(value: unknown): readonly Row[] | null {
  if (!isRow(value)) return null
  const list = value['data'] ?? value['questions']
  if (Array.isArray(list)) return list.filter(isRow)
  const entries = Object.entries(value)
  return entries.length > 0 && entries.every(([, row]) => isRow(row)) ? entries.map(([id, row]) => ({ id, ...(row as Row) })) : null
}

async function* placed(rows: readonly Row[], size: number): AsyncGenerator<PlacedRow> {
  for (const [i, row] of rows.entries()) yield { line: i + 1, row, done: Math.round((size * (i + 1)) / rows.length) }
}

/** The row under our names, where a person has said which column is which. */
function withColumns(row: Row, columns: ImportOptions['columns']): Row {
  if (columns === undefined) return row
  const out: Record<string, unknown> = { ...row }
  for (const [ours, theirs] of Object.entries(columns)) {
    if (!(theirs in row)) throw new RowFault(ours, `a column "${theirs}"`, undefined, `the columns ${Object.keys(row).join(', ')}`)
    if (theirs !== ours) delete out[theirs]
  }
  for (const [ours, theirs] of Object.entries(columns)) out[ours] = row[theirs]
  return out
}

function tagsOf(row: Row): { readonly tags?: readonly string[] } {
  const tags: unknown = typeof row['tags'] === 'string' && row['tags'].startsWith('[') ? jsonOrNull(row['tags']) : row['tags']
  return Array.isArray(tags) && tags.length > 0 && tags.every((tag): tag is string => typeof tag === 'string') ? { tags } : {}
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** The source's own id; without one, the image: samples about one picture belong together. */
function sourceOf(row: Row, imagePath: string | null): string | null {
  const id = row['id'] ?? row['question_id'] ?? row['idx']
  return typeof id === 'string' || typeof id === 'number' ? String(id) : imagePath
}

async function* readFactory(datasets: readonly FactoryDataset[], file: string, options: ImportOptions): AsyncGenerator<ImportEvent> {
  const folder = dirname(file)
  for (const dataset of datasets) {
    const place = resolve(folder, dataset.file)
    const isInside = !relative(folder, place).startsWith('..')
    const found = isInside ? await stat(place).catch(() => null) : null
    if (found?.isFile() !== true) {
      yield {
        kind: 'fault',
        file: basename(file),
        line: null,
        field: `${dataset.name}.file_name`,
        expected: `a data file inside ${folder}`,
        found: isInside ? `no file ${dataset.file}` : dataset.file,
      }
      continue
    }
    // Images are named from where dataset_info.json lies.
    yield* readFile(place, relative(folder, place).split(sep).join('/'), { ...options, imageRoot: options.imageRoot ?? folder }, dataset)
  }
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
    const found = isInside ? await stat(annotationFile).catch(() => null) : null
    const hasImages = isInside && (await stat(imageRoot).catch(() => null))?.isDirectory() === true
    if (found?.isFile() !== true || !hasImages) {
      const isRoot = !isInside || found?.isFile() === true
      yield {
        kind: 'fault',
        file: basename(file),
        line: null,
        field: `${set}.${isRoot ? 'root' : 'annotation'}`,
        expected: isRoot ? `a folder inside ${folder}` : `a path inside ${folder}`,
        found: isRoot ? (isInside ? `no folder ${root}` : root) : `no file ${annotation}`,
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
      'text as JSON (RLHF-V), rated completions (VLFeedback), ' +
      `question and answer, or images, annotations and categories (COCO); found the keys ${keys}`,
    { file },
  )
}
