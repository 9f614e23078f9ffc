// Where things are: the project, its Node packages, and the per-user cache that all checkouts share.
// The cache holds what is large and the same for everybody: TensorFlow's libraries and the choice between CPU and GPU.

import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const projectFolder = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
export const packagesFolder = join(projectFolder, 'node_modules')

export function cacheFolder(environment = process.env) {
  // The XDG specification tells to ignore a relative path.
  const base = environment.XDG_CACHE_HOME?.startsWith('/') ? environment.XDG_CACHE_HOME : join(homedir(), '.cache')
  return join(base, 'pivot-lab')
}
