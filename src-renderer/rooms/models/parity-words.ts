// What a comparison with reference cases came to, in words.

import type { DataTaskRow } from '../../../src-main/domain/data-task.ts'
import { shareOfLimit, type ParityGroup, type ParityReport } from '../../../src-main/domain/parity.ts'
import { count, significant } from '../../ui/quantity.ts'

/** Where the room's page of comparisons is, in place of a model. */
export const PARITY = 'parity'

/** The group that used up most of what its case allows; null: nothing was compared. */
export function worstGroup({ groups }: Pick<ParityReport, 'groups'>): ParityGroup | null {
  return groups.toSorted((a, b) => shareOfLimit(b) - shareOfLimit(a))[0] ?? null
}

/** "2.1 %", "1 250 %", "equal" where equality was asked for and found. */
export function limitWords(group: ParityGroup): string {
  const share = shareOfLimit(group)
  if (share === 0) return 'equal'
  return Number.isFinite(share) ? `${share < 10 ? significant(100 * share, 2) : count(100 * share)} %` : 'beyond'
}

/** What came of it, then on what and in how far. */
export function parityLines({ status, result, progress }: Pick<DataTaskRow, 'status' | 'result' | 'progress'>, reports: readonly ParityReport[]): readonly string[] {
  const agreed = reports.filter(({ passed }) => passed).length
  const isWhole = status === 'finished'
  const of = isWhole ? `${count(reports.length)} cases` : `${count(reports.length)} compared so far`
  const headline =
    isWhole && reports.length === 1
      ? `The case ${agreed === 1 ? 'agrees' : 'does not agree'} with the reference`
      : `${agreed === reports.length ? `All ${of}` : `${count(agreed)} of ${of}`} agree with the reference`
  const beside = [
    result?.kind === 'parity' ? `Computed by ${result.engine}.` : '',
    isWhole || progress === null ? '' : `${count(progress.of)} in all; ${status === 'running' ? 'the rest is being computed' : `${status} before the rest was computed`}.`,
  ].filter(Boolean)
  return [headline, ...beside]
}
