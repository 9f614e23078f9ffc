// Labels out of a queue: as files that other programs read, with a side file that tells who judged what and how; as a
// bundle that another project merges; and straight into this project, as a dataset of preference pairs to train on.

import { constants } from 'node:fs'
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import type { ImportSummary } from '../domain/dataset-view.ts'
import { LabError } from '../domain/errors.ts'
import { pairsOf, type PairCounts, TIE_RULES } from '../domain/labelling/outcome.ts'
import { exportFiles, labelRows, type ExportFile, type PairExport } from '../domain/labelling/pair-export.ts'
import type { ArtifactRow } from '../domain/run-view.ts'
import type { DatasetService } from './datasets.ts'
import type { LabellingService } from './labelling.ts'
import type { Parts } from './parts.ts'

export interface LabelExport {
  readonly artifact: ArtifactRow
  readonly counts: PairCounts
}

export type LabelExportService = ReturnType<typeof createLabelExportService>

export function createLabelExportService(
  { store, project, now, newId }: Pick<Parts, 'store' | 'project' | 'now' | 'newId'>,
  labelling: LabellingService,
  datasets: DatasetService,
) {
  /** Fills a folder beside the target, then puts it in its place: whole or not at all. */
  async function writeFolder(folder: string, fill: (temporary: string) => Promise<void>): Promise<void> {
    const temporary = join(dirname(folder), `.${basename(folder)}.${process.pid}.partial`)
    try {
      await mkdir(temporary, { recursive: true })
      await fill(temporary)
      await rm(folder, { recursive: true, force: true })
      await rename(temporary, folder)
    } finally {
      await rm(temporary, { recursive: true, force: true })
    }
  }

  /**
   * @param folder null: `exports/labels-<queue>-<format>` of the project; it is replaced
   * @throws LabError 'invalid-input' when the queue holds no pair yet
   */
  async function write({ queueId, format, images, ties }: PairExport, folder: string | null): Promise<LabelExport> {
    const queue = labelling.ready(queueId)
    const { pairs, counts } = pairsOf(labelling.outcomes(queueId), ties)
    if (pairs.length === 0)
      throw new LabError(
        'invalid-input',
        `queue "${queue.name}" makes no pair yet: ${counts.tied} ties, ${counts.bothBad} both bad, ${counts.split} split evenly. Judge some items first.`,
        { queueId },
      )
    const name = slug(queue.name)
    const target = folder ?? join(project, 'exports', `labels-${name}-${format}`)
    const copied = new Map<string, string>()
    const files = exportFiles(name, format, pairs, ({ outcome }) => {
      const { image } = outcome.item
      if (image === null) return null
      const source = isAbsolute(image.path) ? image.path : resolve(project, image.path)
      if (images === 'reference') return source
      const copy = join('images', basename(image.path))
      copied.set(source, copy)
      return copy
    })
    await writeFolder(target, async (temporary) => {
      for (const file of files) await writeFile(join(temporary, file.name), textOf(file))
      await writeFile(join(temporary, 'labels.jsonl'), textOf({ name: '', layout: 'lines', rows: labelRows(pairs) }))
      await writeFile(join(temporary, 'guidelines.md'), labelling.guidelines(queueId).text)
      if (copied.size > 0) await mkdir(join(temporary, 'images'))
      for (const [source, copy] of copied) await copyFile(source, join(temporary, copy), constants.COPYFILE_FICLONE)
    })
    const artifact = store.artifacts.insert({
      id: newId('artifact'),
      studyId: null,
      phaseId: null,
      runId: null,
      name: `labels of ${queue.name}, ${format}`,
      path: target,
      createdAtMs: now(),
    })
    return { artifact, counts }
  }

  return {
    write,
    /** Writes the queue with all judgements to one JSON file, which another project merges. */
    async writeBundle(queueId: string, file: string | null): Promise<ArtifactRow> {
      const queue = labelling.ready(queueId)
      const target = file ?? join(project, 'exports', `labels-${slug(queue.name)}.json`)
      await mkdir(dirname(target), { recursive: true })
      const temporary = `${target}.${process.pid}.partial`
      try {
        await writeFile(temporary, JSON.stringify(labelling.bundle(queueId)))
        await rename(temporary, target)
      } finally {
        await rm(temporary, { force: true })
      }
      return store.artifacts.insert({
        id: newId('artifact'),
        studyId: null,
        phaseId: null,
        runId: null,
        name: `label file of ${queue.name}`,
        path: target,
        createdAtMs: now(),
      })
    },
    /** Through the same files and the same importer as anybody's data: importing again after more labels adds what is new. */
    async toDataset(queueId: string, name: string, ties: (typeof TIE_RULES)[number]): Promise<ImportSummary> {
      const folder = join(project, 'labelling', queueId)
      // The importer follows no path out of its root: images that lie elsewhere are copied into it first.
      const isInside = labelling.outcomes(queueId).every(({ item: { image } }) => image === null || !isAbsolute(image.path))
      await write({ queueId, format: 'trl', images: isInside ? 'reference' : 'copy', ties }, folder)
      return datasets.import({ path: join(folder, 'pairs.jsonl'), name, options: { imageRoot: isInside ? project : folder } })
    },
  }
}

function textOf({ layout, rows }: ExportFile): string {
  switch (layout) {
    case 'lines':
      return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
    case 'array':
      return `${JSON.stringify(rows, null, 1)}\n`
    case 'object':
      return `${JSON.stringify(rows[0], null, 1)}\n`
  }
}

/** A name that is a file's name everywhere. */
function slug(name: string): string {
  return (
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
      .slice(0, 60) || 'queue'
  )
}
