// Which model a folder holds, by its weights: what a checkpoint of the lab says of itself, and of a folder that others wrote
// what the same bytes would be called (one file by its hash, shards by the hash of their hashes in the order of their names).

import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { LabError } from '../domain/errors.ts'
import { parse } from '../domain/parse.ts'

const recordSchema = z.string().transform((text, context) => {
  try {
    return JSON.parse(text) as unknown
  } catch (thrown) {
    context.addIssue(`not JSON: ${(thrown as Error).message}`)
    return z.NEVER
  }
}).pipe(z.object({ sha256: z.string() }))

/** SHA-256. @throws LabError 'not-found' for a folder without weights, 'corrupt-artifact' for a record that cannot be read */
export async function weightsIdentity(folder: string): Promise<string> {
  const record = join(folder, 'lab.json')
  if (existsSync(record)) return parse(recordSchema, await readFile(record, 'utf8'), 'corrupt-artifact', record).sha256
  const names = existsSync(folder) ? (await readdir(folder)).filter((name) => name.endsWith('.safetensors')).sort() : []
  if (names.length === 0) throw new LabError('not-found', `${folder}: expected a model folder with safetensors files, found none; choose the folder that holds the weights`, { folder })
  const hashes = await Promise.all(names.map((name) => sha256OfFile(join(folder, name))))
  if (hashes.length === 1) return hashes[0]!
  const all = createHash('sha256')
  for (const hash of hashes) all.update(hash)
  return all.digest('hex')
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
