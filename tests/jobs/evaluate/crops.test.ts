// Laws of the probe's crops: what is fit, what is cut, who is drawn.

import { expect, it } from 'vitest'
import type { Box, SampleOf } from '../../../src-main/domain/sample.ts'
import { cropImage, drawCrops, fitCrops, type ObjectCrop } from '../../../src-main/jobs/evaluate/crops.ts'

const sha256 = 'a'.repeat(64)
function aScene(boxes: readonly Box[], width = 64, height = 64): SampleOf<'objects'> {
  const objects = boxes.map((box, i) => ({ category: `class ${i}`, box, mask: null }))
  return {
    id: 'scene',
    split: 'test',
    source: null,
    image: { sha256, path: 'x.png', width, height },
    content: { kind: 'objects', objects },
  }
}
const squares = (...boxes: Box[]) => fitCrops([aScene(boxes)]).map(({ square }) => square)

it('the crop is a square around the box with a tenth of margin on every side', () => {
  expect(squares([20, 25, 20, 10])).toEqual([{ left: 18, top: 18, side: 24 }])
})

it('a crop that would stick out is moved in, and one that is too large for the image is as large as the image', () => {
  expect(squares([0, 50, 10, 14])).toEqual([{ left: 0, top: 47, side: 17 }])
  expect(fitCrops([aScene([[0, 0, 64, 30]], 64, 32)]).map(({ square }) => square)).toEqual([{ left: 16, top: 0, side: 32 }])
})

it('tiny objects are left out: the shorter side must be an eighth of the image’s shorter side', () => {
  expect(squares([10, 10, 30, 7])).toEqual([])
  expect(squares([10, 10, 30, 8])).toHaveLength(1)
})

it('occluded objects are left out: others may cover a quarter of the box and no more', () => {
  const [whole, over]: [Box, Box] = [
    [0, 0, 20, 20],
    [0, 0, 10, 10],
  ]
  // The small one is covered altogether, the large one by exactly a quarter.
  expect(fitCrops([aScene([whole, over])]).map(({ category }) => category)).toEqual(['class 0'])
  expect(fitCrops([aScene([whole, [0, 0, 11, 10]])])).toEqual([])
})

it('cuts exactly the pixels of the square', () => {
  const image = { width: 3, height: 3, data: Uint8Array.from({ length: 27 }, (_, i) => i) }
  expect(cropImage(image, { left: 1, top: 1, side: 2 })).toEqual({
    width: 2,
    height: 2,
    data: Uint8Array.of(12, 13, 14, 15, 16, 17, 21, 22, 23, 24, 25, 26),
  })
})

it('draws as many of each class as asked for, by seed, and all of a class that has fewer', () => {
  const crops = ['a', 'b'].flatMap((category) =>
    Array.from({ length: category === 'a' ? 30 : 2 }, (_, i): ObjectCrop => {
      const image = { sha256, path: 'x.png', width: 64, height: 64 }
      return { id: `${category}${i}`, image, category, square: { left: 0, top: 0, side: 8 } }
    }),
  )
  const ids = (seed: number) => drawCrops(crops, ['b', 'a'], 5, seed, 'test').map(({ id }) => id)
  expect(ids(0)).toHaveLength(7)
  expect(ids(0).slice(0, 2)).toEqual(['b0', 'b1'])
  expect(ids(0)).toEqual(ids(0))
  expect(ids(0)).not.toEqual(ids(1))
})
