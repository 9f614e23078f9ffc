// Which status may follow which.

import { describe, expect, it } from 'vitest'
import { assertMayFollow, RUN_STATUSES, type RunStatus } from '../../src-main/domain/run.ts'
import { faultOf } from '../support/fault-of.ts'

const may = (from: RunStatus, to: RunStatus): boolean => {
  try {
    assertMayFollow(from, to)
    return true
  } catch {
    return false
  }
}
const reachable = (from: RunStatus): ReadonlySet<RunStatus> => {
  const seen = new Set<RunStatus>()
  const visit = (status: RunStatus): void => {
    for (const next of RUN_STATUSES) if (may(status, next) && !seen.has(next)) visit((seen.add(next), next))
  }
  visit(from)
  return seen
}

describe('the status of a run', () => {
  it('begins queued, runs, and ends in one of three ways', () => {
    expect(may('queued', 'running')).toBe(true)
    for (const ending of ['finished', 'cancelled', 'failed'] as const) expect(may('running', ending), ending).toBe(true)
    expect(may('queued', 'finished')).toBe(false)
  })

  it('a finished run stays finished; every other can still finish', () => {
    expect([...reachable('finished')]).toEqual([])
    for (const status of RUN_STATUSES) if (status !== 'finished') expect(reachable(status).has('finished'), status).toBe(true)
  })

  it('only what is running can pause or finish, and nothing follows itself', () => {
    for (const status of RUN_STATUSES) {
      expect(may(status, status), status).toBe(false)
      if (status !== 'running') expect([may(status, 'paused'), may(status, 'finished')], status).toEqual([false, false])
    }
  })

  it('a refusal names both and what would be possible', () => {
    const fault = faultOf(() => assertMayFollow('paused', 'finished'))
    expect([fault.code, fault.details]).toEqual(['conflict', { from: 'paused', to: 'finished' }])
    for (const word of ['paused', 'finished', 'queued', 'running', 'cancelled']) expect(fault.message).toContain(word)
    expect(faultOf(() => assertMayFollow('finished', 'running')).message).toContain('nothing')
  })
})
