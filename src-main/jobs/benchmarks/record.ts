// Reading fields of published records: options in every notation in use, the letter of the right one, lists of answers.

import type { BenchmarkItem } from '../../domain/benchmark.ts'
import { RowFault, type Row } from '../import/row-fault.ts'
import { letterAt } from './judge.ts'

export const OPTION_SUFFIX = "Answer with the option's letter from the given choices directly."
export const SHORT_SUFFIX = 'Answer the question using a single word or phrase.'

export const suffixByOptions = (_: string, { options }: BenchmarkItem): string => (options.length > 0 ? OPTION_SUFFIX : SHORT_SUFFIX)
export const measureByOptions = ({ options }: BenchmarkItem) => (options.length > 0 ? 'option' : 'exact') as 'option' | 'exact'

/** The first of the fields that holds something, as text. @throws RowFault */
export function firstText(row: Row, ...fields: readonly string[]): string {
  const text = optionalText(row, ...fields)
  if (text === null) throw new RowFault(fields[0]!, 'text', row[fields[0]!])
  return text
}

export function optionalText(row: Row, ...fields: readonly string[]): string | null {
  for (const field of fields) {
    const value = row[field]
    if (typeof value === 'number' || typeof value === 'boolean') return String(value)
    if (typeof value === 'string' && value.trim() !== '') return value
  }
  return null
}

/** A list, or a list as JSON or Python text ("['a', 'b']"), as CSV and MMMU hold it. @throws RowFault */
export function listOf(row: Row, field: string): readonly string[] {
  const value = row[field]
  if (value === undefined || value === null || value === '') return []
  const list = typeof value === 'string' && /^\s*\[/.test(value) ? textList(value) : value
  if (Array.isArray(list) && list.every((each) => typeof each === 'string' || typeof each === 'number')) return list.map(String)
  if (typeof list === 'string' || typeof list === 'number') return [String(list)]
  throw new RowFault(field, 'a list of texts', value)
}

function textList(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    const inner = text.trim().slice(1, -1)
    const parts = [...inner.matchAll(/\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^,'"\s][^,]*))\s*(?:,|$)/g)]
    return parts.map(([, single, double, bare]) => (single ?? double ?? bare!.trim()).replace(/\\(['"\\])/g, '$1'))
  }
}

/** Columns A, B, C … (MMBench), or with a prefix: choice_a, choice_b … (SEED); as far as they hold something. */
export function lettered(row: Row, name: (letter: string) => string): readonly string[] {
  const options: string[] = []
  for (let i = 0; i < 26; i++) {
    const option = optionalText(row, name(letterAt(i)))
    if (option === null || option === 'nan') break
    options.push(option)
  }
  return options
}

/** "(a) Open (b) Closed" → what stands before, and the options. Letters must run on from a. */
export function inlineOptions(text: string): { readonly before: string; readonly options: readonly string[] } {
  const marks = [...text.matchAll(/\(([A-Za-z])\)\s*/g)]
  const isRun = marks.length > 0 && marks.every(([, letter], i) => letter!.toUpperCase() === letterAt(i))
  if (!isRun) return { before: text.trim(), options: [] }
  return {
    before: text.slice(0, marks[0]!.index).trim(),
    options: marks.map((mark, i) => text.slice(mark.index + mark[0].length, marks[i + 1]?.index).trim()),
  }
}

/** The right option's letter out of a letter "B", "(b)" or "B.", an index from 0, or the option's own text. @throws RowFault */
export function rightLetter(row: Row, field: string, options: readonly string[]): string {
  const value = row[field]
  const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : ''
  const own = options.indexOf(text)
  const letter = /^\(?([A-Za-z])\)?[.:]?$/.exec(text)
  const index = letter ? letter[1]!.toUpperCase().charCodeAt(0) - 65 : own >= 0 ? own : /^\d+$/.test(text) ? Number(text) : -1
  if (index < 0 || (options.length > 0 && index >= options.length))
    throw new RowFault(field, options.length > 0 ? `one of ${options.length} options, by letter, index or text` : 'an option letter', value)
  return letterAt(index)
}
