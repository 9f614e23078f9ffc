// Which numbers of a map over an image's tokens stand for patches.

import { expect, it } from 'vitest'
import { mapOfPatches } from '../../../src-main/jobs/evaluate/measured-model.ts'

const map = (...values: number[]) => Float64Array.from(values)

it.each([
  ['patches alone', 4, map(1, 2, 3, 4)],
  ['a class token before them', 5, map(9, 1, 2, 3, 4)],
  ['image_newline after them', 4, map(1, 2, 3, 4, 8)],
  ['both', 5, map(9, 1, 2, 3, 4, 8)],
])('%s', (_, numImageFeatures, values) => {
  expect(mapOfPatches({ numImageFeatures, numPatches: 4 }, values)).toEqual(map(1, 2, 3, 4))
})
