// LLaMA-Factory's dataset_info.json: which file holds which data set, and what its columns and speakers are called. Rows are
// renamed to the names that the other formats use and read as they are.

import { isRow, type Row } from './row-fault.ts'

export interface FactoryDataset {
  readonly name: string
  /** Relative to the folder of dataset_info.json. */
  readonly file: string
  rename(row: Row): Row
}

const DEFAULT_TAGS = { role_tag: 'from', content_tag: 'value', user_tag: 'human', assistant_tag: 'gpt' }

/** null: the value is no dataset_info.json. */
export function factoryDatasets(value: unknown): readonly FactoryDataset[] | null {
  if (!isRow(value)) return null
  const entries = Object.entries(value).filter(([, entry]) => isRow(entry) && typeof entry['file_name'] === 'string')
  if (entries.length === 0) return null
  return entries.map(([name, entry]) => {
    const { file_name: file, columns, tags } = entry as { file_name: string; columns?: unknown; tags?: unknown }
    return { name, file, rename: (row) => renamed(row, isRow(columns) ? columns : {}, isRow(tags) ? tags : {}) }
  })
}

/** Our name of each of its columns. */
const COLUMNS: Readonly<Record<string, string>> = {
  messages: 'conversations',
  prompt: 'instruction',
  query: 'input',
  response: 'output',
  chosen: 'chosen',
  rejected: 'rejected',
  images: 'images',
}

function renamed(row: Row, columns: Row, tags: Row): Row {
  const { role_tag, content_tag, user_tag, assistant_tag } = { ...DEFAULT_TAGS, ...tags }
  const out: Record<string, unknown> = { ...row }
  for (const [theirs, ours] of Object.entries(COLUMNS)) {
    const column = columns[theirs]
    if (typeof column !== 'string' || column === ours || row[column] === undefined) continue
    out[ours] = row[column]
    delete out[column]
  }
  const message = (each: unknown): unknown => {
    if (!isRow(each)) return each
    const role = each[String(role_tag)]
    return {
      from: role === user_tag ? 'human' : role === assistant_tag ? 'gpt' : role,
      value: each[String(content_tag)],
    }
  }
  for (const field of ['conversations', 'chosen', 'rejected']) {
    const value = out[field]
    if (Array.isArray(value)) out[field] = value.map(message)
    else if (isRow(value)) out[field] = message(value)
  }
  return out
}
