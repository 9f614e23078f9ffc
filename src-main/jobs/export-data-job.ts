// Samples written in the formats that others read. Text streams out sample by sample; images lie beside it under their hash,
// or stay where they are. The folder appears whole or not at all.

import { once } from 'node:events'
import { createReadStream, createWriteStream, existsSync, type WriteStream } from 'node:fs'
import { copyFile, readFile, rename, rm } from 'node:fs/promises'
import { dirname, extname, isAbsolute, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import type { DataJobOf } from '../domain/data-job.ts'
import { EXPORT_FORMAT_TABLE } from '../domain/data-export.ts'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent } from '../domain/job.ts'
import { makeFolder } from './files.ts'
import { parse } from '../domain/parse.ts'
import { sampleSchema, type ImageRef, type Sample } from '../domain/sample.ts'
import { openSampleWriter, type SampleWriter } from './export-data/sample-writer.ts'

export const exportedLineSchema = z.strictObject({ sample: sampleSchema, tags: z.array(z.string()) })
export type ExportedLine = z.output<typeof exportedLineSchema>

/** What a format's writer is given. */
export interface ExportPlace {
  readonly folder: string
  readonly name: string
  /** Puts the image beside the data, and gives its path as the data should name it; null without an image. */
  imagePath(sample: Sample): Promise<string | null>
  imageBytes(image: ImageRef): Promise<Buffer>
  /** A text file in the folder. */
  open(name: string): Promise<TextFile>
}

export interface TextFile {
  write(text: string): Promise<void>
  end(): Promise<void>
}

/** @throws LabError 'conflict' when the folder exists; 'invalid-input' for a sample that the format cannot hold; 'cancelled' */
export async function* runExportDataJob(job: DataJobOf<'export-data'>, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  if (existsSync(job.folder))
    throw new LabError('conflict', `${job.folder} exists already; choose a folder that does not, so that nothing is overwritten`, {
      folder: job.folder,
    })
  const { kinds, label } = EXPORT_FORMAT_TABLE[job.format]
  yield { kind: 'part', name: 'exporting', of: job.count }
  let done = 0
  const temporary = `${job.folder}.${process.pid}.partial`
  try {
    await makeFolder(temporary)
    const writer: SampleWriter = await openSampleWriter(job.format, placeIn(temporary, job))
    for await (const line of createInterface({ input: createReadStream(job.samples), crlfDelay: Infinity })) {
      if (signal.aborted) throw new LabError('cancelled', 'export was stopped; nothing was written')
      const { sample, tags } = parse(exportedLineSchema, JSON.parse(line), 'internal', job.samples)
      if (!kinds.includes(sample.content.kind))
        throw new LabError(
          'invalid-input',
          `${label} holds ${kinds.join(', ')}; a sample of ${sample.content.kind} is among those chosen. Choose another format or filter by kind.`,
        )
      await writer.write(sample, tags)
      done += 1
      if (done % 50 === 0) yield { kind: 'progress', done, of: job.count }
    }
    await writer.end()
    await rename(temporary, job.folder)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
  yield { kind: 'progress', done, of: job.count }
  yield { kind: 'artifact', name: `${job.name} as ${label}`, path: job.folder }
}

function placeIn(folder: string, { project, images, name }: DataJobOf<'export-data'>): ExportPlace {
  const fileOf = (image: ImageRef) => (isAbsolute(image.path) ? image.path : resolve(project, image.path))
  const copied = new Set<string>()
  return {
    folder,
    name,
    async imagePath({ image }) {
      if (image === null) return null
      if (images === 'reference') return fileOf(image)
      const path = imageName(image)
      if (!copied.has(path)) {
        await makeFolder(join(folder, dirname(path)))
        await copyFile(fileOf(image), join(folder, path))
        copied.add(path)
      }
      return path
    },
    imageBytes: (image) => readFile(fileOf(image)),
    open: async (file) => {
      await makeFolder(join(folder, dirname(file)))
      return openTextFile(createWriteStream(join(folder, file)))
    },
  }
}

export const imageName = (image: ImageRef): string => `images/${image.sha256}${extname(image.path).toLowerCase()}`

export function openTextFile(stream: WriteStream): TextFile {
  const failed = new Promise<never>((_, reject) => stream.once('error', reject))
  failed.catch(() => {})
  return {
    async write(text) {
      if (!stream.write(text)) await Promise.race([once(stream, 'drain'), failed])
    },
    async end() {
      await Promise.race([new Promise<void>((done) => stream.end(done)), failed])
    },
  }
}
