// The hash that lets a program be taken from the cache unrecorded: it must change with the code.

import { execFileSync } from 'node:child_process'
import { appendFileSync, cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { codeIdentity } from '../../../src-main/jobs/compile/code-identity.ts'

const repository = new URL('../../../', import.meta.url).pathname
const copy = mkdtempSync(join(tmpdir(), 'pivot-lab-code-'))
afterAll(() => rmSync(copy, { recursive: true, force: true }))

function identityOfCopy(): string {
  const module = JSON.stringify(join(copy, 'src-main/jobs/compile/code-identity.ts'))
  const script = `process.stdout.write((await import(${module})).codeIdentity())`
  return execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' })
}

describe('the identity of the code', () => {
  it('is the same for a copy of the sources, and another once a line of the engine differs', () => {
    for (const folder of ['engine', 'domain', 'jobs'])
      cpSync(join(repository, 'src-main', folder), join(copy, 'src-main', folder), { recursive: true })
    symlinkSync(join(repository, 'node_modules'), join(copy, 'node_modules'))
    expect(identityOfCopy()).toBe(codeIdentity())
    appendFileSync(join(copy, 'src-main/engine/optim/adamw.ts'), '\n')
    expect(identityOfCopy()).not.toBe(codeIdentity())
  })
})
