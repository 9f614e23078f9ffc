// Masks as pixels to lay over an image.

import { pixelsOf } from '../../../src-main/domain/mask.ts'
import type { Mask } from '../../../src-main/domain/sample.ts'

/** Paints the mask's pixels into RGBA of `width` × `height`, to which the mask is fitted when it has another size. */
export function paintMask(
  rgba: Uint8ClampedArray,
  width: number,
  height: number,
  mask: Mask,
  colour: readonly [red: number, green: number, blue: number, alpha: number],
): void {
  const [rows, columns] = mask.size
  const inside = pixelsOf(mask)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const row = Math.floor((y * rows) / height)
      const column = Math.floor((x * columns) / width)
      if (inside[row * columns + column] === 1) rgba.set(colour, 4 * (y * width + x))
    }
}
