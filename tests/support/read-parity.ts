// Where the reference cases lie: what other libraries computed on the same inputs. They are outside the repository, in the
// folder PIVOT_PARITY or in ../shared/parity. Without the folder the tests that need it are skipped, and say so.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

const named = process.env['PIVOT_PARITY']
export const parityFolder = resolve(named ?? join(import.meta.dirname, '../../../shared/parity'))

if (named !== undefined && !existsSync(parityFolder)) throw new Error(`PIVOT_PARITY names ${parityFolder}, which does not exist`)
