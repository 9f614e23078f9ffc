// A build is stale exactly when something below a source folder is younger than it.

import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { newestChange } from '../../resources/setup/build-app.mjs'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pivot-lab-build-'))
  mkdirSync(join(folder, 'room'))
  writeFileSync(join(folder, 'room', 'a.ts'), '')
  for (const path of ['room/a.ts', 'room', '.']) utimesSync(join(folder, path), 1000, 1000)
})
afterEach(() => rmSync(folder, { recursive: true }))

it('sees the youngest file at any depth', () => {
  expect(newestChange(folder)).toBe(1_000_000)
  utimesSync(join(folder, 'room', 'a.ts'), 2000.5, 2000.5)
  expect(newestChange(folder)).toBe(2_000_500)
})

it('sees a deletion, which only the folder remembers', () => {
  rmSync(join(folder, 'room', 'a.ts'))
  expect(newestChange(folder)).toBeGreaterThan(1_000_000)
})

it('counts what is absent as older than everything', () => {
  expect(newestChange(join(folder, 'absent'))).toBe(0)
})
