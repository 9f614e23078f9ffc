// The one image of a row, in any of the notations that data sets use: a path, a list of one, a record with bytes or a path
// (Hugging Face), bytes as base64 or as a data: address.

import type { ImportedImage } from '../../domain/import-event.ts'
import { imageOfBytes, type ImageFiles } from './image-files.ts'
import { isRow, RowFault, type Row } from './row-fault.ts'

const FIELDS = ['image', 'images', 'image_path', 'img_path', 'img', 'image_file', 'file_name'] as const

export interface RowImage {
  /** As the row names it; '' for bytes without a name. */
  readonly path: string
  find(images: ImageFiles): Promise<ImportedImage>
}

/**
 * null when the row has none.
 * @param container  the file that the row stands in, absolute
 * @throws RowFault
 */
export function imageOfRow(row: Row, container: string): RowImage | null {
  const field = FIELDS.find((each) => row[each] !== undefined && row[each] !== null && row[each] !== '')
  if (field === undefined) return null
  const value = row[field]
  const list = typeof value === 'string' && value.startsWith('[') ? (jsonOrNull(value) ?? value) : value
  const one = Array.isArray(list) ? (list.length === 1 ? list[0] : list.length === 0 ? null : undefined) : list
  if (one === null) return null
  if (one === undefined) throw new RowFault(field, 'one image', value, `${(list as unknown[]).length} images`)
  if (one instanceof Uint8Array) return ofBytes(one, '', field, container)
  if (typeof one === 'string') return ofText(one, field, container)
  if (isRow(one)) {
    const path = typeof one['path'] === 'string' ? one['path'] : ''
    const bytes = one['bytes']
    if (bytes instanceof Uint8Array) return ofBytes(bytes, path, field, container)
    if (typeof bytes === 'string' && bytes !== '') return ofBytes(fromBase64(bytes, `${field}.bytes`), path, field, container)
    if (path !== '') return { path, find: (images) => images.find(path, `${field}.path`) }
  }
  throw new RowFault(field, 'the path of an image', one)
}

function ofText(text: string, field: string, container: string): RowImage {
  const address = /^data:image\/[\w.+-]+;base64,/.exec(text)
  if (address !== null) return ofBytes(fromBase64(text.slice(address[0].length), field), '', field, container)
  return { path: text, find: (images) => images.find(text, field) }
}

function ofBytes(data: Uint8Array, path: string, field: string, container: string): RowImage {
  return { path, find: async () => imageOfBytes(data, container, path || field, field) }
}

function fromBase64(text: string, field: string): Uint8Array {
  if (!/^[A-Za-z0-9+/_\s-]*={0,2}\s*$/.test(text)) throw new RowFault(field, 'bytes as base64', text)
  return new Uint8Array(Buffer.from(text, 'base64'))
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
