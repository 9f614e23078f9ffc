// Laws of rounding to two bytes: the nearest value, ties to even, and nothing changes that is already narrow.

import { describe, expect, it } from 'vitest'
import { roundedBytes } from '../../../src-main/engine/weights/rounding.ts'
import { toFloat32 } from '../../../src-main/engine/weights/safetensors.ts'

const DTYPES = { float16: 'F16', bfloat16: 'BF16' } as const
type Narrow = keyof typeof DTYPES

const narrowed = (values: readonly number[], dtype: Narrow): Uint16Array => new Uint16Array(roundedBytes(Float32Array.from(values), dtype).slice().buffer)
const widened = (halves: Uint16Array, dtype: Narrow): Float32Array =>
  toFloat32({ dtype: DTYPES[dtype], shape: [halves.length], begin: 0, end: 2 * halves.length }, new Uint8Array(halves.buffer)).values

describe.each(['float16', 'bfloat16'] as const)('%s', (dtype) => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i)
  const values = widened(all, dtype)

  it('keeps every one of its own 65536 values, NaN as NaN', () => {
    const back = narrowed([...values], dtype)
    all.forEach((half, i) => {
      if (Number.isNaN(values[i])) expect(widened(back.slice(i, i + 1), dtype)[0]).toBeNaN()
      else if (back[i] !== half) expect.fail(`${half} came back as ${back[i]}`)
    })
  })

  it('takes the nearer neighbour, and between two the even one', () => {
    const largest = all.findIndex((half) => values[half] === Infinity)
    for (let half = 0; half + 1 < largest; half += 7) {
      const [low, high] = [values[half]!, values[half + 1]!]
      const middle = (low + high) / 2
      const even = half % 2 === 0 ? half : half + 1
      const below = Math.fround(middle - (high - low) / 8)
      const above = Math.fround(middle + (high - low) / 8)
      // Between the smallest numbers of bfloat16 float32 itself has no value in the middle.
      if (below > low && above < high && Math.fround(middle) === middle) expect([...narrowed([middle, -middle, below, above], dtype)]).toEqual([even, even + 0x8000, half, half + 1])
    }
  })

  it('is infinite beyond its range and keeps the sign of zero', () => {
    expect([...widened(narrowed([3.4e38, -3.4e38], dtype), dtype)]).toEqual([Infinity, -Infinity])
    expect([...narrowed([Infinity, -Infinity, 0, -0], dtype)]).toEqual(dtype === 'float16' ? [0x7c00, 0xfc00, 0, 0x8000] : [0x7f80, 0xff80, 0, 0x8000])
  })
})
