// Folders are made whole or refused in a sentence; nothing waits for ever.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeFolder, writeFolderWhole, writeWhole } from '../../src-main/jobs/files.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

describe('a folder', () => {
  it('is made with all that is missing above it, and again makes no difference', async () => {
    const folder = join(temporaryFolder(), 'a', 'b', 'c')
    await Promise.all([makeFolder(folder), makeFolder(folder), makeFolder(join(folder, 'd'))])
    await makeFolder(folder)
    expect(existsSync(join(folder, 'd'))).toBe(true)
  })

  it('is refused below a file, naming the file', async () => {
    const file = join(temporaryFolder(), 'notes.txt')
    writeFileSync(file, 'words')
    for (const path of [file, join(file, 'out')]) {
      const { code, message } = await faultOfPromise(makeFolder(path))
      expect([code, message]).toEqual(['invalid-input', expect.stringMatching(/notes\.txt: expected a folder, found a file/)])
    }
  })

  // The only system with such a folder; elsewhere there is nothing to refuse.
  it.runIf(existsSync('/proc/self'))('is refused where the system lets nothing be made, naming that place', async () => {
    for (const write of [makeFolder('/proc/lab/out'), writeWhole('/proc/lab/out/file', 'words'), writeFolderWhole('/proc/lab/out', async () => {})]) {
      const { code, message } = await faultOfPromise(write)
      expect([code, message]).toEqual(['invalid-input', expect.stringMatching(/^\/proc: nothing can be written there .*choose a folder/)])
    }
  })

  it('that cannot be filled leaves nothing behind', async () => {
    const root = temporaryFolder()
    mkdirSync(join(root, 'out'))
    writeFileSync(join(root, 'out', 'before'), 'words')
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    const write = writeFolderWhole(join(root, 'out'), async (folder) => {
      writeFileSync(join(folder, 'half'), 'words')
      throw full
    })
    await expect(write).rejects.toBe(full)
    expect([readdirSync(root), readdirSync(join(root, 'out'))]).toEqual([['out'], ['before']])
  })
})
