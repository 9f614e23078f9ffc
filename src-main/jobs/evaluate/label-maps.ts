// Objects with masks as a picture of class labels, laid out like the encoder's input: 0 is background, category i is i + 1.
// Where masks overlap the later object is on top. Resampling is nearest, so that no label is invented between two.

import { LabError } from '../../domain/errors.ts'
import { columnsOf } from '../../domain/mask.ts'
import type { PreprocessSpec } from '../../domain/preprocess-spec.ts'
import type { ImageRef, ObjectsContent } from '../../domain/sample.ts'
import { placement } from '../../engine/preprocess/pipeline.ts'

/** Labels of the stored image's pixels, (height, width) row by row. Objects without a mask are left out. */
export function labelMap({ width, height }: ImageRef, { objects }: ObjectsContent, categories: readonly string[]): Uint16Array {
  const labels = new Uint16Array(width * height)
  for (const { category, mask } of objects) {
    if (mask === null) continue
    const label = categories.indexOf(category) + 1
    if (mask.size[0] !== height || mask.size[1] !== width)
      throw new LabError(
        'invalid-input',
        `a mask of ${category} has ${mask.size[1]}×${mask.size[0]} pixels, its image ${width}×${height}; import it again`,
      )
    for (const [x, top, , length] of columnsOf(mask)) for (let y = top; y < top + length; y++) labels[y * width + x] = label
  }
  return labels
}

/**
 * The map as the encoder sees it; what lies outside the image is background.
 * @param seen  side of what the patches cover, from the upper left; absent: all of the preprocessed picture
 */
export function preprocessLabels(labels: Uint16Array, image: ImageRef, preprocess: PreprocessSpec, seen?: number): Uint16Array {
  const { scale, offset, to } = placement(preprocess, image.width, image.height)
  const [width, height] = [seen ?? to.width, seen ?? to.height]
  const out = new Uint16Array(width * height)
  for (let y = 0; y < height; y++) {
    const fromY = Math.floor((y + 0.5 - offset.y) / scale.y)
    if (fromY < 0 || fromY >= image.height) continue
    for (let x = 0; x < width; x++) {
      const fromX = Math.floor((x + 0.5 - offset.x) / scale.x)
      if (fromX >= 0 && fromX < image.width) out[y * width + x] = labels[fromY * image.width + fromX]!
    }
  }
  return out
}
