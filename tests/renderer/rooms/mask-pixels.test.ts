import { expect, it } from 'vitest'
import { paintMask } from '../../../src-renderer/rooms/data/mask-pixels.ts'

const COLOUR = [1, 2, 3, 4] as const
function painted(width: number, height: number, mask: { size: [number, number]; counts: number[] }): string {
  const rgba = new Uint8ClampedArray(4 * width * height)
  paintMask(rgba, width, height, mask, COLOUR)
  return Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => (rgba[4 * (y * width + x) + 3] === 4 ? '#' : '.')).join('')).join('/')
}

it('run lengths go down the columns, zeros first', () => {
  expect(painted(3, 2, { size: [2, 3], counts: [1, 2, 3] })).toBe('.#./#..')
  expect(painted(2, 2, { size: [2, 2], counts: [0, 4] })).toBe('##/##')
})

it('a mask of another size is fitted to the picture', () => {
  expect(painted(4, 2, { size: [1, 2], counts: [1, 1] })).toBe('..##/..##')
})
