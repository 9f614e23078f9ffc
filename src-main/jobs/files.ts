// Files written whole or not at all: under a temporary name beside the target, flushed, then renamed.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { LabError } from '../domain/errors.ts'

/** @param bytes in pieces, where laying them end to end would cost their size again
 * @throws the system's error (ENOSPC, EROFS …); the target is then as it was */
export async function writeWhole(path: string, bytes: Uint8Array | string | Iterable<Uint8Array>): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const temporary = temporaryBeside(path)
  try {
    const file = await open(temporary, 'w')
    try {
      await file.writeFile(bytes as Uint8Array | string)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (thrown) {
    await rm(temporary, { force: true })
    throw thrown
  }
}

/** Fills a folder under a temporary name, then renames it to `folder`, replacing what was there. */
export async function writeFolderWhole(folder: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = temporaryBeside(folder)
  try {
    await mkdir(temporary, { recursive: true })
    await fill(temporary)
    await rm(folder, { recursive: true, force: true })
    await rename(temporary, folder)
  } catch (thrown) {
    await rm(temporary, { recursive: true, force: true })
    throw thrown
  }
}

/** @throws LabError 'not-found' / 'corrupt-artifact' naming the file */
export async function readJson(path: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (thrown) {
    if ((thrown as { code?: string }).code !== 'ENOENT') throw thrown
    throw new LabError('not-found', `${path} does not exist; choose a folder that holds ${basename(path)}`, { path }, thrown)
  }
  try {
    return JSON.parse(text)
  } catch (thrown) {
    throw new LabError('corrupt-artifact', `${path} is not JSON: ${(thrown as Error).message}`, { path }, thrown)
  }
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** Same folder, so that the rename stays on one disk. */
function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.partial`)
}
