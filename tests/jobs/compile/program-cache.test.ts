// The cache's folder through a killed writer, damage and age. No tensors here.

import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { ProgramCache, programKey, type ProgramLayout } from '../../../src-main/jobs/compile/program-cache.ts'

const folders: string[] = []
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })))

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pivot-lab-cache-'))
  folders.push(folder)
  return folder
}

const layout: ProgramLayout = {
  inputs: [{ name: 'batch/ids', dtype: 'int32', shape: [2, 3] }],
  variables: [{ name: 'w', dtype: 'float32', shape: [] }],
  outputs: ['loss'],
  assigned: ['w'],
  indexLimits: [{ input: 0, limit: 7 }],
}

describe('the cache of programs', () => {
  it('gives back the layout that was stored', () => {
    const folder = freshFolder()
    const where = new ProgramCache(folder).store('a', Uint8Array.of(1, 2, 3), layout)
    expect(new ProgramCache(folder).find('a')).toEqual({ folder: where, layout })
    expect(new ProgramCache(folder).find('b')).toBeUndefined()
  })

  it('removes an entry whose graph is not what was written, and one without a description', () => {
    const folder = freshFolder()
    const cache = new ProgramCache(folder)
    const changed = cache.store('changed', Uint8Array.of(1, 2, 3), layout)
    writeFileSync(join(changed, 'saved_model.pb'), Uint8Array.of(1, 2))
    const undescribed = cache.store('undescribed', Uint8Array.of(1), layout)
    rmSync(join(undescribed, 'program.json'))
    expect([cache.find('changed'), cache.find('undescribed')]).toEqual([undefined, undefined])
    expect(readdirSync(folder)).toEqual([])
  })

  it('holds only whole entries after its writer is killed, and sweeps away what was left beside them', async () => {
    const folder = freshFolder()
    const moduleUrl = new URL('../../../src-main/jobs/compile/program-cache.ts', import.meta.url).href
    const writer = `
      const { ProgramCache } = await import(${JSON.stringify(moduleUrl)})
      const cache = new ProgramCache(${JSON.stringify(folder)})
      for (let i = 0; ; i += 1) {
        cache.store('entry' + i, new Uint8Array(8 * 2 ** 20).fill(i), ${JSON.stringify(layout)})
        if (i === 2) process.stdout.write('going')
      }`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', writer], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    await new Promise((resolve) => child.stdout.once('data', resolve))
    child.kill('SIGKILL')
    await ended
    const entries = readdirSync(folder).filter((name) => !name.startsWith('.'))
    expect(entries.length).toBeGreaterThanOrEqual(3)
    const cache = new ProgramCache(folder)
    for (const entry of entries) expect(cache.find(entry)?.layout).toEqual(layout)

    const abandoned = join(folder, '.writing-abandoned')
    mkdirSync(abandoned)
    const yesterday = new Date(Date.now() - 86_400_000)
    utimesSync(abandoned, yesterday, yesterday)
    new ProgramCache(folder)
    expect(existsSync(abandoned)).toBe(false)
  })

  it('keeps the programs used last', () => {
    const folder = freshFolder()
    const cache = new ProgramCache(folder)
    const first = cache.store('0', Uint8Array.of(1), layout)
    for (let i = 1; i <= 200; i += 1) {
      const copy = join(folder, String(i))
      cpSync(first, copy, { recursive: true })
      utimesSync(copy, i, i)
    }
    // Used: its age is no longer the oldest.
    expect(cache.find('1')).toBeDefined()
    new ProgramCache(folder)
    expect(readdirSync(folder)).toHaveLength(200)
    expect(existsSync(join(folder, '1'))).toBe(true)
    expect(existsSync(join(folder, '2'))).toBe(false)
  })
})

describe('the key of a program', () => {
  it('differs when the same letters are divided otherwise', () => {
    expect(programKey('ab', 'c')).not.toBe(programKey('a', 'bc'))
    expect(programKey('ab', 'c')).toBe(programKey('ab', 'c'))
  })
})
