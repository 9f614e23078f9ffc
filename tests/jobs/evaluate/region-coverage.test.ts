// A region is scored as what it covers, whether it was drawn as a box or by brush, through every preprocessing.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { maskOfPixels } from '../../../src-main/domain/mask.ts'
import type { PreprocessSpec } from '../../../src-main/domain/preprocess-spec.ts'
import type { Box, ImageRef, Mask } from '../../../src-main/domain/sample.ts'
import { regionCoverage } from '../../../src-main/jobs/evaluate/localisation.ts'
import { refusal } from '../../support/refusal.ts'

const image: ImageRef = { sha256: 'a'.repeat(64), path: 'x.png', width: 20, height: 12 }
const SIDE = 16
const seenBy = (preprocess: PreprocessSpec) =>
  ({ preprocess, grid: { rows: 4, columns: 4 }, model: { spec: { visionEncoder: { imageSize: SIDE, patchSize: SIDE / 4 } } } }) as Parameters<typeof regionCoverage>[0]
const specs: readonly PreprocessSpec[] = [
  [{ op: 'resize', width: SIDE, height: SIDE, resample: 'bicubic' }],
  [{ op: 'resize-shortest-edge', size: SIDE, resample: 'bilinear' }, { op: 'center-crop', width: SIDE, height: SIDE }],
]

/** The pixels of a box with whole corners. */
function painted([left, top, width, height]: Box): Mask {
  const pixels = new Uint8Array(image.width * image.height)
  for (let y = top; y < top + height; y++) pixels.fill(1, y * image.width + left, y * image.width + left + width)
  return maskOfPixels(pixels, image.width, image.height)
}
const anyBox = fc.tuple(fc.nat(12), fc.nat(7), fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 5 })).map((box): Box => box)

it('a painted box covers what the box covers, alone and with others that overlap', () => {
  for (const spec of specs)
    fc.assert(
      fc.property(fc.array(anyBox, { minLength: 1, maxLength: 3 }), (boxes) => {
        const seen = seenBy(spec)
        const [asBoxes, asMasks, mixed] = [boxes, boxes.map(painted), boxes.map((box, i) => (i === 0 ? box : painted(box)))].map((region) => regionCoverage(seen, image, region))
        for (const covered of [asMasks, mixed]) {
          if (asBoxes === null) expect(covered).toBeNull()
          else asBoxes!.forEach((share, patch) => expect(covered![patch]).toBeCloseTo(share, 12))
        }
      }),
    )
})

it('a mask of another size than its image is refused', () => {
  expect(refusal(() => regionCoverage(seenBy(specs[0]!), image, [{ size: [2, 3], counts: [2, 4] }]))).toBe('invalid-input')
})
