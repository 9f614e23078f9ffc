// How many tests passed and failed, out of vitest's JSON report. Counts what a naive sum would lose: a file that could not
// be loaded has no tests to fail, and an error outside every test fails the run and no test.

/** @param {{ status: number | null, report: object | null }} run vitest's exit status, and its report if it wrote one */
export function countTests({ status, report }) {
  if (!report) return { passed: 0, failed: 1, skipped: 0 }
  const files = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  const failed = report.numFailedTests + files.length
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && status !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

/** The full names of the tests that were not run: what a green line does not vouch for. */
export function skippedTests(report) {
  const tests = report?.testResults.flatMap((file) => file.assertionResults) ?? []
  return tests.filter(({ status }) => !['passed', 'failed'].includes(status)).map(({ fullName }) => fullName)
}

export function sumCounts(counts) {
  const sum = (key) => counts.reduce((total, count) => total + count[key], 0)
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') }
}

export function closingLine({ passed, failed }) {
  return `${passed} passed, ${failed} failed`
}
