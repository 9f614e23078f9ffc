import { beforeAll, describe, expect, it } from 'vitest'
import { OPERATION } from '../../../src-main/jobs/backend/kernel-context.ts'
import { startSharedModule, type SharedModule } from '../../../src-main/jobs/backend/shared-module.ts'
import { openKernelPool, type KernelPool } from '../../../src-main/jobs/backend/thread-pool.ts'

let module: SharedModule
let pool: KernelPool

beforeAll(async () => {
  const started = await startSharedModule()
  module = started.module
  pool = await openKernelPool(module, started.memory, 4)
})

/** Squares n values at x into y, `chunk` a task. */
function square(x: number, y: number, n: number, chunk: number) {
  pool.words.set([x, y, n, chunk, 7])
  pool.run(OPERATION.unary, Math.ceil(n / chunk))
}

describe('the threads', () => {
  it('do every task of every job once, however short the jobs and however fast they follow', () => {
    const n = 257
    const x = module._malloc(4 * n)
    const y = module._malloc(4 * n)
    const views = [x, y].map((at) => new Float32Array(module.HEAPU8.buffer, at, n)) as [Float32Array, Float32Array]
    views[0].fill(0)
    for (let job = 0; job < 20_000; job++) {
      views[0][job % n] = job % 1000
      views[1].fill(-1)
      square(x, y, n, 16)
      if (job % 100 === 0) expect(views[1].every((value, i) => value === views[0][i]! ** 2)).toBe(true)
      else expect(views[1][job % n]).toBe((job % 1000) ** 2)
    }
  })

  it('that meet a fault end the call with an error, and leave nobody waiting', () => {
    const end = module.HEAPU8.length
    // The first tasks are inside the memory, the later ones beyond its end.
    expect(() => square(end - 64 * 1024, end - 64 * 1024, 1 << 20, 1024)).toThrow()
  })
})
