// What depends on the machine and not on a project, per user, beside what set-up keeps there: compiled programs.

import { homedir } from 'node:os'
import { join } from 'node:path'

export function userCacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'pivot-lab')
}
