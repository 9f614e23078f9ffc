// The type check: vue-tsc once for every tsconfig.json of the project, because each room withholds other things from its code.

import { readFileSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative } from 'node:path'
import { capture, environmentWithPackages } from './commands.mjs'
import { packagesFolder, projectFolder } from './places.mjs'
import { say } from './report.mjs'
import { runTimeNode } from './run-time-node.mjs'

/** Checks every room, two at a time, and prints what each finds. Returns how many passed and failed. */
export async function typecheck() {
  const waiting = rooms(projectFolder)
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const worker = async () => {
    for (let room = waiting.shift(); room !== undefined; room = waiting.shift())
      counts[(await check(room)) ? 'passed' : 'failed'] += 1
  }
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker))
  return counts
}

async function check(tsconfig) {
  const startedAt = performance.now()
  const vueTsc = join(packagesFolder, 'vue-tsc', 'bin', 'vue-tsc.js')
  const result = await capture(runTimeNode(), [vueTsc, '--noEmit', '--pretty', 'false', '-p', tsconfig], {
    cwd: projectFolder,
    env: environmentWithPackages(),
  })
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  say(`${result.status === 0 ? '✓' : '✗'} types of ${relative(projectFolder, tsconfig)} (${seconds} s)`)
  if (result.status !== 0) say(result.output.trimEnd())
  return result.status === 0
}

/** Every tsconfig.json but those that only point to others. */
function rooms(folder) {
  const skipped = ['node_modules', 'out', 'dist', 'coverage']
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return skipped.includes(entry.name) || entry.name.startsWith('.') ? [] : rooms(path)
    return entry.name === 'tsconfig.json' && !/"files"\s*:\s*\[\s*\]/.test(readFileSync(path, 'utf8')) ? [path] : []
  })
}
