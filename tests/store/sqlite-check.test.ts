// The doctor's line about SQLite tells a disk that works from one that does not, and leaves nothing behind.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { checkSqlite } from '../../src-main/store/sqlite-check.ts'

it('is fine where a write-ahead log can be kept, and leaves no file there', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pivot-lab-sqlite-'))
  try {
    expect(checkSqlite(folder)).toMatchObject({
      id: 'sqlite',
      state: 'ok',
      remedy: null,
      found: expect.stringMatching(/^3\.\d+/),
    })
    expect(readdirSync(folder)).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it('is a fault with a remedy where nothing can be written', () => {
  expect(checkSqlite('/nowhere/at/all')).toMatchObject({ state: 'fault', remedy: expect.stringContaining('/nowhere/at/all') })
})
