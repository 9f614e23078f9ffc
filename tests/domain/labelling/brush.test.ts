import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BRUSH, brushRadius, brushSize, stroke, type Bitmap } from '../../../src-main/domain/labelling/brush.ts'

const blank = (width: number, height: number): Bitmap => ({ width, height, pixels: new Uint8Array(width * height) })
const painted = ({ pixels }: Bitmap) => pixels.reduce((sum, value) => sum + value, 0)

describe('a brush', () => {
  it('paints a disc where it is put down, and a stadium along its way', () => {
    const bitmap = blank(200, 200)
    stroke(bitmap, { x: 50, y: 50 }, { x: 50, y: 50 }, 20, 1)
    expect(Math.abs(painted(bitmap) / (Math.PI * 20 ** 2) - 1)).toBeLessThan(0.01)
    const long = blank(200, 200)
    stroke(long, { x: 50, y: 60 }, { x: 110, y: 140 }, 10, 1)
    // The way is 100 long: 100 · 20 and a disc at its ends.
    expect(Math.abs(painted(long) / (2000 + Math.PI * 100) - 1)).toBeLessThan(0.01)
  })

  it('leaves nothing that the eraser has gone over the same way', () => {
    const bitmap = blank(40, 30)
    stroke(bitmap, { x: 5, y: 5 }, { x: 30, y: 20 }, 4, 1)
    stroke(bitmap, { x: 30, y: 20 }, { x: 5, y: 5 }, 4, 0)
    expect(painted(bitmap)).toBe(0)
  })

  it('as fine as can be still marks the pixel under it, and off the picture it marks none', () => {
    const bitmap = blank(8, 8)
    stroke(bitmap, { x: 3.9, y: 3.05 }, { x: 3.9, y: 3.05 }, 0.1, 1)
    expect(bitmap.pixels[3 * 8 + 3]).toBe(1)
    expect(stroke(bitmap, { x: -50, y: 3 }, { x: -40, y: 3 }, 5, 1)).toBeNull()
    expect(painted(bitmap)).toBe(1)
  })

  it('tells a box that holds all it changed, within the picture', () => {
    const place = fc.record({ x: fc.double({ min: -5, max: 25, noNaN: true }), y: fc.double({ min: -5, max: 20, noNaN: true }) })
    fc.assert(
      fc.property(place, place, fc.double({ min: 0.1, max: 9, noNaN: true }), (from, to, radius) => {
        const bitmap = blank(20, 15)
        const part = stroke(bitmap, from, to, radius, 1)
        bitmap.pixels.forEach((value, i) => {
          if (value === 0) return
          const [x, y] = [i % 20, Math.floor(i / 20)]
          expect(part![0] <= x && x < part![0] + part![2] && part![1] <= y && y < part![1] + part![3]).toBe(true)
        })
        if (part !== null) expect(part[0] >= 0 && part[1] >= 0 && part[0] + part[2] <= 20 && part[1] + part[3] <= 15).toBe(true)
      }),
    )
  })

  it('grows and shrinks by the same steps, within its bounds, and is as wide on every picture', () => {
    expect(brushSize(brushSize(BRUSH.first, 3), -3)).toBeCloseTo(BRUSH.first, 12)
    expect(brushSize(BRUSH.first, 1000)).toBe(BRUSH.most)
    expect(brushSize(BRUSH.first, -1000)).toBe(BRUSH.least)
    expect(brushRadius(0.1, { width: 400, height: 200 })).toBe(10)
    expect(brushRadius(BRUSH.least, { width: 64, height: 64 })).toBe(0.5)
  })
})
