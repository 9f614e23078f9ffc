import { expect, it } from 'vitest'
import { ERROR_CODES } from '../../../src-main/domain/errors.ts'
import { errorCopy } from '../../../src-renderer/ui/error-copy.ts'

it('has words for every code: what it means and what to do next', () => {
  expect(Object.keys(errorCopy).sort()).toEqual([...ERROR_CODES].sort())
  for (const code of ERROR_CODES) {
    expect(errorCopy[code].title.length, code).toBeGreaterThan(5)
    expect(errorCopy[code].next, code).toMatch(/[.!]$/)
  }
})

it('says something different for each code', () => {
  expect(new Set(ERROR_CODES.map((code) => errorCopy[code].title)).size).toBe(ERROR_CODES.length)
})
