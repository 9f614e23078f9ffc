// The bench's parts about data: importing and browsing at the size of a real project, and hostile files.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fuzzImporters } from '../support/hostile-files.ts'
import { measureRooms } from './browsing.ts'

const SIZES = { imported: 20_000, images: 100_000, pairs: 200_000 }

export async function benchBrowsing(isJson: boolean): Promise<void> {
  for await (const measure of measureRooms(SIZES)) {
    const { what, n, value, unit, p95 } = measure
    const line = `${what.padEnd(44)} ${value.toFixed(1).padStart(9)} ${unit}${p95 === undefined ? '' : `, p95 ${p95.toFixed(1)}`}  (${n})`
    process.stdout.write(`${isJson ? JSON.stringify({ bench: 'data', ...measure }) : line}\n`)
  }
}

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
