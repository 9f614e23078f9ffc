// Laws of label maps: masks land where their objects are, through every preprocessing.

import { expect, it } from 'vitest'
import type { PreprocessSpec } from '../../../src-main/domain/preprocess-spec.ts'
import type { ImageRef, Mask } from '../../../src-main/domain/sample.ts'
import { labelMap, preprocessLabels } from '../../../src-main/jobs/evaluate/label-maps.ts'
import { refusal } from '../../support/refusal.ts'

const image = (width: number, height: number): ImageRef => ({ sha256: 'a'.repeat(64), path: 'x.png', width, height })
const objects = (...masks: (readonly [string, Mask])[]) => ({
  kind: 'objects' as const,
  objects: masks.map(([category, mask]) => ({ category, box: [0, 0, 1, 1] as [number, number, number, number], mask })),
})

it('runs go down the columns, zeros first; where masks overlap the later object is on top', () => {
  // 3 wide, 2 high: the first mask is the middle column and the last column's upper pixel, the second the last column.
  const content = objects(['cat', { size: [2, 3], counts: [2, 3, 1] }], ['ant', { size: [2, 3], counts: [4, 2] }])
  expect([...labelMap(image(3, 2), content, ['ant', 'cat'])]).toEqual([0, 2, 1, 0, 2, 1])
})

it('a mask of another size than its image is refused', () => {
  expect(refusal(() => labelMap(image(3, 3), objects(['cat', { size: [2, 3], counts: [6] }]), ['cat']))).toBe('invalid-input')
})

it('a resize keeps every label in its share of the picture', () => {
  const spec: PreprocessSpec = [{ op: 'resize', width: 4, height: 2, resample: 'bicubic' }]
  expect([...preprocessLabels(Uint16Array.of(1, 2), image(2, 1), spec)]).toEqual([1, 1, 2, 2, 1, 1, 2, 2])
})

it('a crop moves labels as it moves pixels, and what it adds around a small image is background', () => {
  const spec: PreprocessSpec = [{ op: 'center-crop', width: 4, height: 1 }]
  expect([...preprocessLabels(Uint16Array.of(1, 2, 3, 4, 5, 6), image(6, 1), spec)]).toEqual([2, 3, 4, 5])
  expect([...preprocessLabels(Uint16Array.of(1, 2), image(2, 1), spec)]).toEqual([0, 1, 2, 0])
})
