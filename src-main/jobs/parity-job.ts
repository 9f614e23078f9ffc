// Compares the lab with reference cases: every folder at or below the one named that holds a case.json, one report each. A
// case that cannot be read or computed is a failed case and not the end of the job.

import type { AbortSignalLike, JobEvent, ParityJob } from '../domain/job.ts'
import { LabError } from '../domain/errors.ts'
import type { ParityReport } from '../domain/parity.ts'
import { findCases, openCase } from './parity/case-files.ts'
import { allWithin, createComparison } from './parity/comparison.ts'
import { PARITY_KINDS } from './parity/kinds.ts'

/** @throws LabError 'not-found' when there is no case, 'cancelled' between cases */
export async function* runParityJob({ folder, done }: ParityJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const cases = await findCases(folder)
  const isDone = new Set(done)
  yield { kind: 'part', name: 'reference cases', of: cases.length }
  for (const [i, each] of cases.entries()) {
    if (signal.aborted) throw new LabError('cancelled', `cancelled after ${i} of ${cases.length} cases`)
    if (!isDone.has(each.name)) yield { kind: 'parity', report: await compareCase(each.folder, each.name) }
    yield { kind: 'progress', done: i + 1, of: cases.length }
  }
}

/** One case. Total: a fault is part of the report. */
export async function compareCase(folder: string, name: string): Promise<ParityReport> {
  const comparison = createComparison()
  let kind: string | null = null
  try {
    const files = await openCase(folder)
    const known = PARITY_KINDS.find((each) => each.recognises(files))
    if (known === undefined)
      throw new LabError(
        'invalid-input',
        `${folder}: case.json: kind: expected one of ${PARITY_KINDS.map((each) => each.name).join(', ')}, found ${JSON.stringify(files.json['kind'])}`,
      )
    kind = known.name
    await known.compare(files, comparison)
    const groups = comparison.groups()
    return { name, kind, passed: allWithin(groups), groups, fault: groups.length > 0 ? null : 'the case holds nothing to compare' }
  } catch (thrown) {
    return { name, kind, passed: false, groups: comparison.groups(), fault: thrown instanceof Error ? thrown.message : String(thrown) }
  }
}
