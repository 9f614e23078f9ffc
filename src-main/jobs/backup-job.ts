// A project as one tar, and back. The database is a consistent copy made by its owner; everything else is files that never
// change once they are there. What can be computed again (caches, thumbnails) stays out. A list of hashes comes last: its
// presence says that the backup is whole.

import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createHash } from 'node:crypto'
import { extract, pack } from 'tar-stream'
import { z } from 'zod'
import type { DataJobOf } from '../domain/data-job.ts'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent } from '../domain/job.ts'
import { makeFolder } from './files.ts'
import { parse } from '../domain/parse.ts'

const DATABASE = 'lab.sqlite'
const MANIFEST = 'backup.json'
/** Of the project's folder: computed again when it is needed. */
const LEFT_OUT = ['cache', 'thumbnails']

const manifestSchema = z.strictObject({
  format: z.literal('pivot-lab backup'),
  version: z.literal(1),
  /** Path → SHA-256. */
  files: z.record(z.string(), z.string()),
})

/** @throws LabError 'conflict' when the file exists; 'cancelled'; nothing is left of a backup that was not finished */
export async function* runBackupJob({ project, database, file }: DataJobOf<'backup'>, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  if (existsSync(file)) throw new LabError('conflict', `${file} exists already; choose a name that does not`, { file })
  const paths = await filesBelow(project)
  yield { kind: 'part', name: 'backup', of: paths.length + 1 }
  const temporary = `${file}.${process.pid}.partial`
  await makeFolder(dirname(file))
  const tar = pack()
  const written = pipeline(tar, createWriteStream(temporary))
  written.catch(() => {})
  const hashes: Record<string, string> = {}
  try {
    for (const [done, [name, place]] of [[DATABASE, database] as const, ...paths.map((path) => [path, join(project, path)] as const)].entries()) {
      if (signal.aborted) throw new LabError('cancelled', 'backup was stopped; nothing was written')
      const { size } = await stat(place)
      const entry = tar.entry({ name, size, mode: 0o644 })
      const hash = createHash('sha256')
      const source = createReadStream(place)
      source.on('data', (chunk) => hash.update(chunk))
      await Promise.race([pipeline(source, entry), written])
      hashes[name] = hash.digest('hex')
      if (done % 50 === 0) yield { kind: 'progress', done, of: paths.length + 1 }
    }
    tar.entry({ name: MANIFEST }, JSON.stringify({ format: 'pivot-lab backup', version: 1, files: hashes }))
    tar.finalize()
    await written
    await rename(temporary, file)
  } catch (thrown) {
    tar.destroy()
    await rm(temporary, { force: true })
    throw thrown
  }
  yield { kind: 'artifact', name: 'backup', path: file }
}

/** @throws LabError 'conflict' when the folder exists; 'corrupt-artifact' when anything in it is not what was backed up */
export async function* runRestoreJob({ file, folder }: DataJobOf<'restore'>, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  if (existsSync(folder)) throw new LabError('conflict', `${folder} exists already; restore into a folder that does not`, { folder })
  const { size } = await stat(file)
  yield { kind: 'part', name: 'restore', of: size }
  const temporary = `${folder}.${process.pid}.partial`
  const unpack = extract()
  const source = createReadStream(file)
  let done = 0
  source.on('data', (chunk) => (done += chunk.length))
  source.on('error', (error) => unpack.destroy(error))
  source.pipe(unpack)
  const found = new Map<string, string>()
  let manifest: z.output<typeof manifestSchema> | null = null
  const corrupt = (what: string) => new LabError('corrupt-artifact', `${file}: ${what}. Nothing was restored; take another backup.`, { file })
  try {
    for await (const entry of unpack) {
      if (signal.aborted) throw new LabError('cancelled', 'restore was stopped; nothing was restored')
      const { name } = entry.header
      if (name === MANIFEST) {
        const pieces: Buffer[] = []
        for await (const piece of entry as AsyncIterable<Buffer>) pieces.push(piece)
        manifest = parse(manifestSchema, JSON.parse(Buffer.concat(pieces).toString()), 'corrupt-artifact', file)
        continue
      }
      const place = resolve(temporary, name)
      if (entry.header.type !== 'file' || !place.startsWith(resolve(temporary) + sep)) throw corrupt(`it holds ${name}, which is no file of a project`)
      await makeFolder(dirname(place))
      const hash = createHash('sha256')
      const hashed = async function* (pieces: AsyncIterable<Buffer>) {
        for await (const piece of pieces) {
          hash.update(piece)
          yield piece
        }
      }
      await pipeline(hashed(entry as AsyncIterable<Buffer>), createWriteStream(place))
      found.set(name, hash.digest('hex'))
      if (found.size % 50 === 0) yield { kind: 'progress', done, of: size }
    }
    if (manifest === null) throw corrupt('its list of hashes is missing: the backup was cut off')
    for (const [name, expected] of Object.entries(manifest.files))
      if (found.get(name) !== expected) throw corrupt(`${name} is ${found.has(name) ? 'damaged' : 'missing'}`)
    await rename(temporary, folder)
  } catch (thrown) {
    await rm(temporary, { recursive: true, force: true })
    if (thrown instanceof LabError || (thrown as NodeJS.ErrnoException).code !== undefined) throw thrown
    throw corrupt((thrown as Error).message)
  }
  yield { kind: 'artifact', name: 'project', path: folder }
}

/** Files of the project, relative to it, without the database and its companions and what can be computed again. */
async function filesBelow(project: string): Promise<string[]> {
  const entries = await readdir(project, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(project, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !path.startsWith(DATABASE) && !LEFT_OUT.includes(path.split('/')[0]!) && !/\.(tmp|partial)$/.test(path))
    .sort()
}
