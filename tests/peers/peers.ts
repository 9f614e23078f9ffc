// `npm run test:peers`: what the lab writes, read by the libraries it is written for. Runs where there is a Python with them
// (--python, or PIVOT_PEERS_PYTHON, or python3) and says so where there is none. One line a check, exit status 1 when one fails.

import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { readAdapters, writeAdapters } from './adapters.ts'
import { distributed } from './distributed.ts'
import { writeExports } from './exports.ts'
import { everyObjective } from './objectives.ts'
import { adaptedRecipe, wholeRecipe } from './recipe.ts'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: 'string', default: process.env['PIVOT_PEERS_PYTHON'] ?? 'python3' },
    keep: { type: 'boolean', default: false },
  },
})

/** One line of a script's output. */
export interface PeerCheck {
  readonly name: string
  /** Relative; null where there is nothing to subtract. */
  readonly difference: number | null
  readonly tolerance: number | null
  /** Why it could not be done at all. */
  readonly fault: string | null
}

interface Peer {
  readonly name: string
  /** Python packages without which there is nothing to ask. */
  readonly packages: readonly string[]
  readonly script: string
  /** Writes what the script reads. */
  prepare(folder: string): Promise<void>
  /** Looks at what the script left. */
  conclude?(folder: string): Promise<readonly PeerCheck[]>
}

const RECIPE_PACKAGES = ['torch', 'transformers', 'trl', 'accelerate', 'datasets', 'peft', 'PIL']

const PEERS: readonly Peer[] = [
  { name: 'exports', packages: ['torch', 'transformers', 'safetensors', 'numpy'], script: 'load_exports.py', prepare: writeExports },
  { name: 'adapters', packages: ['torch', 'transformers', 'peft', 'safetensors'], script: 'load_adapters.py', prepare: writeAdapters, conclude: readAdapters },
  { name: 'recipe', packages: RECIPE_PACKAGES, script: 'run_recipe.py', ...wholeRecipe },
  { name: 'recipe-objectives', packages: [...RECIPE_PACKAGES, 'pandas'], script: 'run_objectives.py', ...everyObjective },
  { name: 'recipe-distributed', packages: [...RECIPE_PACKAGES, 'pandas'], script: 'run_distributed.py', ...distributed },
  { name: 'recipe-lora', packages: RECIPE_PACKAGES, script: 'run_recipe.py', ...adaptedRecipe },
]

function missingPackages(packages: readonly string[]): readonly string[] | null {
  const probe = 'import importlib.util, sys; print(*[name for name in sys.argv[1:] if importlib.util.find_spec(name) is None])'
  try {
    return execFileSync(options.python, ['-c', probe, ...packages], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split(/\s+/).filter(Boolean)
  } catch {
    return null
  }
}

let [passed, failed] = [0, 0]
await openBackend('native')
for (const peer of PEERS) {
  if (positionals.length > 0 && !positionals.includes(peer.name)) continue
  const missing = missingPackages(peer.packages)
  if (missing === null || missing.length > 0) {
    const reason = missing === null ? `${options.python} cannot be run` : `${options.python} has no ${missing.join(', ')}`
    process.stdout.write(`${peer.name}: not checked, ${reason}\n`)
    continue
  }
  const folder = mkdtempSync(join(tmpdir(), `pivot-lab-peers-${peer.name}-`))
  try {
    await peer.prepare(folder)
    const { stdout, stderr } = await promisify(execFile)(options.python, [join(import.meta.dirname, peer.script), folder], {
      maxBuffer: 1 << 26,
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', HF_HUB_OFFLINE: '1', TRANSFORMERS_OFFLINE: '1', CUDA_VISIBLE_DEVICES: '', TOKENIZERS_PARALLELISM: 'false' },
    })
    for (const line of stderr.split('\n').filter((each) => each.includes(': not run, '))) process.stdout.write(`${peer.name}: ${line}\n`)
    const checks = stdout
      .split('\n')
      .filter((each) => each.startsWith('{"name"'))
      .map((each) => JSON.parse(each) as PeerCheck)
    for (const { name, difference, tolerance, fault } of [...checks, ...((await peer.conclude?.(folder)) ?? [])]) {
      const isRight = fault === null && (tolerance === null || (difference !== null && difference <= tolerance))
      if (isRight) passed += 1
      else failed += 1
      const number = difference === null ? '' : `  ${difference.toExponential(1)} (${tolerance} is let through)`
      process.stdout.write(`${isRight ? 'pass' : 'FAIL'}  ${peer.name}: ${name}${number}${fault === null ? '' : `  ${fault}`}\n`)
    }
  } catch (thrown) {
    failed += 1
    process.stdout.write(`FAIL  ${peer.name}: ${(thrown as { stderr?: string }).stderr ?? (thrown as Error).stack}\n`)
  } finally {
    if (options.keep) process.stdout.write(`${folder}\n`)
    else rmSync(folder, { recursive: true, force: true })
  }
}
process.stdout.write(`peers: ${passed} passed, ${failed} failed\n`)
process.exit(failed === 0 ? 0 : 1)
