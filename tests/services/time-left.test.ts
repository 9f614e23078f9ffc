// Time left is arithmetic on counted work: the more has been measured, the closer it must be.

import { describe, expect, it } from 'vitest'
import { estimateTimeLeft, type PhaseWork } from '../../src-main/services/time-left.ts'

const phase = (paceKey: string, units: number, over: Partial<PhaseWork> = {}): PhaseWork => ({
  paceKey,
  units,
  status: 'queued',
  share: null,
  workedMs: 0,
  ...over,
})
const done = (paceKey: string, units: number, workedMs: number) =>
  phase(paceKey, units, { status: 'finished', share: 1, workedMs })

describe('time left', () => {
  it('of a phase whose like has been measured is its units at that pace', () => {
    const { expectedMs, totalLeftMs } = estimateTimeLeft([done('train/sft', 100, 5000), phase('train/sft', 300)])
    expect(expectedMs).toEqual([5000, 15_000])
    expect(totalLeftMs).toBe(15_000)
  })

  it('of the phase under way moves from its like’s pace to its own', () => {
    const at = (share: number, workedMs: number) =>
      estimateTimeLeft([done('train/sft', 100, 10_000), phase('train/sft', 100, { status: 'running', share, workedMs })])
        .leftMs[1]!
    // Twice as slow as its like: at the end only its own pace counts.
    expect(at(0.5, 10_000)).toBe(0.5 * 20_000 + 0.5 * 10_000 - 10_000)
    expect(at(0.99, 19_800)).toBeCloseTo(0.99 * 20_000 + 0.01 * 19_800 - 19_800, 6)
  })

  it('of a kind never seen is an earlier study’s pace, scaled by this one’s speed so far', () => {
    const earlier = { 'train/sft': 10, evaluate: 1000 }
    // This study trains twice as slowly as the earlier one did.
    expect(estimateTimeLeft([done('train/sft', 100, 2000), phase('evaluate', 1)], earlier).leftMs[1]).toBe(2000)
  })

  it('is nought and the share is 1 when all is done', () => {
    expect(estimateTimeLeft([done('train/sft', 100, 2000), done('evaluate', 1, 10)])).toMatchObject({ totalLeftMs: 0, share: 1 })
  })

  it('is never negative, however long a phase takes', () => {
    const { leftMs, share } = estimateTimeLeft([
      phase('evaluate', 1, { status: 'running', workedMs: 10_000_000 }),
      phase('export', 1),
    ])
    expect(leftMs.every((ms) => ms >= 0)).toBe(true)
    expect(share).toBeLessThanOrEqual(1)
  })

  it('of nothing is nothing', () => {
    expect(estimateTimeLeft([])).toEqual({ expectedMs: [], leftMs: [], totalLeftMs: 0, share: 0 })
  })
})
