// Two set-ups never work at once, and a dead one blocks nobody.

import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { oneAtATime } from '../../resources/setup/one-at-a-time.mjs'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pivot-lab-lock-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('one set-up at a time', () => {
  it('never overlaps two works', async () => {
    let inside = 0
    let most = 0
    const work = async () => {
      inside += 1
      most = Math.max(most, inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside -= 1
    }
    await Promise.all([oneAtATime(work, folder), oneAtATime(work, folder), oneAtATime(work, folder)])
    expect(most).toBe(1)
  })

  it('lets go when its work throws', async () => {
    await expect(oneAtATime(() => Promise.reject(new Error('compiler died')), folder)).rejects.toThrow('compiler died')
    expect(existsSync(join(folder, 'set-up.lock'))).toBe(false)
  })

  it('takes over a lock that nobody has touched for long', async () => {
    const lock = join(folder, 'set-up.lock')
    writeFileSync(lock, '1\n')
    const longAgo = Date.now() / 1000 - 3600
    utimesSync(lock, longAgo, longAgo)
    await expect(oneAtATime(async () => 'worked', folder)).resolves.toBe('worked')
  })
})
