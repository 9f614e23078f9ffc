// The files in a tar, one after the other, each whole in memory and never on disk: a name in an archive is only a name.

import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { LabError } from '../../domain/errors.ts'

export interface TarEntry {
  readonly name: string
  readonly bytes: Buffer
  /** How far the file is read, bytes of the archive. */
  readonly done: number
}

/** A larger file in an archive is told by its name and passed over. */
const MAX_ENTRY_BYTES = 500_000_000

/** @throws LabError 'invalid-input' when the archive is damaged; what stood before the damage has come */
export async function* readTar(file: string): AsyncGenerator<TarEntry | { readonly name: string; readonly tooLarge: number; readonly done: number }> {
  const source = createReadStream(file)
  const unpack = extract()
  let done = 0
  source.on('data', (chunk) => (done += chunk.length))
  const isZipped = /\.t?gz$/i.test(file)
  const zip = isZipped ? createGunzip() : null
  source.on('error', (error) => unpack.destroy(error))
  zip?.on('error', (error) => unpack.destroy(error))
  ;(zip === null ? source : source.pipe(zip)).pipe(unpack)
  try {
    for await (const entry of unpack) {
      const { name, type, size = 0 } = entry.header
      if (type !== 'file' && type !== 'contiguous-file') {
        entry.resume()
        continue
      }
      if (size > MAX_ENTRY_BYTES) {
        entry.resume()
        yield { name, tooLarge: size, done }
        continue
      }
      const pieces: Buffer[] = []
      for await (const piece of entry as AsyncIterable<Buffer>) pieces.push(piece)
      yield { name, bytes: Buffer.concat(pieces), done }
    }
  } catch (thrown) {
    if (thrown instanceof LabError) throw thrown
    throw new LabError('invalid-input', `${file}: expected a tar archive: ${(thrown as Error).message}; was the download complete?`, { file }, thrown)
  } finally {
    source.destroy()
    unpack.destroy()
  }
}
