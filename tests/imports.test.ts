// Every module of the core loads: a name that is imported and not exported fails here, not at the user's first click.

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
/** They begin to work as soon as they are loaded. */
const ENTRIES = ['src-main/cli.ts', 'src-main/index.ts', 'src-main/jobs/process-entry.ts', 'src-main/data-process-entry.ts']

const modules = globSync('{src-main,src-preload/contract}/**/*.ts', { cwd: ROOT })
  .filter((file) => !file.endsWith('.d.ts') && !ENTRIES.includes(file))
  // Electron's modules can be loaded by Electron alone; the tests of the window do.
  .filter((file) => !/from 'electron'/.test(readFileSync(join(ROOT, file), 'utf8')) && file !== 'src-main/window/desktop.ts')
  .toSorted()

describe('every module', () => {
  it('loads', async () => {
    const faults: string[] = []
    for (const file of modules) {
      await import(join(ROOT, file)).catch((thrown: unknown) => faults.push(`${file}: ${String(thrown)}`))
    }
    expect(faults).toEqual([])
  })
})
