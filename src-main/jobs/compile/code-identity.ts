// What the code of a step is, as a hash: programs taken from the cache without recording must have been recorded by the same
// code. Sources are hashed where the lab runs from sources, the bundle where it runs from one.

import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, extname, join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs'

let known: string | undefined

/** The same for the same code, TensorFlow.js and Node's processor architecture; read once a process. */
export function codeIdentity(): string {
  known ??= identityOf(fileURLToPath(import.meta.url))
  return known
}

function identityOf(ownFile: string): string {
  const extension = extname(ownFile)
  // From sources: what a step is made of. From a bundle: all of it, which is one folder.
  const sourceRoot = resolve(dirname(ownFile), '../..')
  const folders = extension === '.ts' ? ['engine', 'domain', 'jobs'].map((room) => join(sourceRoot, room)) : [dirname(ownFile)]
  const hash = createHash('sha256').update(`${tf.version_core} ${process.arch}`)
  for (const folder of folders)
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort())
      if (extname(name) === extension) hash.update(`\n${name.replaceAll(sep, '/')}\n`).update(readFileSync(join(folder, name)))
  return hash.digest('hex')
}
