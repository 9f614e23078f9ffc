// Every test of the project: vitest, the type check (each tsconfig.json counts as one test), and the tests of the window,
// which run against the built app on a screen of their own. One part's failure does not hold back the others.
// The last line printed is `N passed, N failed`.

import { mkdtempSync, readdirSync, readFileSync, rmSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureBuilt } from './build-app.mjs'
import { environmentWithPackages, runInTerminal } from './commands.mjs'
import { ensureElectronLibraries } from './electron-libraries.mjs'
import { ensureElectron } from './ensure-electron.mjs'
import { packagesFolder, projectFolder } from './places.mjs'
import { say, sayFault } from './report.mjs'
import { runTimeNode } from './run-time-node.mjs'
import { closingLine, countTests, skippedTests, sumCounts } from './test-counts.mjs'
import { typecheck } from './typecheck.mjs'
import { ensureXvfb, withVirtualDisplay } from './virtual-display.mjs'

/** Runs all tests, or, with arguments, vitest alone with those. Returns the exit status. */
export async function test(args) {
  const parts =
    args.length > 0
      ? [['tests', () => unitTests(args)]]
      : [
          ['tests', () => unitTests([])],
          ['types', typecheck],
          ['window', windowTests],
        ]
  const counts = []
  for (const [name, run] of parts) {
    say(`\n— ${name} —`)
    const count = await run().catch((fault) => {
      sayFault(name, fault)
      return { passed: 0, failed: 1, skipped: 0 }
    })
    counts.push(count)
    say(`${name}: ${closingLine(count)}${count.skipped > 0 ? `, ${count.skipped} skipped` : ''}`)
  }
  const total = sumCounts(counts)
  process.stdout.write(`${closingLine(total)}\n`)
  return total.failed === 0 ? 0 : 1
}

function unitTests(args) {
  return vitest(['--config', join(projectFolder, 'tests', 'vitest.config.ts'), ...args], environmentWithPackages())
}

async function windowTests() {
  const folder = join(projectFolder, 'tests', 'app')
  if (!existsSync(folder) || !readdirSync(folder).some((name) => name.endsWith('.test.ts'))) {
    say('no tests in tests/app')
    return { passed: 0, failed: 0, skipped: 0 }
  }
  await ensureElectron()
  await ensureElectronLibraries()
  await ensureXvfb()
  await ensureBuilt()
  const args = ['--root', folder, '--no-file-parallelism', '--testTimeout', '120000', '--hookTimeout', '120000']
  return withVirtualDisplay((display) => vitest(args, { ...environmentWithPackages(), DISPLAY: display, WAYLAND_DISPLAY: '' }))
}

async function vitest(args, env) {
  const folder = mkdtempSync(join(tmpdir(), 'pivot-lab-tests-'))
  const reportFile = join(folder, 'report.json')
  try {
    const status = await runInTerminal(
      runTimeNode(),
      [
        join(packagesFolder, 'vitest', 'vitest.mjs'),
        'run',
        '--passWithNoTests',
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${reportFile}`,
        ...args,
      ],
      { cwd: projectFolder, env },
    )
    const report = existsSync(reportFile) ? JSON.parse(readFileSync(reportFile, 'utf8')) : null
    for (const name of skippedTests(report)) say(`skipped: ${name}`)
    return countTests({ status, report })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
