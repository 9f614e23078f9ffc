// The closing line must not be greener than the run.

import { describe, expect, it } from 'vitest'
import { closingLine, countTests, skippedTests, sumCounts } from '../../resources/setup/test-counts.mjs'

const green = {
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 1,
  numTodoTests: 0,
  testResults: [{ status: 'passed', assertionResults: [{ status: 'passed' }] }],
}

describe('counting tests', () => {
  it('takes the numbers of the report', () => {
    expect(countTests({ status: 0, report: green })).toEqual({ passed: 3, failed: 0, skipped: 1 })
  })

  it('counts a file that could not be loaded as one failure', () => {
    const report = { ...green, testResults: [...green.testResults, { status: 'failed', assertionResults: [] }] }
    expect(countTests({ status: 1, report }).failed).toBe(1)
  })

  it('counts a file with failed tests by its tests alone', () => {
    const report = {
      ...green,
      numFailedTests: 2,
      testResults: [{ status: 'failed', assertionResults: [{ status: 'failed' }, { status: 'failed' }] }],
    }
    expect(countTests({ status: 1, report }).failed).toBe(2)
  })

  it('counts an error outside every test, and a run without a report', () => {
    expect(countTests({ status: 1, report: green }).failed).toBe(1)
    expect(countTests({ status: null, report: null }).failed).toBe(1)
  })

  it('names what was not run', () => {
    const assertionResults = ['passed', 'skipped', 'pending', 'todo', 'failed'].map((status) => ({ status, fullName: status }))
    expect(skippedTests({ testResults: [{ assertionResults }] })).toEqual(['skipped', 'pending', 'todo'])
    expect(skippedTests(null)).toEqual([])
  })

  it('sums the parts into the closing line', () => {
    const parts = [
      { passed: 3, failed: 0, skipped: 1 },
      { passed: 2, failed: 1, skipped: 0 },
    ]
    expect(closingLine(sumCounts(parts))).toBe('5 passed, 1 failed')
  })
})
