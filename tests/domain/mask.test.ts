// Masks and regions in pixels: run lengths lose nothing, and what a region covers is counted once.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { areaOf, columnsOf, frameOf, maskOfPixels, outlineOf, partsOf, pixelsOf } from '../../src-main/domain/mask.ts'
import { maskSchema, regionSchema, type Box, type Region } from '../../src-main/domain/sample.ts'

const [WIDTH, HEIGHT] = [7, 5]
const anyPixels = fc.array(fc.constantFrom(0, 1), { minLength: WIDTH * HEIGHT, maxLength: WIDTH * HEIGHT }).map((bits) => Uint8Array.from(bits))
const anyBox = fc.tuple(fc.nat(6), fc.nat(4), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 4 })).map((box): Box => box)

describe('a mask', () => {
  it('is its pixels and back, column by column with zeros first', () => {
    // ▓░ over ░▓: column 0 is 1 0, column 1 is 0 1.
    expect(maskOfPixels(Uint8Array.of(1, 0, 0, 1), 2, 2)).toEqual({ size: [2, 2], counts: [0, 1, 2, 1] })
    fc.assert(fc.property(anyPixels, (pixels) => void expect(pixelsOf(maskSchema.parse(maskOfPixels(pixels, WIDTH, HEIGHT)))).toEqual(pixels)))
  })

  it('has the area and the frame of its pixels, and columns that hold each of them once', () => {
    fc.assert(
      fc.property(anyPixels, (pixels) => {
        const mask = maskOfPixels(pixels, WIDTH, HEIGHT)
        const inside = [...pixels].flatMap((value, i) => (value === 1 ? [[i % WIDTH, Math.floor(i / WIDTH)] as const] : []))
        expect(areaOf(mask)).toBe(inside.length)
        expect([...columnsOf(mask)].reduce((sum, [, , width, height]) => sum + width * height, 0)).toBe(inside.length)
        const [xs, ys] = [inside.map(([x]) => x), inside.map(([, y]) => y)]
        const frame = [Math.min(...xs), Math.min(...ys), Math.max(...xs) + 1 - Math.min(...xs), Math.max(...ys) + 1 - Math.min(...ys)]
        expect(frameOf(mask)).toEqual(inside.length === 0 ? null : frame)
      }),
    )
  })

  it('has as outline the edges between inside and outside: four of one pixel, none of nothing', () => {
    const one = maskOfPixels(Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0), 3, 3)
    expect(outlineOf(one)).toBe('M1 1H2M1 2H2M1 1V2M2 1V2')
    expect(outlineOf(maskOfPixels(new Uint8Array(9), 3, 3))).toBe('')
    expect(outlineOf(maskOfPixels(new Uint8Array(9).fill(1), 3, 3))).toBe('M0 0H3M0 3H3M0 0V3M3 0V3')
  })

  it('is refused where its runs do not fill the image, and a region where a shape is neither box nor mask', () => {
    expect(maskSchema.safeParse({ size: [2, 2], counts: [1, 2] }).error!.issues[0]!.message).toContain('height × width')
    expect(regionSchema.safeParse([[1, 2, 3]]).error!.issues[0]!.message).toContain('expected a box')
    expect(regionSchema.parse([[1, 2, 3, 4], { size: [1, 2], counts: [1, 1] }])).toHaveLength(2)
  })
})

describe('a region', () => {
  it('covers each pixel once, however its boxes and masks overlap', () => {
    fc.assert(
      fc.property(fc.array(anyBox, { maxLength: 3 }), fc.array(anyPixels, { maxLength: 2 }), (boxes, drawn) => {
        const region: Region = [...boxes, ...drawn.map((pixels) => maskOfPixels(pixels, WIDTH, HEIGHT))]
        const { rest } = partsOf(region)
        const covers = ([x, y, width, height]: Box, px: number, py: number) => px >= x && px < x + width && py >= y && py < y + height
        for (let y = 0; y < HEIGHT; y++)
          for (let x = 0; x < WIDTH; x++) {
            const isDrawn = drawn.some((pixels) => pixels[y * WIDTH + x] === 1)
            const inBox = boxes.some((box) => covers(box, x + 0.5, y + 0.5))
            expect(rest.filter((part) => covers(part, x + 0.5, y + 0.5))).toHaveLength(isDrawn && !inBox ? 1 : 0)
          }
      }),
    )
  })
})
