// What a page may load: files of its own folder and images by hash. Everything else has no address.

import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { classifiedImageOfAddress, CONTENT_SECURITY_POLICY, fileOfAddress, hashOfAddress } from '../../src-main/window/policy.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

function pages(): { readonly root: string; readonly outside: string } {
  const folder = realpathSync(temporaryFolder())
  const root = join(folder, 'pages')
  mkdirSync(join(root, 'assets'), { recursive: true })
  writeFileSync(join(root, 'index.html'), 'page')
  writeFileSync(join(root, 'assets', 'a b.js'), 'script')
  const outside = join(folder, 'secret.txt')
  writeFileSync(outside, 'secret')
  symlinkSync(outside, join(root, 'link.txt'))
  return { root, outside }
}

describe('app: addresses', () => {
  it('name the files of the pages', async () => {
    const { root } = pages()
    expect(await fileOfAddress(root, 'app://ui/')).toBe(join(root, 'index.html'))
    expect(await fileOfAddress(root, 'app://ui/assets/a%20b.js?v=1#x')).toBe(join(root, 'assets', 'a b.js'))
  })

  it.each([
    'app://ui/../secret.txt',
    'app://ui/%2e%2e/secret.txt',
    'app://ui/..%2fsecret.txt',
    'app://ui/..%5csecret.txt',
    'app://ui/link.txt',
    'app://ui/%00',
    'app://ui/%E0%A4%A',
    'app://ui/nothing.js',
    'app://elsewhere/index.html',
    'file:///etc/passwd',
    'app://ui//etc/passwd',
    'nonsense',
  ])('%s names nothing', async (address) => {
    expect(await fileOfAddress(pages().root, address)).toBeNull()
  })
})

describe('lab-image: addresses', () => {
  it('are a hash and nothing else', () => {
    const hash = 'ab'.repeat(32)
    expect(hashOfAddress(`lab-image://sha/${hash}`)).toBe(hash)
    for (const wrong of [
      `lab-image://sha/${hash}/../x`,
      `lab-image://sha/${hash.slice(1)}`,
      `lab-image://other/${hash}`,
      `lab-image://sha/../../etc/passwd`,
      `file://sha/${hash}`,
    ])
      expect(hashOfAddress(wrong)).toBeNull()
  })

  it('are a task and one image of it, which the task has to know', () => {
    const image = 'cats & dogs/ä #1?.png'
    expect(classifiedImageOfAddress(`lab-image://zero-shot/task-1/${encodeURIComponent(image)}`)).toEqual({ taskId: 'task-1', image })
    for (const wrong of ['lab-image://zero-shot/task-1/', 'lab-image://zero-shot/task-1/a/b.png', 'lab-image://zero-shot/../x', 'lab-image://zero-shot/task-1/%zz', `lab-image://sha/${'ab'.repeat(32)}`])
      expect(classifiedImageOfAddress(wrong)).toBeNull()
  })
})

describe('the policy', () => {
  it('allows no script but our own, no eval, no frame, no address of another host', () => {
    expect(CONTENT_SECURITY_POLICY).toContain("default-src 'none'")
    expect(CONTENT_SECURITY_POLICY).toContain("script-src 'self';")
    expect(CONTENT_SECURITY_POLICY).not.toMatch(/unsafe-eval|https?:|\*/)
  })
})
