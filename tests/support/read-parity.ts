// Reads the reference cases: what other libraries computed on the same inputs. They lie outside the repository, in the
// folder PIVOT_PARITY or in ../shared/parity. Without the folder the tests that need it are skipped, and say so once;
// with the folder, a missing or unreadable case fails.

import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe } from 'vitest'

const named = process.env['PIVOT_PARITY']
export const parityFolder = resolve(named ?? join(import.meta.dirname, '../../../shared/parity'))

if (named !== undefined && !existsSync(parityFolder)) throw new Error(`PIVOT_PARITY names ${parityFolder}, which does not exist`)

export interface ParityTensor {
  readonly shape: readonly number[]
  readonly values: Float32Array | Int32Array
}

export interface ParityCase {
  /** case.json; its form is the case's own. */
  readonly json: unknown
  tensor(name: string): ParityTensor
}

/** `describe` over one reference case; skipped with a printed reason where there is no parity folder at all. */
export function describeParity(name: string, suite: (read: () => ParityCase) => void): void {
  const title = `reference case ${name}`
  if (existsSync(parityFolder)) return void describe(title, () => suite(() => readParity(name)))
  console.log(`skipped: ${title}, since there is no folder ${parityFolder}; name it in PIVOT_PARITY`)
  describe.skip(title, () => suite(() => readParity(name)))
}

/** Reads one case; its tensors when the first is asked for. F32 and I32 only, which is all that the numeric cases hold. */
export function readParity(name: string): ParityCase {
  const folder = join(parityFolder, name)
  const read = (file: string): Buffer => {
    if (!existsSync(join(folder, file)))
      throw new Error(`the reference case ${name} lacks ${file}: expected ${join(folder, file)}`)
    return readFileSync(join(folder, file))
  }
  let tensors: ((tensorName: string) => ParityTensor) | undefined
  return {
    json: JSON.parse(read('case.json').toString('utf8')),
    tensor: (tensorName) => (tensors ??= tensorsOf(name, read('case.safetensors')))(tensorName),
  }
}

function tensorsOf(name: string, bytes: Buffer): (tensorName: string) => ParityTensor {
  const headerBytes = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >
  return (tensorName) => {
    const entry = header[tensorName]
    if (!entry)
      throw new Error(`the reference case ${name} has no tensor ${tensorName}; it has ${Object.keys(header).join(', ')}`)
    const [start, end] = entry.data_offsets
    const data = bytes.buffer.slice(
      bytes.byteOffset + 8 + headerBytes + start,
      bytes.byteOffset + 8 + headerBytes + end,
    ) as ArrayBuffer
    if (entry.dtype === 'F32') return { shape: entry.shape, values: new Float32Array(data) }
    if (entry.dtype === 'I32') return { shape: entry.shape, values: new Int32Array(data) }
    throw new Error(`tensor ${tensorName} of ${name} is ${entry.dtype}; this reader knows F32 and I32`)
  }
}
