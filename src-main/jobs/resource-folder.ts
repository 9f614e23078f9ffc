// Where the files of resources/ lie at run time: from the sources as from the bundle, in the first folder upwards that has them.

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LabError } from '../domain/errors.ts'

/** @throws LabError 'engine-missing' when the lab was installed without it */
export function resourceFolder(name: string): string {
  const start = dirname(fileURLToPath(import.meta.url))
  for (let folder = start; ; folder = dirname(folder)) {
    const path = join(folder, 'resources', name)
    if (existsSync(path)) return path
    if (folder === dirname(folder))
      throw new LabError('engine-missing', `expected resources/${name} in a folder above ${start}, found none. Install the lab again.`, { start })
  }
}
