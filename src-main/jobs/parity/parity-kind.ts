// What a kind of reference case is: how it is recognised, by what it holds and never by its folder's name, and how the lab's
// numbers are set beside it.

import type { CaseFiles } from './case-files.ts'
import type { Comparison } from './comparison.ts'

export interface ParityKind {
  readonly name: string
  recognises(files: CaseFiles): boolean
  /** Computes what the case asks for and compares it. A case that cannot be computed throws. */
  compare(files: CaseFiles, comparison: Comparison): Promise<void>
}
