// COCO's object annotations: images, categories, annotations with boxes and masks in any of its notations. A faulty
// annotation is left out and named; its image keeps the others. Crowds (iscrowd) are no single objects and are not read.

import type { ImportEvent, ImportedImage } from '../../domain/import-event.ts'
import type { AnnotatedObject, Box } from '../../domain/sample.ts'
import type { ImageFiles } from './image-files.ts'
import { maskOf } from './masks.ts'
import { isRow, RowFault, textOf, type Row } from './row-fault.ts'

export interface CocoFile {
  readonly images: readonly unknown[]
  readonly annotations: readonly unknown[]
  readonly categories: readonly unknown[]
}

export function isCocoFile(value: unknown): value is CocoFile & Row {
  return (
    isRow(value) && Array.isArray(value['images']) && Array.isArray(value['annotations']) && Array.isArray(value['categories'])
  )
}

/** What the reader of a file gives to a format: its name in messages, its size, its images, the split of a path. */
export interface FileContext {
  readonly name: string
  readonly bytes: number
  readonly images: ImageFiles
  readonly splitOf: (row: Row, imagePath: string | null) => 'train' | 'validation' | 'test'
}

export async function* readCoco(coco: CocoFile, { name, bytes, images, splitOf }: FileContext): AsyncGenerator<ImportEvent> {
  const fault = (line: number, thrown: unknown): ImportEvent => {
    if (!(thrown instanceof RowFault)) throw thrown
    return { kind: 'fault', file: name, line, field: thrown.field, expected: thrown.expected, found: thrown.found }
  }
  const categories = new Map<unknown, string>()
  for (const [i, category] of coco.categories.entries()) {
    if (isRow(category) && typeof category['name'] === 'string') categories.set(category['id'], category['name'])
    else yield fault(i + 1, new RowFault(`categories[${i}]`, 'an id and a name', category))
  }
  const byImage = Map.groupBy(coco.annotations.entries(), ([, annotation]) =>
    isRow(annotation) ? annotation['image_id'] : undefined,
  )
  const imageIds = new Set(coco.images.map((image) => (isRow(image) ? image['id'] : undefined)))
  for (const [id, annotations] of byImage)
    if (!imageIds.has(id))
      for (const [i] of annotations) yield fault(i + 1, new RowFault(`annotations[${i}].image_id`, 'the id of an image', id))

  for (const [i, row] of coco.images.entries()) {
    try {
      if (!isRow(row)) throw new RowFault(`images[${i}]`, 'a JSON object', row)
      const path = textOf(row, 'file_name')
      const image = await images.find(path, `images[${i}].file_name`)
      for (const side of ['width', 'height'] as const)
        if (row[side] !== undefined && row[side] !== image[side])
          throw new RowFault(`images[${i}].${side}`, `${image[side]}, as the file says`, row[side])
      const objects: AnnotatedObject[] = []
      for (const [at, annotation] of byImage.get(row['id']) ?? []) {
        try {
          const object = objectOf(annotation, `annotations[${at}]`, image, categories)
          if (object !== null) objects.push(object)
        } catch (thrown) {
          yield fault(at + 1, thrown)
        }
      }
      // The lab's own files say whose picture it is; others number them.
      const source = typeof row['source'] === 'string' ? row['source'] : row['id'] === undefined ? path : String(row['id'])
      yield { kind: 'sample', split: splitOf(row, path), source, image, content: { kind: 'objects', objects } }
    } catch (thrown) {
      yield fault(i + 1, thrown)
    }
    if (i % 50 === 49) yield { kind: 'progress', done: Math.round((bytes * (i + 1)) / coco.images.length) }
  }
}

function objectOf(
  annotation: unknown,
  where: string,
  { width, height }: ImportedImage,
  categories: ReadonlyMap<unknown, string>,
): AnnotatedObject | null {
  if (!isRow(annotation)) throw new RowFault(where, 'a JSON object', annotation)
  if (annotation['iscrowd'] === 1) return null
  const category = categories.get(annotation['category_id'])
  if (category === undefined) throw new RowFault(`${where}.category_id`, 'the id of a category', annotation['category_id'])
  return {
    category,
    box: boxOf(annotation['bbox'], `${where}.bbox`, width, height),
    mask: maskOf(annotation['segmentation'], width, height, `${where}.segmentation`),
  }
}

/** Published boxes stick out by a fraction of a pixel; a box that lies outside altogether is a mistake. */
function boxOf(value: unknown, where: string, width: number, height: number): Box {
  if (
    !Array.isArray(value) ||
    value.length !== 4 ||
    !value.every((each): each is number => typeof each === 'number' && Number.isFinite(each))
  )
    throw new RowFault(where, 'four numbers: x, y, width, height', value)
  const [x, y, w, h] = value as [number, number, number, number]
  if (w <= 0 || h <= 0 || x >= width || y >= height || x + w <= 0 || y + h <= 0)
    throw new RowFault(where, `a box within ${width} × ${height} pixels`, value)
  return [x, y, w, h]
}
