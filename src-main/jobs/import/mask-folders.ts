// Pictures beside label maps: PASCAL VOC's JPEGImages and SegmentationClass, ADE20K's images and annotations, and folders of
// that kind. A map is a PNG of the same size: grey n, or in a coloured one VOC's colour n, is class n; 0 is
// background, and white-ish 255 is "no matter". One object a class and picture, as its mask.

import { readFile } from 'node:fs/promises'
import { basename, extname, join, sep } from 'node:path'
import type { ImportEvent } from '../../domain/import-event.ts'
import { runLengths } from '../../domain/mask.ts'
import type { AnnotatedObject } from '../../domain/sample.ts'
import { LabError } from '../../domain/errors.ts'
import type { RawImage } from '../../engine/preprocess/raw-image.ts'
import { decodeImage } from '../images/codec.ts'
import type { FileContext } from './coco.ts'
import { RowFault } from './row-fault.ts'

const PICTURE_FOLDERS = ['images', 'jpegimages', 'image', 'img']
const MAP_FOLDERS = ['segmentationclass', 'annotations', 'masks', 'mask', 'labels', 'annotation']
const NAME_FILES = ['classes.txt', 'labels.txt', 'objectInfo150.txt', 'class_names.txt']

export interface MaskPair {
  readonly picture: string
  readonly map: string
}

/** Each picture with the map of the same name, by the folders they lie in. @param paths  relative, with the system's separator */
export function maskPairs(paths: readonly string[]): readonly MaskPair[] {
  const folderOf = (path: string, names: readonly string[]) => path.split(sep).findLastIndex((part, i, parts) => i < parts.length - 1 && names.includes(part.toLowerCase()))
  /** The path without extension, and with the telling folder left out, so that images/a/1 meets annotations/a/1. */
  const keyOf = (path: string, at: number) => {
    const parts = path.split(sep)
    return [...parts.slice(0, at), ...parts.slice(at + 1, -1), basename(path, extname(path))].join('/')
  }
  const maps = new Map<string, string>()
  for (const path of paths) {
    const at = folderOf(path, MAP_FOLDERS)
    if (at >= 0 && extname(path).toLowerCase() === '.png') maps.set(keyOf(path, at), path)
  }
  return paths.flatMap((picture) => {
    const at = folderOf(picture, PICTURE_FOLDERS)
    const map = at < 0 || folderOf(picture, MAP_FOLDERS) >= 0 ? undefined : maps.get(keyOf(picture, at))
    return map === undefined ? [] : [{ picture, map }]
  })
}

export async function* readMaskFolders(
  root: string,
  pairs: readonly MaskPair[],
  { images, splitOf }: Pick<FileContext, 'images' | 'splitOf'>,
): AsyncGenerator<ImportEvent> {
  const names = await classNames(root)
  for (const [i, { picture, map }] of pairs.entries()) {
    try {
      const image = await images.find(picture, 'image')
      // Found as every other file is: inside the root, whole, no link out of it.
      const { file } = await images.find(map, 'mask')
      const bytes = await readFile(file)
      const labels = await decodeImage(bytes, { name: map }).catch((thrown: unknown) => {
        if (thrown instanceof LabError) throw new RowFault('mask', 'a whole PNG', map, thrown.message)
        throw thrown
      })
      if (labels.width !== image.width || labels.height !== image.height)
        throw new RowFault('mask', `${image.width} × ${image.height} pixels, as the picture has`, map, `${labels.width} × ${labels.height}`)
      yield {
        kind: 'sample',
        split: splitOf({}, picture),
        source: picture.split(sep).join('/'),
        image,
        content: { kind: 'objects', objects: objectsOfMap(labels, names, isGreyPng(bytes)) },
      }
    } catch (thrown) {
      if (!(thrown instanceof RowFault)) throw thrown
      yield { kind: 'fault', file: picture, line: null, field: thrown.field, expected: thrown.expected, found: thrown.found }
    }
    if (i % 20 === 19) yield { kind: 'progress', done: i + 1 }
  }
}

/** Line n names class n (ADE20K's table: its last column). */
async function classNames(root: string): Promise<ReadonlyMap<number, string>> {
  for (const name of NAME_FILES) {
    const text = await readFile(join(root, name), 'utf8').catch(() => null)
    if (text === null) continue
    const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
    const named = lines.flatMap((line, i): [number, string][] => {
      const cells = line.split('\t').map((cell) => cell.trim())
      if (cells.length === 1) return [[i + 1, cells[0]!]]
      return /^\d+$/.test(cells[0]!) ? [[Number(cells[0]), cells.at(-1)!]] : []
    })
    return new Map(named)
  }
  return new Map()
}

/** Objects of a label map, in the order of their classes. */
export function objectsOfMap({ width, height, data }: RawImage, names: ReadonlyMap<number, string>, isGrey: boolean): AnnotatedObject[] {
  const classes = new Map<number, number>()
  const labels = new Int32Array(width * height)
  for (let i = 0; i < labels.length; i++) {
    const colour = (data[3 * i]! << 16) | (data[3 * i + 1]! << 8) | data[3 * i + 2]!
    let label = classes.get(colour)
    if (label === undefined) {
      label = isGrey ? colour & 255 : classOfColour(colour)
      classes.set(colour, label)
    }
    labels[i] = label
  }
  return [...new Set(classes.values())]
    .filter((label) => label !== 0 && label !== VOID)
    .sort((a, b) => a - b)
    .map((label) => {
      const columns = new Uint8Array(width * height)
      let [left, top, right, bottom] = [width, height, -1, -1]
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
          if (labels[y * width + x] === label) {
            columns[x * height + y] = 1
            left = Math.min(left, x)
            right = Math.max(right, x)
            top = Math.min(top, y)
            bottom = Math.max(bottom, y)
          }
      return {
        category: names.get(label) ?? nameOf(label),
        box: [left, top, right - left + 1, bottom - top + 1],
        mask: { size: [height, width], counts: runLengths(columns) },
      }
    })
}

const VOID = 255
/** Colours that are no grey and none of VOC's are classes of their own, named by the colour. */
const OWN_COLOUR = 1 << 24

const nameOf = (label: number) => (label >= OWN_COLOUR ? `#${(label - OWN_COLOUR).toString(16).padStart(6, '0')}` : `class ${label}`)

/** Colour types 0 and 4 of the header are grey: the same grey in a coloured map is VOC's colour of another class. */
const isGreyPng = (bytes: Uint8Array) => bytes[25] === 0 || bytes[25] === 4

function classOfColour(colour: number): number {
  const [r, g, b] = [colour >> 16, (colour >> 8) & 255, colour & 255]
  // VOC's colour map: bit k of r, g, b are bits 3k', 3k'+1, 3k'+2 of the class, most significant first.
  let label = 0
  for (let k = 0; k < 8; k++) {
    const at = 7 - k
    label |= ((r >> at) & 1) << (3 * k)
    label |= ((g >> at) & 1) << (3 * k + 1)
    label |= ((b >> at) & 1) << (3 * k + 2)
  }
  return label <= VOID ? label : OWN_COLOUR + colour
}
