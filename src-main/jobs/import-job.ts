// Reads a data set and gives its images their place in the project, each under its hash, whole or not at all. Rows go out
// some hundreds at a time. What was placed and never told is taken away again when the job is stopped.

import { existsSync } from 'node:fs'
import { constants, copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import type { DataJobOf, PlacedEvent, PlacedImage } from '../domain/data-job.ts'
import { LabError } from '../domain/errors.ts'
import type { ImportedImage, ImportEvent, ImportPreview } from '../domain/import-event.ts'
import type { AbortSignalLike, JobEvent } from '../domain/job.ts'
import { resizeImage } from '../engine/preprocess/resize.ts'
import { decodeImage, encodePng } from './images/codec.ts'
import { readDataset } from './import/read-dataset.ts'
import { readBytesOf } from './import/image-files.ts'

/** Each message between processes costs; a person wants to see something move. */
const ROWS_PER_MESSAGE = 250
const MS_PER_MESSAGE = 250

/** @throws LabError 'cancelled'; 'not-found', 'invalid-input' as the reader does */
export async function* runImportJob(job: DataJobOf<'import'>, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const placer = createPlacer(job.project, job.images)
  let rows: PlacedEvent[] = []
  let lastMs = Date.now()
  const message = (): JobEvent => {
    const told: JobEvent = { kind: 'imported', rows }
    ;[rows, lastMs] = [[], Date.now()]
    placer.keep()
    return told
  }
  try {
    for await (const event of readDataset(job.path, job.options)) {
      if (signal.aborted) throw new LabError('cancelled', `import of ${job.path} was stopped`)
      rows.push(event.kind === 'sample' ? { ...event, image: event.image && (await placer.place(event.image)) } : event)
      if (rows.length >= ROWS_PER_MESSAGE || Date.now() - lastMs >= MS_PER_MESSAGE) yield message()
    }
    if (rows.length > 0) yield message()
  } finally {
    await placer.removeUnkept()
  }
}

/** Puts images into the project, or leaves them and says where they are. */
function createPlacer(project: string, how: 'copy' | 'reference') {
  let unkept: string[] = []
  /** A container gives the bytes of an image once, however many rows are about it. */
  const placed = new Map<string, PlacedImage>()

  async function place({ sha256, width, height, bytes, format, file, data }: ImportedImage): Promise<PlacedImage> {
    const facts = { sha256, width, height, bytes, format }
    // Bytes out of a container have no file of their own to be left in.
    if (how === 'reference' && data === undefined) return { ...facts, path: file }
    const extension = data === undefined ? extname(file).toLowerCase() : `.${format === 'jpeg' ? 'jpg' : format}`
    const path = ['images', sha256.slice(0, 2), `${sha256}${extension}`].join('/')
    const place = join(project, path)
    if (existsSync(place)) return { ...facts, path }
    await mkdir(dirname(place), { recursive: true })
    const temporary = `${place}.${process.pid}.tmp`
    try {
      if (data === undefined) await copyFile(file, temporary, constants.COPYFILE_FICLONE)
      else await writeFile(temporary, data)
      await rename(temporary, place)
    } finally {
      await rm(temporary, { force: true })
    }
    unkept.push(place)
    return { ...facts, path }
  }

  return {
    async place(image: ImportedImage): Promise<PlacedImage> {
      const known = placed.get(image.sha256)
      if (known !== undefined) return known
      const now = await place(image)
      placed.set(image.sha256, now)
      return now
    },
    keep: () => void (unkept = []),
    async removeUnkept(): Promise<void> {
      for (const place of unkept) await rm(place, { force: true })
    },
  }
}

/** Pixels. */
const PREVIEW_SIDE = 96
/** Faults met before the rows are full: enough to see what is wrong with a file. */
const PREVIEW_FAULTS = 20

/** The first rows as they would come in. Writes nothing. */
export async function* runPreviewImportJob(job: DataJobOf<'preview-import'>, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const preview = { files: [], rows: [], faults: [], columns: [], isWhole: true } as {
    -readonly [K in keyof ImportPreview]: ImportPreview[K]
  }
  for await (const event of readDataset(job.path, job.options)) {
    if (signal.aborted) throw new LabError('cancelled', `preview of ${job.path} was stopped`)
    if (preview.rows.length >= job.rows || preview.faults.length >= PREVIEW_FAULTS) {
      preview.isWhole = false
      break
    }
    await take(event)
  }
  yield { kind: 'answer', value: preview }

  async function take(event: ImportEvent): Promise<void> {
    switch (event.kind) {
      case 'file':
        preview.files.push({ file: event.file, format: event.format, kind: event.content })
        if (preview.columns.length === 0) preview.columns.push(...(event.columns ?? []))
        return
      case 'fault': {
        const { file, line, field, expected, found } = event
        preview.faults.push({ file, line, field, expected, found })
        return
      }
      case 'sample': {
        const { split, source, content, image } = event
        const shown = image && { width: image.width, height: image.height, format: image.format }
        preview.rows.push({ split, source, content, image: shown, thumbnail: image && (await smallPicture(image)) })
      }
    }
  }
}

/** A picture for the preview alone, as a data: address; null when it cannot be decoded, which the import will not tell. */
async function smallPicture(image: ImportedImage): Promise<string | null> {
  try {
    const raw = await decodeImage(await readBytesOf(image), { name: image.file })
    const scale = Math.min(1, PREVIEW_SIDE / Math.max(raw.width, raw.height))
    const [width, height] = [Math.max(1, Math.round(raw.width * scale)), Math.max(1, Math.round(raw.height * scale))]
    const small = scale === 1 ? raw : resizeImage(raw, width, height, 'bilinear')
    return `data:image/png;base64,${Buffer.from(encodePng(small)).toString('base64')}`
  } catch (thrown) {
    if (thrown instanceof LabError) return null
    throw thrown
  }
}
