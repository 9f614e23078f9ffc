// The compiled kernels are committed: these laws keep them the ones that the committed sources make.

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { withSharedMemory } from '../../../src-main/jobs/backend/shared-module.ts'
import { webAssembly } from '../../../src-main/jobs/backend/web-assembly.ts'

const folder = join(import.meta.dirname, '../../../resources/kernels')
const compiled = ['kernels.wasm', 'kernels-fma.wasm'] as const

describe('the compiled kernels', () => {
  it('were compiled from the sources beside them: every hash of the last build still holds', () => {
    const listed = readFileSync(join(folder, 'SHA256SUMS'), 'utf8').trim().split('\n').map((line) => line.split(/\s+/) as [string, string])
    expect(listed.map(([, name]) => name).sort()).toEqual(readdirSync(folder).filter((name) => name !== 'SHA256SUMS').sort())
    for (const [hash, name] of listed)
      expect(createHash('sha256').update(readFileSync(join(folder, name))).digest('hex'), `${name}: run resources/kernels/build.sh`).toBe(hash)
  })

  it.each(compiled)('%s imports the memory and nothing else, and brings no data that would overwrite it', (name) => {
    const module = new webAssembly.Module(readFileSync(join(folder, name)))
    expect(webAssembly.Module.imports(module)).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }])
    expect(sectionsOf(readFileSync(join(folder, name)))).not.toContain(11)
  })
})

describe('the module of TensorFlow.js', () => {
  it('is refused when its memory cannot be made a shared one', () => {
    expect(() => withSharedMemory(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0))).toThrow(expect.objectContaining({ code: 'internal' }))
    // A memory without a maximum.
    expect(() => withSharedMemory(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 5, 3, 1, 0, 1))).toThrow(expect.objectContaining({ code: 'internal' }))
  })

  it('differs from the published one in one bit', () => {
    const published = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 5, 4, 1, 1, 1, 2)
    const shared = withSharedMemory(published)
    expect([...shared].map((byte, i) => byte ^ published[i]!)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0])
  })
})

/** Numbers of a module's sections in order; 11 is data. */
function sectionsOf(code: Uint8Array): number[] {
  const sections: number[] = []
  for (let at = 8; at < code.length; ) {
    sections.push(code[at++]!)
    let bytes = 0
    for (let shift = 0; ; shift += 7) {
      const byte = code[at++]!
      bytes |= (byte & 127) << shift
      if (byte < 128) break
    }
    at += bytes
  }
  return sections
}
