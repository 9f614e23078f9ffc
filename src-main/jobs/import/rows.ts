// The rows of a data file, one by one, with the place of each: lines of JSONL, elements of a JSON array, records of CSV.
// JSONL is streamed and may be of any length; JSON and CSV are read whole.

import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { LabError } from '../../domain/errors.ts'
import { isRow, RowFault, type Row } from './row-fault.ts'

export interface PlacedRow {
  /** From 1: the line, or the position in the array. */
  readonly line: number
  /** The row, or what is wrong with its notation. */
  readonly row: Row | RowFault
  /** How far the file is read after this row, bytes. */
  readonly done: number
}

/** Beyond this a JSON file cannot be held as one string. */
const MAX_JSON_BYTES = 400_000_000
/** A longer line is taken for a damaged file. */
const MAX_LINE_BYTES = 64_000_000

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
    if (length > MAX_LINE_BYTES)
      throw new LabError(
        'invalid-input',
        `${file}: expected lines of at most ${MAX_LINE_BYTES / 1e6} MB, found a longer one; is it one JSON object per line?`,
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

/**
 * A whole JSON file.
 * @throws LabError 'invalid-input' when it is too large or no JSON
 */
export async function readJson(file: string): Promise<unknown> {
  const { size } = await stat(file)
  if (size > MAX_JSON_BYTES)
    throw new LabError(
      'invalid-input',
      `${file}: expected a JSON file of at most ${MAX_JSON_BYTES / 1e6} MB, found ${Math.round(size / 1e6)} MB; ` +
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

export function* rowsOfArray(values: readonly unknown[], bytes: number): Generator<PlacedRow> {
  for (const [i, value] of values.entries())
    yield {
      line: i + 1,
      row: isRow(value) ? value : new RowFault('row', 'a JSON object', value),
      done: Math.round((bytes * (i + 1)) / values.length),
    }
}

/** RFC 4180 with a header line: quoted fields may hold commas, doubled quotes and line breaks. */
export async function* readCsv(file: string): AsyncGenerator<PlacedRow> {
  const text = (await readFile(file, 'utf8')).replace(/^\uFEFF/, '')
  let header: readonly string[] | null = null
  for (const { line, fields, end } of csvRecords(text)) {
    if (header === null) {
      header = fields.map((field) => field.trim())
      continue
    }
    if (fields.length === 1 && fields[0]!.trim() === '') continue
    const names: readonly string[] = header
    const row =
      fields.length === names.length
        ? Object.fromEntries(names.map((name, i) => [name, fields[i]!]))
        : new RowFault('row', `${names.length} columns (${names.join(', ')})`, fields, `${fields.length} columns`)
    yield { line, row, done: Math.round((Buffer.byteLength(text) * end) / text.length) }
  }
}

function* csvRecords(text: string): Generator<{ line: number; fields: string[]; end: number }> {
  let line = 1
  for (let at = 0; at < text.length;) {
    const start = line
    const fields: string[] = []
    for (let ended = false; !ended;) {
      let field = ''
      if (text[at] === '"') {
        for (at += 1; at < text.length; at++) {
          if (text[at] === '\n') line += 1
          if (text[at] !== '"') field += text[at]
          else if (text[at + 1] === '"') field += text[++at]
          else break
        }
        at += 1
      }
      for (; at < text.length && text[at] !== ',' && text[at] !== '\n'; at++) field += text[at]
      fields.push(field.replace(/\r$/, ''))
      ended = text[at] !== ','
      at += 1
    }
    line += 1
    yield { line: start, fields, end: Math.min(at, text.length) }
  }
}
