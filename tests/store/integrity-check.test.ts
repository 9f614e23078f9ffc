// The project's line of the doctor: whole, with images gone, damaged, not there yet.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openForWriting } from '../../src-main/store/database.ts'
import { checkIntegrity } from '../../src-main/store/integrity-check.ts'
import { createStore } from '../../src-main/store/store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

function aProject(): { readonly project: string; readonly file: string } {
  const project = temporaryFolder()
  const file = join(project, 'lab.sqlite')
  const store = createStore(openForWriting(file, 'a test'))
  mkdirSync(join(project, 'images'))
  writeFileSync(join(project, 'images', 'a.png'), 'there')
  store.datasets.insertImage({ sha256: 'a'.repeat(64), path: 'images/a.png', width: 1, height: 1, bytes: 5, format: 'png' })
  store.close()
  return { project, file }
}

describe('a project', () => {
  it('is whole, also while somebody writes to it', () => {
    const { project, file } = aProject()
    const writer = openForWriting(file, 'a test')
    expect(checkIntegrity(file, project)).toMatchObject({ state: 'ok', found: expect.stringContaining('1 images') })
    writer.close()
  })

  it('that lacks images says which', () => {
    const { project, file } = aProject()
    expect(checkIntegrity(file, join(project, 'moved-away'))).toMatchObject({ state: 'warning', found: expect.stringContaining('images/a.png') })
  })

  it('that is damaged says so and what to do', () => {
    const { project, file } = aProject()
    const bytes = readFileSync(file)
    bytes.fill(7, 4096, 20_000)
    writeFileSync(file, bytes)
    expect(checkIntegrity(file, project)).toMatchObject({ state: 'fault', remedy: expect.stringContaining('restore') })
  })

  it('that is not there yet is no fault', () => {
    expect(checkIntegrity('/nowhere/lab.sqlite', '/nowhere')).toMatchObject({ state: 'ok' })
  })
})
