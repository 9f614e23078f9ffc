import { expect, it } from 'vitest'
import { parseRoute, ROOMS, toHash } from '../../../src-renderer/lab/route.ts'

it('comes back to the same place after a reload', () => {
  for (const room of ROOMS)
    for (const [id, section] of [
      [null, null],
      ['seed-0/sft', null],
      ['a b%c', 'results'],
    ] as const)
      expect(parseRoute(toHash(room, id, section))).toEqual({ room, id, section })
})

it('opens the study room at an address that it does not know', () => {
  expect(parseRoute('')).toEqual({ room: 'study', id: null, section: null })
  expect(parseRoute('#/attic/1').room).toBe('study')
})
