// Image files that rows name: found inside the import's root and nowhere else, identified by the hash of their bytes,
// sized by their header. A path from a data file is never trusted: no `..`, no absolute path, no link out of the root.

import { createHash } from 'node:crypto'
import { readFile, realpath, stat } from 'node:fs/promises'
import { isAbsolute, relative, resolve, sep } from 'node:path'
import type { ImportedImage } from '../../domain/import-event.ts'
import { SPLITS, type Split } from '../../domain/sample.ts'
import { assertWholeImage, readImageHeader } from '../images/header.ts'
import { inWords, RowFault } from './row-fault.ts'

export interface ImageFiles {
  /** @throws RowFault on field `field` when the file is outside the root, missing, or no whole image */
  find(path: string, field?: string): Promise<ImportedImage>
}

/** A larger file is no training image, and is not read. */
const MAX_IMAGE_BYTES = 500_000_000

/** @param root  absolute; must exist */
export async function openImageFiles(root: string): Promise<ImageFiles> {
  const realRoot = await realpath(root)
  // Several rows ask about one image; it is read and hashed once.
  const known = new Map<string, ImportedImage | RowFault>()
  return {
    async find(path, field = 'image') {
      const key = `${field}\n${path}`
      const before = known.get(key)
      const outcome = before ?? (await identify(realRoot, path, field).catch((thrown: unknown) => asFault(field, path, thrown)))
      known.set(key, outcome)
      if (outcome instanceof RowFault) throw outcome
      return outcome
    },
  }
}

async function identify(root: string, path: string, field: string): Promise<ImportedImage> {
  const inside = `the path of an image inside ${root}`
  if (path.includes('\0')) throw new RowFault(field, inside, path)
  const place = resolve(root, path)
  if (!isWithin(root, place)) throw new RowFault(field, inside, path)
  const file = await realpath(place)
  if (!isWithin(root, file)) throw new RowFault(field, `${inside} (no link out of it)`, path, `${path} → ${file}`)
  const about = await stat(file)
  const { size } = about
  if (!about.isFile()) throw new RowFault(field, 'an image file', path, `${path}, which is no file`)
  if (size > MAX_IMAGE_BYTES)
    throw new RowFault(field, `a file of at most ${MAX_IMAGE_BYTES / 1e6} MB`, size, `${path} of ${Math.round(size / 1e6)} MB`)
  const bytes = await readFile(file)
  return { file, ...describeImage(bytes, path) }
}

/** @throws LabError 'invalid-input' when the bytes are no whole image */
function describeImage(bytes: Uint8Array, name: string): Omit<ImportedImage, 'file'> {
  const { width, height, format } = readImageHeader(bytes, name)
  assertWholeImage(bytes, format, name)
  return { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length, width, height, format }
}

/** The bytes of an image that was found. */
export async function readBytesOf({ file, data }: ImportedImage): Promise<Uint8Array> {
  return data ?? readFile(file)
}

/**
 * An image whose bytes stand in a row or a container.
 * @param container  absolute path of the file that they come from
 * @throws RowFault on field `field` when they are no whole image
 */
export function imageOfBytes(data: Uint8Array, container: string, name: string, field: string): ImportedImage {
  try {
    return { file: container, ...describeImage(data, name), data }
  } catch (thrown) {
    throw asFault(field, name, thrown)
  }
}

function isWithin(root: string, place: string): boolean {
  const path = relative(root, place)
  return path !== '' && path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path)
}

function asFault(field: string, path: string, thrown: unknown): RowFault {
  if (thrown instanceof RowFault) return thrown
  const { code, message } = thrown as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return new RowFault(field, 'an image file', path, `no file ${path}`)
  // Image faults are already whole sentences: "a.png: expected …, found …".
  return new RowFault(
    field,
    'a whole PNG, JPEG, WebP, GIF, TIFF, BMP or AVIF image',
    path,
    message.startsWith(`${path}: `) ? message : `${inWords(path)}: ${message}`,
  )
}

const SPLIT_WORDS: Readonly<Record<string, Split>> = {
  train: 'train',
  training: 'train',
  val: 'validation',
  valid: 'validation',
  validation: 'validation',
  dev: 'validation',
  test: 'test',
  testing: 'test',
  heldout: 'test',
}

/** The split that a folder of the path names (`images/val2017/3.jpg`), or null. */
export function splitOfFolders(path: string): Split | null {
  const folders = path.split(/[\\/]/).slice(0, -1)
  return folders.map(splitOfWord).find((split) => split !== null) ?? null
}

/** The split that a part of the file's name is (`questions-validation.jsonl`), or null. */
export function splitOfFileName(name: string): Split | null {
  return (
    name
      .split(/[^a-z0-9]+/i)
      .map(splitOfWord)
      .find((split) => split !== null) ?? null
  )
}

export function splitOfWord(word: string): Split | null {
  return SPLIT_WORDS[word.toLowerCase().replace(/\d+$/, '')] ?? null
}

/** @throws RowFault when the row's own `split` is none of ours */
export function splitOfRow(value: unknown): Split | null {
  if (value === undefined || value === null || value === '') return null
  const split = typeof value === 'string' ? splitOfWord(value) : null
  if (split === null) throw new RowFault('split', SPLITS.join(', '), value)
  return split
}
