// Single-object crops for the linear probe: which annotated objects are fit for it, which of them are drawn, and their
// pixels. Rules, fixed so that a number can be repeated:
//   - not tiny: the box's shorter side is at least an eighth of the image's shorter side;
//   - not occluded: the other objects' boxes cover at most a quarter of the object's box;
//   - the crop is the box grown by a tenth on every side, to a square, moved into the image where it sticks out.

import { createRandom } from '../../domain/random.ts'
import type { Box, ImageRef, SampleOf } from '../../domain/sample.ts'
import type { RawImage } from '../../engine/preprocess/raw-image.ts'

const SMALLEST_SHARE = 1 / 8
const LARGEST_COVERED = 1 / 4
const MARGIN = 1 / 10

export interface ObjectCrop {
  /** Sample and place of the object in it. */
  readonly id: string
  readonly image: ImageRef
  readonly category: string
  /** Whole pixels of the stored image. */
  readonly square: { readonly left: number; readonly top: number; readonly side: number }
}

/** Every object that is fit for the probe. */
export function fitCrops(samples: readonly SampleOf<'objects'>[]): readonly ObjectCrop[] {
  return samples.flatMap(({ id, image, content: { objects } }) => {
    if (image === null) return []
    const smallest = Math.min(image.width, image.height) * SMALLEST_SHARE
    return objects.flatMap(({ category, box }, i): ObjectCrop[] => {
      const others = objects.filter((_, j) => j !== i).map((other) => other.box)
      if (Math.min(box[2], box[3]) < smallest || coveredShare(box, others) > LARGEST_COVERED) return []
      return [{ id: `${id}#${i}`, image, category, square: squareAround(box, image) }]
    })
  })
}

/** At most `perClass` crops of each category in `categories`, drawn by seed; in the order of categories, then of the data. */
export function drawCrops(
  crops: readonly ObjectCrop[],
  categories: readonly string[],
  perClass: number,
  seed: number,
  purpose: string,
): readonly ObjectCrop[] {
  return categories.flatMap((category) => {
    const own = crops.filter((crop) => crop.category === category)
    const order = createRandom(seed, 'evaluation', 'probe', purpose, category).shuffle(own.map((_, i) => i))
    return order
      .slice(0, perClass)
      .sort((a, b) => a - b)
      .map((i) => own[i]!)
  })
}

/** The square as a picture of its own. */
export function cropImage(image: RawImage, { left, top, side }: ObjectCrop['square']): RawImage {
  const data = new Uint8Array(side * side * 3)
  for (let y = 0; y < side; y++) {
    const from = ((top + y) * image.width + left) * 3
    data.set(image.data.subarray(from, from + side * 3), y * side * 3)
  }
  return { width: side, height: side, data }
}

function squareAround([x, y, width, height]: Box, image: ImageRef): ObjectCrop['square'] {
  const wanted = Math.ceil(Math.max(width, height) * (1 + 2 * MARGIN))
  const side = Math.max(1, Math.min(wanted, image.width, image.height))
  const within = (centre: number, size: number) => Math.min(Math.max(0, Math.round(centre - side / 2)), size - side)
  return { left: within(x + width / 2, image.width), top: within(y + height / 2, image.height), side }
}

/** Share of the box that the other boxes cover, at most 1; where two of them overlap it counts twice, on the safe side. */
function coveredShare([x, y, width, height]: Box, others: readonly Box[]): number {
  const overlap = (from: number, size: number, otherFrom: number, otherSize: number) =>
    Math.max(0, Math.min(from + size, otherFrom + otherSize) - Math.max(from, otherFrom))
  const covered = others.reduce((sum, [ox, oy, ow, oh]) => sum + overlap(x, width, ox, ow) * overlap(y, height, oy, oh), 0)
  return Math.min(1, covered / (width * height))
}
