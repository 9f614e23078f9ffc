// The rows of a data file, one by one, with the place of each: lines of JSONL, elements of a JSON array, records of CSV and
// rows of Parquet. All are streamed: memory holds one row (of Parquet: one row group), whatever the file's length.

import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { parse as parseCsv, CsvError } from 'csv-parse'
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { LabError } from '../../domain/errors.ts'
import { isRow, RowFault, type Row } from './row-fault.ts'

export interface PlacedRow {
  /** From 1: the line, or the position in the array or table. */
  readonly line: number
  /** The row, or what is wrong with its notation. */
  readonly row: Row | RowFault
  /** How far the file is read after this row, bytes. */
  readonly done: number
}

/** Beyond this a JSON object cannot be held as one string. */
const MAX_JSON_BYTES = 400_000_000
/** A longer line (element, record) is taken for a damaged file. */
const MAX_ROW_BYTES = 64_000_000

export async function* readLines(file: string): AsyncGenerator<PlacedRow> {
  let line = 0
  let done = 0
  for await (const bytes of splitLines(file)) {
    line += 1
    done += bytes.length + 1
    const text = bytes
      .toString('utf8')
      .replace(/^\uFEFF/, '')
      .trim()
    if (text !== '') yield { line, row: parseRow(text), done }
  }
}

async function* splitLines(file: string): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = []
  let length = 0
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    let from = 0
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      yield Buffer.concat([...pieces, chunk.subarray(from, at)])
      ;[pieces, length, from] = [[], 0, at + 1]
    }
    pieces.push(chunk.subarray(from))
    length += chunk.length - from
    if (length > MAX_ROW_BYTES)
      throw new LabError(
        'invalid-input',
        `${file}: expected lines of at most ${MAX_ROW_BYTES / 1e6} MB, found a longer one; is it one JSON object per line?`,
        { file },
      )
  }
  if (length > 0) yield Buffer.concat(pieces)
}

function parseRow(text: string): Row | RowFault {
  try {
    const value: unknown = JSON.parse(text)
    return isRow(value) ? value : new RowFault('row', 'a JSON object', value)
  } catch (thrown) {
    return new RowFault('row', `JSON (${(thrown as Error).message})`, text.slice(0, 60))
  }
}

/** The first byte of a file that is no white space, as a character; '' of an empty file. */
export async function firstCharacter(file: string): Promise<string> {
  for await (const chunk of createReadStream(file, { end: 65_535 }) as AsyncIterable<Buffer>) {
    const text = chunk.toString('utf8').replace(/^\uFEFF/, '').trimStart()
    if (text !== '') return text[0]!
  }
  return ''
}

const [QUOTE, BACKSLASH, COMMA, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [...'"\\,[]{}'].map((each) => each.charCodeAt(0)) as [
  number, number, number, number, number, number, number,
]
const isSpace = (byte: number) => byte === 32 || (byte >= 9 && byte <= 13)

/** The elements of a JSON array, each parsed on its own: what follows a damaged one still comes, as far as brackets match. */
export async function* readJsonArray(file: string): AsyncGenerator<PlacedRow> {
  let [line, done, depth, length] = [0, 0, 0, 0]
  let [isText, isEscaped, isEnded] = [false, false, false]
  let pieces: Buffer[] = []
  const element = (): PlacedRow | null => {
    const text = Buffer.concat(pieces).toString('utf8').trim()
    ;[pieces, length] = [[], 0]
    if (text === '') return null
    line += 1
    return { line, row: parseRow(text), done }
  }
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    let from = 0
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!
      if (isText) {
        if (isEscaped) isEscaped = false
        else if (byte === BACKSLASH) isEscaped = true
        else if (byte === QUOTE) isText = false
        continue
      }
      if (byte === QUOTE) isText = true
      else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
        depth += 1
        if (depth === 1) from = i + 1
      } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT || (byte === COMMA && depth === 1)) {
        if (byte !== COMMA) depth -= 1
        if (depth > 1 || (depth === 1 && byte !== COMMA)) continue
        pieces.push(chunk.subarray(from, i))
        from = i + 1
        const placed = element()
        if (placed !== null) yield { ...placed, done: done + i }
        if (depth === 0) isEnded = true
      } else if (isEnded && !isSpace(byte)) {
        yield { line: line + 1, row: new RowFault('row', 'nothing behind the array', String.fromCharCode(byte)), done: done + i }
        return
      }
    }
    if (depth > 0) {
      pieces.push(chunk.subarray(from))
      length += chunk.length - from
    }
    if (length > MAX_ROW_BYTES)
      throw new LabError(
        'invalid-input',
        `${file}: expected elements of at most ${MAX_ROW_BYTES / 1e6} MB, found a longer one in place ${line + 1}; is a bracket or a quotation mark missing?`,
        { file },
      )
    done += chunk.length
  }
  if (isEnded) return
  // The last element of a file that was cut off is no element; what came before it is in.
  const found = Buffer.concat(pieces).toString('utf8').trim().slice(0, 60)
  yield {
    line: line + 1,
    row: new RowFault('row', 'the end of the JSON array', found, `the end of the file${found === '' ? '' : ` after ${JSON.stringify(found)}`}`),
    done,
  }
}

/**
 * A whole JSON file.
 * @throws LabError 'invalid-input' when it is too large or no JSON
 */
export async function readJson(file: string): Promise<unknown> {
  const { size } = await stat(file)
  if (size > MAX_JSON_BYTES)
    throw new LabError(
      'invalid-input',
      `${file}: expected a JSON object of at most ${MAX_JSON_BYTES / 1e6} MB, found ${Math.round(size / 1e6)} MB; ` +
        'convert it to JSON Lines',
      { file },
    )
  const text = (await readFile(file, 'utf8')).replace(/^\uFEFF/, '')
  try {
    return JSON.parse(text)
  } catch (thrown) {
    throw new LabError(
      'invalid-input',
      `${file}: expected JSON: ${(thrown as Error).message}; was the download complete?`,
      { file },
      thrown,
    )
  }
}

/** A table as text (RFC 4180) with a header line; cells are separated by what separates the names in it. */
export async function* readCsv(file: string): AsyncGenerator<PlacedRow> {
  const source = createReadStream(file)
  const delimiter = await delimiterOf(file)
  const parser = parseCsv({
    bom: true,
    info: true,
    delimiter,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW_BYTES,
  })
  source.on('error', (error) => parser.destroy(error))
  source.pipe(parser)
  let header: readonly string[] | null = null
  let last = 0
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number; bytes: number } }>) {
      const line = last + 1
      last = info.lines
      if (header === null) {
        header = record.map((name) => name.trim())
        continue
      }
      if (record.length === 1 && record[0]!.trim() === '') continue
      const names: readonly string[] = header
      const row =
        record.length === names.length
          ? Object.fromEntries(names.map((name, i) => [name, record[i]!]))
          : new RowFault('row', `${names.length} columns (${names.join(', ')})`, record, `${record.length} columns`)
      yield { line, row, done: info.bytes }
    }
  } catch (thrown) {
    if (!(thrown instanceof CsvError)) throw thrown
    // An open quotation mark swallows the rest of the file: there is no next row to go on with.
    yield { line: last + 1, row: new RowFault('row', 'a table row', thrown.message, thrown.message), done: last }
  } finally {
    source.destroy()
  }
}

async function delimiterOf(file: string): Promise<string> {
  for await (const chunk of createReadStream(file, { end: 65_535 }) as AsyncIterable<Buffer>) {
    const header = chunk.toString('utf8').split(/\r?\n/)[0]!
    const count = (each: string) => header.split(each).length
    return [',', ';', '\t'].reduce((best, each) => (count(each) > count(best) ? each : best))
  }
  return ','
}

/** The column names of a table, without reading its rows; empty for other files. */
export async function columnsOf(file: string, extension: string): Promise<readonly string[]> {
  if (extension === '.parquet') {
    const metadata = await parquetMetadataAsync(await asyncBufferFromFile(file))
    return metadata.schema[0]?.num_children === undefined ? [] : topLevelNames(metadata.schema)
  }
  for await (const { row } of readCsv(file)) return row instanceof RowFault ? [] : Object.keys(row)
  return []
}

function topLevelNames(schema: readonly { readonly name: string; readonly num_children?: number }[]): string[] {
  const names: string[] = []
  const skip = (at: number): number => {
    let next = at + 1
    for (let i = 0; i < (schema[at]!.num_children ?? 0); i++) next = skip(next)
    return next
  }
  for (let at = 1; at < schema.length; at = skip(at)) names.push(schema[at]!.name)
  return names
}

/** A row group at a time; integers of 64 bits become numbers, texts text, and bytes stay bytes. */
export async function* readParquet(file: string): AsyncGenerator<PlacedRow> {
  const { size } = await stat(file)
  try {
    const buffer = await asyncBufferFromFile(file)
    const metadata = await parquetMetadataAsync(buffer)
    const total = Number(metadata.num_rows)
    let line = 0
    for (const group of metadata.row_groups) {
      const rowEnd = line + Number(group.num_rows)
      const rows = await parquetReadObjects({ file: buffer, metadata, compressors, rowStart: line, rowEnd, utf8: false })
      for (const row of rows) {
        line += 1
        yield { line, row: plain(row) as Row, done: Math.round((size * line) / Math.max(1, total)) }
      }
    }
  } catch (thrown) {
    if (thrown instanceof LabError) throw thrown
    throw new LabError('invalid-input', `${file}: expected a Parquet file: ${(thrown as Error).message}; was the download complete?`, { file }, thrown)
  }
}

/** Column names under which bytes are a picture; any other bytes are text without its mark. */
const PICTURES = ['bytes', 'image', 'images', 'img', 'mask']

function plain(value: unknown, name = ''): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Uint8Array) return PICTURES.includes(name) ? value : Buffer.from(value).toString('utf8')
  if (Array.isArray(value)) return value.map((each) => plain(each, name))
  if (isRow(value)) return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each, key)]))
  return value
}
