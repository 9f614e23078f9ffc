// What comparisons with references and zero-shot classification came to, in words.

import { describe, expect, it } from 'vitest'
import type { ParityGroup, ParityReport } from '../../../src-main/domain/parity.ts'
import { zeroShotScores } from '../../../src-main/domain/zero-shot.ts'
import { limitWords, parityLines, worstGroup } from '../../../src-renderer/rooms/models/parity-words.ts'
import { mistakes, mostTakenFor, zeroShotLines } from '../../../src-renderer/rooms/models/zero-shot-words.ts'

const group = (over: Partial<ParityGroup>): ParityGroup => ({ name: 'hidden states', compared: 1, worst: 1e-6, limit: 1e-5, at: 'x', ...over })
const aReport = (passed: boolean): ParityReport => ({ name: 'a', kind: 'b', passed, fault: null, groups: [] })

describe('a reference case', () => {
  it('is told by what used up most of its own limit, not by the largest number', () => {
    const [loose, tight] = [group({ name: 'loose', worst: 1e-3, limit: 1e-1 }), group({ name: 'tight', worst: 9e-6 })]
    expect(worstGroup({ groups: [loose, tight] })).toBe(tight)
    expect(worstGroup({ groups: [tight, group({ name: 'lost', worst: null })] })!.name).toBe('lost')
    expect(worstGroup({ groups: [] })).toBeNull()
  })

  it('says how much of the limit that is', () => {
    expect([group({}), group({ worst: 0, limit: 0 }), group({ worst: 1, limit: 0 }), group({ worst: null }), group({ worst: 1 })].map(limitWords)).toEqual(['10 %', 'equal', 'beyond', 'beyond', '10\u2009000\u2009000 %'])
  })
})

it('a comparison says what agrees, and of one under way that it is', () => {
  const running = { status: 'running', result: null, progress: { part: 'cases', done: 2, of: 9 } } as const
  expect(parityLines(running, [aReport(true), aReport(true)])).toEqual(['All 2 compared so far agree with the reference', '9 in all; the rest is being computed.'])
  const finished = { status: 'finished', result: { kind: 'parity', agreed: 1, cases: 2, engine: 'an engine' }, progress: null } as const
  expect(parityLines(finished, [aReport(true), aReport(false)])).toEqual(['1 of 2 cases agree with the reference', 'Computed by an engine.'])
  expect(parityLines({ ...finished, result: null }, [aReport(false)])).toEqual(['The case does not agree with the reference'])
})

it('classification says accuracy with its interval, guessing, and what could not be scored', () => {
  const scores = zeroShotScores([
    { expected: 'cat', given: 'cat', count: 6 },
    { expected: 'cat', given: 'dog', count: 2 },
    { expected: 'dog', given: 'dog', count: 2 },
    { expected: null, given: 'dog', count: 1 },
  ])
  expect(zeroShotLines(scores, 2)).toEqual([
    '80.0 % of 10 pictures get their own class (95 % interval: 49.0 to 94.3 %)',
    'With each of 2 classes counting the same: 87.5 %. Guessing among 2: 50.0 %.',
    '1 picture lies in no folder named like a class: classified, and not scored.',
  ])
  expect(mistakes(scores)).toEqual([{ expected: 'cat', given: 'dog', count: 2 }])
  expect([mostTakenFor(scores, 'cat')?.given, mostTakenFor(scores, 'dog')]).toEqual(['dog', null])
})
