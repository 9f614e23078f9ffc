// Files written whole or not at all: under a temporary name beside the target, flushed, then renamed.

import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { LabError } from '../domain/errors.ts'

/** @param bytes in pieces, where laying them end to end would cost their size again
 * @throws the system's error (ENOSPC, EROFS …); the target is then as it was */
export async function writeWhole(path: string, bytes: Uint8Array | string | Iterable<Uint8Array>): Promise<void> {
  await makeFolder(dirname(path))
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

/**
 * Makes a folder and those above it that are missing. Not Node's own recursive mkdir, which never returns where the system says
 * of an existing folder that it does not exist when something is to be made in it (/proc).
 * @throws LabError 'invalid-input' naming the folder in which nothing can be made, and the system's own errors
 */
export async function makeFolder(path: string): Promise<void> {
  if (existsSync(path)) {
    if (!(await stat(path)).isDirectory()) throw new LabError('invalid-input', `${path}: expected a folder, found a file; choose another folder`, { path })
    return
  }
  const above = dirname(path)
  if (above !== path) await makeFolder(above)
  try {
    await mkdir(path)
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException
    // Somebody else made it in between.
    if (code === 'EEXIST') return
    if (code === 'ENOENT' || code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
      throw new LabError('invalid-input', `${above}: nothing can be written there (${message}); choose a folder that can be written to`, { path: above }, thrown)
    throw thrown
  }
}

/** Fills a folder under a temporary name, then renames it to `folder`, replacing what was there. */
export async function writeFolderWhole(folder: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = temporaryBeside(folder)
  try {
    await makeFolder(temporary)
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
