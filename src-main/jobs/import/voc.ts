// PASCAL VOC's boxes: a folder of XML files, one a picture, with names and corners that count from 1 and include both ends.

import { readFile, readdir } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import type { ImportEvent } from '../../domain/import-event.ts'
import type { AnnotatedObject, Split } from '../../domain/sample.ts'
import type { FileContext } from './coco.ts'
import { splitOfWord } from './image-files.ts'
import { RowFault } from './row-fault.ts'

const MAX_XML_BYTES = 10_000_000

/** The XML files of a folder that are annotations; [] when it is none of this kind. Looks into Annotations too. */
export async function vocFiles(root: string): Promise<readonly string[]> {
  for (const folder of ['Annotations', 'annotations', '.']) {
    const names = await readdir(join(root, folder)).catch(() => [])
    const files = names.filter((name) => extname(name).toLowerCase() === '.xml').sort()
    if (files.length > 0) return files.map((name) => join(folder, name))
  }
  return []
}

export async function* readVoc(
  root: string,
  files: readonly string[],
  { images, splitOf }: Pick<FileContext, 'images' | 'splitOf'>,
): AsyncGenerator<ImportEvent> {
  const listed = await listedSplits(root)
  for (const [i, path] of files.entries()) {
    try {
      const text = await readFile(join(root, path), 'utf8')
      if (text.length > MAX_XML_BYTES || !/<annotation[\s>]/.test(text)) throw new RowFault('annotation', 'an XML annotation', text.slice(0, 40))
      const name = elementOf(text, 'filename')
      if (name === null) throw new RowFault('filename', 'the name of a picture', undefined)
      const image = await pictureOf(name)
      const objects = elementsOf(text, 'object').map((object, at) => objectOf(object, `object[${at}]`, image.width, image.height))
      const stem = basename(name, extname(name))
      yield {
        kind: 'sample',
        split: listed.get(stem) ?? splitOf({}, name),
        source: stem,
        image,
        content: { kind: 'objects', objects },
      }
    } catch (thrown) {
      if (!(thrown instanceof RowFault)) throw thrown
      yield { kind: 'fault', file: path, line: null, field: thrown.field, expected: thrown.expected, found: thrown.found }
    }
    if (i % 50 === 49) yield { kind: 'progress', done: i + 1 }
  }

  async function pictureOf(name: string) {
    for (const folder of ['JPEGImages', 'images']) {
      const found = await images.find(join(folder, name), 'filename').catch(() => null)
      if (found !== null) return found
    }
    return images.find(name, 'filename')
  }
}

/** Which pictures ImageSets/Main lists for train, val and test. */
async function listedSplits(root: string): Promise<ReadonlyMap<string, Split>> {
  const splits = new Map<string, Split>()
  const folder = join(root, 'ImageSets', 'Main')
  for (const name of await readdir(folder).catch(() => [])) {
    const split = extname(name) === '.txt' ? splitOfWord(basename(name, '.txt')) : null
    if (split === null) continue
    for (const line of (await readFile(join(folder, name), 'utf8')).split('\n')) {
      const stem = line.trim().split(/\s+/)[0]
      if (stem) splits.set(stem, split)
    }
  }
  return splits
}

function objectOf(xml: string, where: string, width: number, height: number): AnnotatedObject {
  const category = elementOf(xml, 'name')
  if (category === null) throw new RowFault(`${where}.name`, 'a category', undefined)
  const box = elementOf(xml, 'bndbox') ?? ''
  const corners = ['xmin', 'ymin', 'xmax', 'ymax'].map((name) => Number(elementOf(box, name) ?? NaN))
  const [left, top, right, bottom] = corners as [number, number, number, number]
  if (!corners.every(Number.isFinite) || right < left || bottom < top || left > width || top > height)
    throw new RowFault(`${where}.bndbox`, `corners within ${width} × ${height} pixels`, corners)
  return { category, box: [left - 1, top - 1, right - left + 1, bottom - top + 1], mask: null }
}

/** The texts between the tags of a name, one level deep: annotations do not nest elements of the same name. */
function elementsOf(xml: string, name: string): string[] {
  const found: string[] = []
  const [open, close] = [`<${name}>`, `</${name}>`]
  for (let at = xml.indexOf(open); at >= 0; at = xml.indexOf(open, at)) {
    const end = xml.indexOf(close, at)
    if (end < 0) break
    found.push(xml.slice(at + open.length, end))
    at = end + close.length
  }
  return found
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function elementOf(xml: string, name: string): string | null {
  const text = elementsOf(xml, name)[0]?.trim()
  return text === undefined || text === '' ? null : text.replace(/&(amp|lt|gt|quot|apos);/g, (_, entity: string) => ENTITIES[entity]!)
}
