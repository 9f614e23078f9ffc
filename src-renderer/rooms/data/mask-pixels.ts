// Masks as pixels to lay over an image. Run lengths are COCO's: down the columns, zeros first.

import type { Mask } from '../../../src-main/domain/sample.ts'

/** Paints the mask's pixels into RGBA of `width` × `height`, to which the mask is fitted when it has another size. */
export function paintMask(
  rgba: Uint8ClampedArray,
  width: number,
  height: number,
  { size: [rows, columns], counts }: Mask,
  colour: readonly [red: number, green: number, blue: number, alpha: number],
): void {
  const inside = new Uint8Array(rows * columns)
  let at = 0
  counts.forEach((run, i) => {
    if (i % 2 === 1) inside.fill(1, at, at + run)
    at += run
  })
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const row = Math.floor((y * rows) / height)
      const column = Math.floor((x * columns) / width)
      if (inside[column * rows + row] === 1) rgba.set(colour, 4 * (y * width + x))
    }
}
