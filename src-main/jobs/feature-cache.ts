// Folders of features on disk, one a key: of all keys together at most so many bytes are kept, the longest unused goes first.

import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Another key's features are left alone for so long after their last use: another process may be reading them. */
const REST_MS = 24 * 3600 * 1000

export interface CachedFolder {
  readonly path: string
  readonly bytes: number
  readonly usedMs: number
}

/**
 * Deletes features of other keys until `bytes` more fit into `most`.
 * @param keep  the key's own folder   @returns whether they fit: they may not, while the others were used of late
 */
export async function makeRoom(root: string, keep: string, bytes: number, most: number, restMs: number = REST_MS): Promise<boolean> {
  const folders = await foldersOf(root)
  let total = folders.reduce((sum, each) => sum + each.bytes, bytes)
  for (const { path, bytes: freed, usedMs } of folders.toSorted((a, b) => a.usedMs - b.usedMs)) {
    if (total <= most) return true
    if (path === keep || Date.now() - usedMs < restMs) continue
    await rm(path, { recursive: true, force: true })
    total -= freed
  }
  return total <= most
}

export async function foldersOf(root: string): Promise<readonly CachedFolder[]> {
  const names = await readdir(root).catch(() => [])
  return Promise.all(
    names.map(async (name) => {
      const path = join(root, name)
      const files = await readdir(path).catch(() => [])
      const sizes = await Promise.all(files.map(async (file) => (await stat(join(path, file)).catch(() => null))?.size ?? 0))
      return { path, bytes: sizes.reduce((sum, each) => sum + each, 0), usedMs: (await stat(path).catch(() => null))?.mtimeMs ?? 0 }
    }),
  )
}
