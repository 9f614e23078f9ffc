// `npm run bench -- --fuzz 100000`: hostile files, read by every importer.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fuzzImporters } from '../support/hostile-files.ts'

/** 1 when a hostile file got the better of a reader: its seed is told. */
export async function fuzz(inputs: number, isJson: boolean): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'pivot-lab-fuzz-'))
  try {
    const outcome = await fuzzImporters(folder, inputs)
    const { samples, faults, refused, broken, slowestMs } = outcome
    if (isJson) process.stdout.write(`${JSON.stringify({ bench: 'fuzz', ...outcome })}\n`)
    else {
      process.stdout.write(`${inputs} hostile files: ${samples} samples, ${faults} rows named, ${refused} files refused, ${broken.length} broken, slowest ${slowestMs.toFixed(0)} ms\n`)
      for (const { seed, thrown } of broken.slice(0, 10)) process.stdout.write(`seed ${seed}: ${thrown}\n`)
    }
    return broken.length === 0 ? 0 : 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
