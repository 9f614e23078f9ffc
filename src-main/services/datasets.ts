// Datasets: import by the reader that is passed in, images copied into the project under their hash (or left where they
// are), and snapshots: one file per content, named by its own SHA-256, which is what runs read. Importing the same
// twice changes nothing.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { constants, createWriteStream, existsSync } from 'node:fs'
import { copyFile, mkdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import type { DatasetRow, ImportSummary } from '../domain/dataset-view.ts'
import { LabError } from '../domain/errors.ts'
import type { ImportedImage, ImportedSample, ImportFault, ImportOptions } from '../domain/import-event.ts'
import type { AbortSignalLike } from '../domain/job.ts'
import { parse } from '../domain/parse.ts'
import { contentSchema, type DatasetKind, type ImageRef, type Sample } from '../domain/sample.ts'
import type { Parts } from './parts.ts'

export interface ImportRequest {
  readonly path: string
  /** null: after the file or folder. */
  readonly name: string | null
  /** 'copy' puts images into the project; 'reference' leaves them where they are. */
  readonly images?: 'copy' | 'reference'
  readonly options?: ImportOptions
}

export interface ImportProgress {
  readonly file: string
  readonly done: number
  readonly of: number
}

export type DatasetService = ReturnType<typeof createDatasetService>

/** Samples written in one transaction: large enough to be fast, small enough that nobody waits for it. */
const SAMPLES_PER_TRANSACTION = 500
/** Faults told one by one; the rest is a count. */
const MOST_PROBLEMS = 50

export function createDatasetService({ store, project, readDataset, now, newId, announce }: Parts) {
  async function importDataset(
    request: ImportRequest,
    report: (progress: ImportProgress) => void = () => {},
    signal: AbortSignalLike = { aborted: false },
  ): Promise<ImportSummary> {
    const base = request.name ?? (basename(request.path, extname(request.path)) || 'dataset')
    const targets = new Map<DatasetKind, { readonly dataset: DatasetRow; readonly isNew: boolean; ordinal: number }>()
    const problems: string[] = []
    let faults = 0
    let added = 0
    let unchanged = 0
    let of = 0
    let file = request.path
    let waiting: { readonly sample: Sample; readonly fileBytes: number }[] = []

    const target = (kind: DatasetKind) => {
      const known = targets.get(kind)
      if (known !== undefined) return known
      const name = targets.size === 0 ? base : `${base} ${kind}`
      const existing = store.datasets.findNamed(name)
      if (existing !== null && existing.kind !== kind)
        throw new LabError(
          'conflict',
          `dataset "${name}" holds ${existing.kind}, ${request.path} holds ${kind}. Import it under another name.`,
          { name },
        )
      const id = existing?.id ?? newId('dataset')
      if (existing === null) store.datasets.insert({ id, name, kind, source: request.path, createdAtMs: now() })
      const opened = { dataset: store.datasets.find(id)!, isNew: existing === null, ordinal: store.datasets.nextOrdinal(id) }
      targets.set(kind, opened)
      return opened
    }
    const flush = () => {
      store.transaction(() => {
        for (const { sample, fileBytes } of waiting) {
          const into = target(sample.content.kind)
          if (sample.image !== null) store.datasets.insertImage({ ...sample.image, fileBytes })
          const isNew = store.datasets.insertSample(into.dataset.id, into.ordinal, sample)
          if (isNew) {
            into.ordinal += 1
            added += 1
          } else unchanged += 1
        }
      })
      waiting = []
    }

    try {
      for await (const event of readDataset(request.path, request.options ?? {})) {
        if (signal.aborted) throw new LabError('cancelled', `import of ${request.path} was cancelled after ${added} samples`)
        if (event.kind === 'file') {
          ;({ file, of } = event)
          report({ file, done: 0, of })
        } else if (event.kind === 'progress') report({ file, done: event.done, of })
        else if (event.kind === 'fault') {
          faults += 1
          if (problems.length < MOST_PROBLEMS) problems.push(describeFault(event))
        } else {
          const image = event.image && (await placeImage(event.image, request.images ?? 'copy'))
          waiting.push({ sample: toSample(event, image), fileBytes: event.image?.bytes ?? 0 })
          if (waiting.length >= SAMPLES_PER_TRANSACTION) flush()
        }
      }
      flush()
      if (added + unchanged === 0)
        throw new LabError(
          'invalid-input',
          `${request.path}: nothing to import${faults > 0 ? `; ${faults} rows were left out, the first because ${problems[0]}` : ', it holds no samples'}`,
          { path: request.path, problems },
        )
    } catch (thrown) {
      // What was begun here and holds nothing is no dataset; what holds samples stays and can be imported again.
      for (const { dataset, isNew } of targets.values())
        if (isNew && store.datasets.nextOrdinal(dataset.id) === 0) store.datasets.delete(dataset.id)
      throw thrown
    }
    if (faults > problems.length) problems.push(`and ${faults - problems.length} more rows were left out`)
    for (const { dataset } of targets.values()) {
      await snapshot(dataset.id)
      announce({ name: 'dataset.changed', value: { datasetId: dataset.id } })
    }
    return { datasets: [...targets.values()].map(({ dataset }) => store.datasets.find(dataset.id)!), added, unchanged, problems }
  }

  /** Copies an image under its hash, whole or not at all. Returns what the lab calls it. */
  async function placeImage(image: ImportedImage, how: 'copy' | 'reference'): Promise<ImageRef> {
    const { sha256, width, height } = image
    const known = store.datasets.findImage(sha256)
    if (known !== null && existsSync(join(project, known.path))) return known
    if (how === 'reference') return { sha256, path: image.file, width, height }
    const path = join('images', sha256.slice(0, 2), `${sha256}${extname(image.file).toLowerCase()}`)
    const place = join(project, path)
    if (!existsSync(place)) {
      await mkdir(dirname(place), { recursive: true })
      const temporary = `${place}.${process.pid}.tmp`
      try {
        await copyFile(image.file, temporary, constants.COPYFILE_FICLONE)
        await rename(temporary, place)
      } finally {
        await rm(temporary, { force: true })
      }
    }
    return { sha256, path, width, height }
  }

  /** Writes the dataset's samples, one a line in import order, to a file named by its content. */
  async function snapshot(datasetId: string): Promise<string> {
    const folder = join(project, 'snapshots')
    await mkdir(folder, { recursive: true })
    const temporary = join(folder, `${datasetId}.tmp`)
    const hash = createHash('sha256')
    let samples = 0
    try {
      const file = createWriteStream(temporary)
      const failed = new Promise<never>((_, reject) => file.once('error', reject))
      const write = async (text: string) => {
        hash.update(text)
        if (!file.write(text)) await Promise.race([once(file, 'drain'), failed])
      }
      failed.catch(() => {})
      let text = ''
      for (const sample of store.datasets.samples(datasetId)) {
        text += `${JSON.stringify(sample)}\n`
        samples += 1
        if (text.length > 1_000_000) {
          await write(text)
          text = ''
        }
      }
      await write(text)
      await Promise.race([new Promise<void>((resolve) => file.end(resolve)), failed])
      const sha256 = hash.digest('hex')
      await rename(temporary, join(folder, `${sha256}.jsonl`))
      store.datasets.insertSnapshot({ datasetId, sha256, samples, createdAtMs: now() })
      return sha256
    } finally {
      await rm(temporary, { force: true })
    }
  }

  return {
    import: importDataset,
    list: (): readonly DatasetRow[] => store.datasets.list(),
    /** @throws LabError 'not-found', naming the datasets that there are */
    named(name: string): DatasetRow {
      const found = store.datasets.findNamed(name)
      if (found !== null) return found
      const names = store.datasets.list().map((each) => `"${each.name}"`)
      throw new LabError(
        'not-found',
        `there is no dataset "${name}"; the project holds ${names.join(', ') || 'none yet: import one'}`,
        { name },
      )
    },
    /** SHA-256 of the dataset's snapshot; written again if its file has been lost. */
    async snapshotOf(name: string): Promise<string> {
      const dataset = this.named(name)
      const kept = dataset.snapshot
      return kept !== null && existsSync(join(project, 'snapshots', `${kept}.jsonl`)) ? kept : snapshot(dataset.id)
    },
    delete(datasetId: string): void {
      store.datasets.delete(datasetId)
      announce({ name: 'dataset.changed', value: { datasetId: null } })
    },
  }
}

function toSample(event: ImportedSample, image: ImageRef | null): Sample {
  // Parsed, so that the order in which an importer names the fields does not make another sample of it.
  const content = parse(contentSchema, event.content, 'internal', 'imported sample')
  const id = createHash('sha256')
    .update(`${image?.sha256 ?? ''}\n${JSON.stringify(content)}`)
    .digest('hex')
  return { id, split: event.split, source: event.source, image, content }
}

function describeFault(fault: ImportFault): string {
  const place = [fault.file, fault.line === null ? '' : `line ${fault.line}`].filter(Boolean).join(', ')
  return `${place}${place ? ': ' : ''}${fault.field}: expected ${fault.expected}, found ${fault.found}`
}
