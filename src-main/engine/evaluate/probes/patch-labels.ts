// From a pixel mask to labels of patches, as github.com/iancovert/patch-seg reduces annotations (arXiv 2410.11087). The mask
// has been cropped and resized like the image before it comes here; class 0 is "unlabelled".

import { LabError } from '../../../domain/errors.ts'
import type { PatchGrid } from '../measures/localisation.ts'

/** The most frequent class of each patch, the lower one at ties, (P). */
export function majorityLabels(
  mask: ArrayLike<number>,
  image: { readonly width: number; readonly height: number },
  grid: PatchGrid,
  classes: number,
): Int32Array {
  const counts = classCounts(mask, image, grid, classes)
  return Int32Array.from({ length: grid.rows * grid.columns }, (_, patch) => {
    let best = 0
    for (let c = 1; c < classes; c++) if (counts[patch * classes + c]! > counts[patch * classes + best]!) best = c
    return best
  })
}

/** 1 for every class present anywhere in the patch, (P, C); "unlabelled" only where it is alone. */
export function unionLabels(
  mask: ArrayLike<number>,
  image: { readonly width: number; readonly height: number },
  grid: PatchGrid,
  classes: number,
): Uint8Array {
  const present = Uint8Array.from(classCounts(mask, image, grid, classes), (count) => (count > 0 ? 1 : 0))
  for (let patch = 0; patch < grid.rows * grid.columns; patch++) {
    const row = present.subarray(patch * classes, (patch + 1) * classes)
    if (row.subarray(1).includes(1)) row[0] = 0
  }
  return present
}

/** Pixels of each class in each patch, (P, C). */
function classCounts(
  mask: ArrayLike<number>,
  { width, height }: { readonly width: number; readonly height: number },
  grid: PatchGrid,
  classes: number,
): Float64Array {
  if (mask.length !== width * height)
    throw new LabError('invalid-input', `mask: expected ${width} × ${height} pixels, got ${mask.length}`)
  if (width % grid.columns !== 0 || height % grid.rows !== 0)
    throw new LabError(
      'invalid-input',
      `mask: expected whole patches, got ${width} × ${height} pixels for ${grid.columns} × ${grid.rows} patches. ` +
        'Resize the mask as the image was.',
    )
  const [patchWidth, patchHeight] = [width / grid.columns, height / grid.rows]
  const counts = new Float64Array(grid.rows * grid.columns * classes)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const label = mask[y * width + x]!
      if (!Number.isInteger(label) || label < 0 || label >= classes)
        throw new LabError('invalid-input', `mask: expected classes 0 … ${classes - 1}, got ${label} at pixel (${x}, ${y})`)
      counts[(Math.floor(y / patchHeight) * grid.columns + Math.floor(x / patchWidth)) * classes + label]!++
    }
  return counts
}
