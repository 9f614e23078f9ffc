// A file's hash, read in pieces: the files here are hundreds of megabytes.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

export async function hashOfFile(file, algorithm, encoding) {
  const hash = createHash(algorithm)
  for await (const piece of createReadStream(file)) hash.update(piece)
  return hash.digest(encoding)
}
