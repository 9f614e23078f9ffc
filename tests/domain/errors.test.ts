// Errors as values: a code for what to do, through any process and back.

import { describe, expect, it } from 'vitest'
import { ERROR_CODES, fromFailure, LabError, toFailure } from '../../src-main/domain/errors.ts'

describe('a LabError', () => {
  it('keeps its code, message and details through a process and back', () => {
    for (const code of ERROR_CODES) {
      const error = new LabError(code, 'expected this, found that', { step: 3, samples: ['a'] })
      const back = fromFailure(structuredClone(toFailure(error)))
      expect(back).toBeInstanceOf(LabError)
      expect([back.code, back.message, back.details]).toEqual([code, 'expected this, found that', { step: 3, samples: ['a'] }])
    }
  })

  it('keeps its cause here, and sends none of it', () => {
    const cause = new Error('below')
    const error = new LabError('not-found', 'gone', {}, cause)
    expect(error.cause).toBe(cause)
    expect(toFailure(error)).toEqual({ code: 'not-found', message: 'gone', details: {} })
    expect('cause' in new LabError('not-found', 'gone')).toBe(false)
  })
})

describe('what the system throws', () => {
  const system = (code: string, path = '/data/x') =>
    Object.assign(new Error(`${code}: it failed, open '${path}'`), { code, path })
  it('gets the code that tells what to do', () => {
    for (const [code, expected] of [
      ['ENOSPC', 'out-of-disk'],
      ['EDQUOT', 'out-of-disk'],
      ['SQLITE_FULL', 'out-of-disk'],
      ['ENOENT', 'not-found'],
      ['EROFS', 'invalid-input'],
      ['EACCES', 'invalid-input'],
      ['EPERM', 'invalid-input'],
      ['EISDIR', 'invalid-input'],
      ['ENOTDIR', 'invalid-input'],
      ['SQLITE_BUSY', 'conflict'],
      ['EIO', 'internal'],
    ] as const)
      expect(toFailure(system(code)).code, code).toBe(expected)
  })

  it('keeps its own words, and is told what to do about disk, memory and folders', () => {
    expect(toFailure(system('ENOSPC')).message).toMatch(/^ENOSPC.*Free space/)
    for (const [code, remedy] of [
      ['ENOENT', /moved, renamed or deleted\. Put it back, or choose another/],
      ['EISDIR', /expected a file, found a folder/],
      ['ENOTDIR', /expected only folders on the way there, found a file/],
      ['EACCES', /Change its permissions/],
      ['EROFS', /Change its permissions/],
    ] as const) {
      const failure = toFailure(system(code))
      expect(failure, code).toMatchObject({ message: expect.stringMatching(remedy), details: { path: '/data/x' } })
      expect(failure.message.startsWith('/data/x')).toBe(true)
      expect(failure.message).toContain(`${code}: it failed`)
    }
    for (const message of [
      'OOM when allocating tensor with shape[64,512,512]',
      'RESOURCE_EXHAUSTED: Out of memory while trying to allocate',
      'Array buffer allocation failed',
      'memory access out of bounds',
    ]) {
      const failure = toFailure(new Error(message))
      expect(failure.code, message).toBe('out-of-memory')
      expect(failure.message).toContain('batchSize')
      expect(failure.message).toContain('gradientCheckpointing')
    }
    // A word that merely holds these letters is no shortage of memory.
    expect(toFailure(new Error('no such ROOM')).code).toBe('internal')
  })

  it('that is no error at all is a bug, and still a failure', () => {
    for (const thrown of ['text', 7, null, undefined, {}, { message: 3 }]) {
      const failure = toFailure(thrown)
      expect(failure.code).toBe('internal')
      expect(typeof failure.message).toBe('string')
      expect(structuredClone(failure)).toEqual(failure)
    }
  })
})
