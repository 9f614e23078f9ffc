// A folder per class: <class>/<image>, or <split>/<class>/<image>. Every image is one object of its class that fills it.

import { readdir } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import type { ImportEvent } from '../../domain/import-event.ts'
import type { AnnotatedObject } from '../../domain/sample.ts'
import { IMAGE_EXTENSIONS } from '../images/header.ts'
import type { FileContext } from './coco.ts'
import { splitOfWord } from './image-files.ts'
import { RowFault } from './row-fault.ts'

/** Paths of all images below `root`, relative to it, in the order of their names. Links to folders are not followed. */
export async function listImages(root: string, below = ''): Promise<string[]> {
  const entries = (await readdir(join(root, below), { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'))
  const sorted = entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  const paths: string[] = []
  for (const entry of sorted) {
    const path = join(below, entry.name)
    if (entry.isDirectory()) for (const image of await listImages(root, path)) paths.push(image)
    else if (IMAGE_EXTENSIONS.some((extension) => extension === extname(entry.name).toLowerCase())) paths.push(path)
  }
  return paths
}

export async function* readImageFolders(
  paths: readonly string[],
  { images, splitOf }: Pick<FileContext, 'images' | 'splitOf'>,
): AsyncGenerator<ImportEvent> {
  // "train" may be a split or a class of vehicles: folders that directly hold images are classes, unless all are splits.
  const isSplitsOnly = paths.every((path) => foldersOf(path).length < 2 && splitOfWord(foldersOf(path)[0] ?? '') !== null)
  for (const [i, path] of paths.entries()) {
    try {
      const image = await images.find(path, 'file')
      const folders = foldersOf(path)
      const category = isSplitsOnly ? undefined : folders.at(-1)
      if (category === undefined) throw new RowFault('class', 'a folder per class', path)
      const object: AnnotatedObject = { category, box: [0, 0, image.width, image.height], mask: null }
      yield {
        kind: 'sample',
        split: splitOf({}, folders.join('/')),
        source: path.split(sep).join('/'),
        image,
        content: { kind: 'objects', objects: [object] },
      }
    } catch (thrown) {
      if (!(thrown instanceof RowFault)) throw thrown
      yield { kind: 'fault', file: path, line: null, field: thrown.field, expected: thrown.expected, found: thrown.found }
    }
    if (i % 50 === 49) yield { kind: 'progress', done: i + 1 }
  }
}

function foldersOf(path: string): string[] {
  return path.split(sep).slice(0, -1)
}
