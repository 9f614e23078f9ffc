// A training that is killed in the middle of a compile, again and again, each time a little later: what lies in the caches is
// then whole or is made anew, and the run goes on from its checkpoint to the bits that it would have had.

import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { TrainJob } from '../../../src-main/domain/job.ts'
import type { Start } from '../../../src-main/domain/run-config.ts'
import { ProgramCache } from '../../../src-main/jobs/compile/program-cache.ts'
import { tinyProject, type TinyProject } from '../evaluate/tiny-project.ts'
import { aTrainJob, follow, openEngineWithOwnCache, readSamples, RESUMED, SMALL_SPEC, train, weightsOf, writeSnapshot } from '../tiny-training.ts'
import type { Doom, Point } from './doomed-job.ts'

// Compiling is the processor's work: beside other work it takes several times as long.
vi.setConfig({ testTimeout: 240_000 })

const POINTS: readonly Point[] = [
  'half of the graph is written',
  'the graph is written and not described',
  'the entry is whole and not in its place',
  'the entry is in its place and not loaded',
  'XLA compiles',
  'machine code is written and not sealed',
]

let tiny: TinyProject
let start: Start
let snapshot: string
const root = mkdtempSync(join(tmpdir(), 'pivot-lab-killed-'))
beforeAll(async () => {
  await openEngineWithOwnCache()
  tiny = tinyProject(root)
  start = { kind: 'checkpoint', folder: await tiny.checkpoint(1, SMALL_SPEC) }
  // Of one length: one program.
  snapshot = writeSnapshot(
    tiny,
    readSamples(tiny, tiny.snapshots.preferences).filter(({ content }) => content.kind === 'preferences' && content.prompt === 'What colour is it?'),
  )
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const aJob = (folder: string): TrainJob => aTrainJob(tiny, { folder, start, snapshot, execution: 'xla', training: { ...RESUMED, objective: { kind: 'dpo' } } })

/** Another start of the lab with caches of its own: how the process ended, and what it warned of. */
async function startedAgain(doom: Doom, caches: string): Promise<{ readonly code: number | null; readonly signal: string | null; readonly warnings: string }> {
  const environment: NodeJS.ProcessEnv = { ...process.env, XDG_CACHE_HOME: caches, TF_CPP_MIN_LOG_LEVEL: '3' }
  // Set by this process's own engine, for its own caches.
  for (const name of ['TF_XLA_FLAGS', 'XLA_FLAGS']) delete environment[name]
  const child = spawn(process.execPath, [join(import.meta.dirname, 'doomed-job.ts'), JSON.stringify(doom)], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  let warnings = ''
  child.stderr.on('data', (text: Buffer) => (warnings += String(text)))
  child.stdout.once('data', () => child.kill('SIGKILL'))
  return new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, warnings })))
}

it('leaves caches that serve the next start, and a run that ends in the bits of one that was left alone', async () => {
  const whole = aJob('runs/whole')
  await train(whole)
  const killed = aJob('runs/killed')
  expect((await follow(killed, { stopAfter: 2 })).fault?.code).toBe('cancelled')

  const caches = join(root, 'caches')
  mkdirSync(caches)
  for (const at of POINTS) expect(await startedAgain({ job: killed, at }, caches), at).toMatchObject({ signal: 'SIGKILL' })
  const last = await startedAgain({ job: killed, at: null }, caches)
  expect(last).toMatchObject({ code: 0, signal: null })
  expect(last.warnings).not.toMatch(/trying graph|runs eagerly/)
  expect(await weightsOf(killed)).toBe(await weightsOf(whole))

  const programs = join(caches, 'pivot-lab', 'programs')
  const entries = readdirSync(programs).filter((name) => !name.startsWith('.'))
  expect(entries).toHaveLength(1)
  expect(new ProgramCache(programs).find(entries[0]!)).toBeDefined()
})
