// Tars: the lab's archive, and WebDataset. Entries are written one at a time, so memory holds one image.

import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { extname, join } from 'node:path'
import { pack, type Pack } from 'tar-stream'
import type { ImageRef } from '../../domain/sample.ts'
import { imageName, type ExportPlace } from '../export-data-job.ts'
import { ARCHIVE_HEADER } from '../import/tar-datasets.ts'
import { conversationsOf, labFields, type SampleWriter } from './sample-writer.ts'

interface TarFile {
  add(name: string, bytes: Uint8Array | string): Promise<void>
  end(): Promise<void>
}

export function openTar(path: string): TarFile {
  const tar: Pack = pack()
  const file = createWriteStream(path)
  const failed = new Promise<never>((_, reject) => {
    file.once('error', reject)
    tar.once('error', reject)
  })
  failed.catch(() => {})
  tar.pipe(file)
  return {
    add: (name, bytes) =>
      Promise.race([
        new Promise<void>((resolve, reject) => {
          const body = Buffer.from(bytes)
          // The same tar from the same samples: no time of writing.
          tar.entry({ name, size: body.length, mtime: new Date(0), mode: 0o644 }, body, (error) => (error ? reject(error) : resolve()))
        }),
        failed,
      ]),
    async end() {
      tar.finalize()
      await Promise.race([once(file, 'close'), failed])
    },
  }
}

export async function openArchiveWriter(place: ExportPlace): Promise<SampleWriter> {
  const tar = openTar(join(place.folder, `${fileName(place.name)}.tar`))
  await tar.add(ARCHIVE_HEADER, JSON.stringify({ format: 'pivot-lab dataset', version: 1, name: place.name, kinds: [], samples: 0 }))
  const told = new Set<string>()
  let count = 0
  return {
    async write({ image, ...sample }, tags) {
      if (image !== null && !told.has(image.sha256)) {
        told.add(image.sha256)
        await tar.add(imageName(image), await place.imageBytes(image))
      }
      count += 1
      const line = { ...sample, image: image && { sha256: image.sha256 }, tags }
      await tar.add(`samples/${String(count).padStart(8, '0')}.json`, JSON.stringify(line))
    },
    end: () => tar.end(),
  }
}

export async function openWebDatasetWriter(place: ExportPlace): Promise<SampleWriter> {
  const tar = openTar(join(place.folder, `${fileName(place.name)}.tar`))
  let count = 0
  return {
    async write(sample, tags) {
      count += 1
      const key = String(count).padStart(8, '0')
      const { content } = sample
      const row =
        content.kind === 'conversations'
          ? { conversations: conversationsOf(content) }
          : content.kind === 'preferences'
            ? { prompt: content.prompt, chosen: content.chosen, rejected: content.rejected }
            : content.kind === 'questions'
              ? { question: content.question, answer: content.answer }
              : {}
      if (sample.image !== null) await tar.add(`${key}${extensionOf(sample.image)}`, await place.imageBytes(sample.image))
      await tar.add(`${key}.json`, JSON.stringify({ ...labFields(sample, tags), ...row }))
    },
    end: () => tar.end(),
  }
}

const extensionOf = (image: ImageRef) => extname(image.path).toLowerCase()
const fileName = (name: string) => name.replace(/[^\w.-]+/g, '-') || 'dataset'
