// The compiled kernels are committed: these laws keep them the ones that the committed sources make.

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../src-main/domain/random.ts'
import { OPERATION } from '../../../src-main/jobs/backend/kernel-context.ts'
import { withSharedMemory } from '../../../src-main/jobs/backend/shared-module.ts'
import { webAssembly } from '../../../src-main/jobs/backend/web-assembly.ts'

const folder = join(import.meta.dirname, '../../../resources/kernels')
const compiled = ['kernels.wasm', 'kernels-fma.wasm'] as const

describe('the compiled kernels', () => {
  it('were compiled from the sources beside them: every hash of the last build still holds', () => {
    const listed = readFileSync(join(folder, 'SHA256SUMS'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/) as [string, string])
    expect(listed.map(([, name]) => name).sort()).toEqual(
      readdirSync(folder)
        .filter((name) => name !== 'SHA256SUMS')
        .sort(),
    )
    for (const [hash, name] of listed)
      expect(
        createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex'),
        `${name}: run resources/kernels/build.sh`,
      ).toBe(hash)
  })

  it.each(compiled)('%s imports the memory and nothing else, and brings no data that would overwrite it', (name) => {
    const module = new webAssembly.Module(readFileSync(join(folder, name)))
    expect(webAssembly.Module.imports(module)).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }])
    expect(sectionsOf(readFileSync(join(folder, name)))).not.toContain(11)
  })
})

describe.each(compiled)('%s alone', (name) => {
  it('multiplies and takes exponentials as JavaScript does, to the rounding of float32', () => {
    const memory = new SharedMemory({ initial: 64, maximum: 65536, shared: true })
    const module = new webAssembly.Module(readFileSync(join(folder, name)))
    const kernels = new webAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels
    const [pool, args, scratch, a, b, c] = [1024, 2048, 1 << 20, 1 << 21, 3 << 20, 7 << 19] as const
    kernels.__stack_pointer.value = 1 << 19
    kernels.prepare(scratch)
    const random = createRandom(5)
    const [m, n, k] = [37, 29, 300]
    const values = (at: number, count: number) => new Float32Array(memory.buffer, at, count)
    for (const x of [values(a, m * k), values(b, n * k)]) x.forEach((_, i) => (x[i] = random.normal()))
    const words = new Int32Array(memory.buffer, args, 64)

    words.set([a, b, c, m, n, k, k, k, 0, 1, 0, 0, 0, 0, 40, 32, 1, 1]) // A · Bᵀ
    kernels.run(pool, OPERATION.gemm, args, 1, 0, scratch)
    const product = Float32Array.from({ length: m * n }, (_, at) => {
      const [i, j] = [Math.floor(at / n), at % n]
      let sum = 0
      for (let q = 0; q < k; q++) sum += values(a, m * k)[i * k + q]! * values(b, n * k)[j * k + q]!
      return sum
    })
    values(c, m * n).forEach((x, i) => expect(Math.abs(x - product[i]!)).toBeLessThan(5e-5))

    words.set([a, c, m * n, m * n, 0])
    kernels.run(pool, OPERATION.unary, args, 1, 0, scratch)
    values(c, m * n).forEach((x, i) => expect(Math.abs(x / Math.exp(values(a, m * n)[i]!) - 1)).toBeLessThan(3e-7))
  })
})

interface Kernels {
  readonly __stack_pointer: { value: number }
  prepare(scratch: number): void
  run(pool: number, operation: number, args: number, tasks: number, helpers: number, scratch: number): void
}

const { Memory: SharedMemory } = webAssembly as unknown as {
  Memory: new (size: object) => { readonly buffer: SharedArrayBuffer }
}

describe('the module of TensorFlow.js', () => {
  it('is refused when its memory cannot be made a shared one', () => {
    expect(() => withSharedMemory(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0))).toThrow(
      expect.objectContaining({ code: 'internal' }),
    )
    // A memory without a maximum.
    expect(() => withSharedMemory(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 5, 3, 1, 0, 1))).toThrow(
      expect.objectContaining({ code: 'internal' }),
    )
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
  for (let at = 8; at < code.length;) {
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
