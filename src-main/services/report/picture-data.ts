// A picture of the project inside a document: as a data address, so that the file needs nothing beside it.

import { readFile } from 'node:fs/promises'
import { extname, isAbsolute, join } from 'node:path'
import type { Parts } from '../parts.ts'
import type { ImageData } from './maps.ts'

/** Larger pictures would make the file too heavy to send; what they belong to is left out. */
const MOST_IMAGE_BYTES = 400_000
const MIME: Readonly<Record<string, string>> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
  '.gif': 'image/gif',
}

/** null: gone, too large, or of a kind that browsers do not show. */
export async function pictureData({ store, project }: Pick<Parts, 'store' | 'project'>, sha256: string): Promise<ImageData | null> {
  const stored = store.datasets.findImage(sha256)
  const mime = stored && MIME[extname(stored.path).toLowerCase()]
  if (stored === null || mime === undefined || mime === null) return null
  const bytes = await readFile(isAbsolute(stored.path) ? stored.path : join(project, stored.path)).catch(() => null)
  if (bytes === null || bytes.length > MOST_IMAGE_BYTES) return null
  return { uri: `data:${mime};base64,${bytes.toString('base64')}`, width: stored.width, height: stored.height }
}
