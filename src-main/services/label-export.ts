// Labels out of a queue: as files that other programs read, with a side file that tells who judged what and how; as a
// bundle that another project merges; and straight into this project, as a dataset of preference pairs to train on.

import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import type { ImportSummary } from '../domain/dataset-view.ts'
import { LabError } from '../domain/errors.ts'
import { pairsOf, type LabelledPair, type PairCounts, type TIE_RULES } from '../domain/labelling/outcome.ts'
import { exportFormatsOf, labelRows, pairSample, type PairExport, type PairFormat } from '../domain/labelling/pair-export.ts'
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
  { store, project, dataRunner, now, newId }: Pick<Parts, 'store' | 'project' | 'dataRunner' | 'now' | 'newId'>,
  labelling: LabellingService,
  datasets: DatasetService,
) {
  /** Writes `pairs` to a folder beside `target`, which it then becomes: whole or not at all. */
  async function writeFolder(target: string, name: string, format: PairFormat, images: PairExport['images'], pairs: readonly LabelledPair[], queueId: string) {
    const beside = join(dirname(target), `.${basename(target)}.${process.pid}`)
    const samples = `${beside}.jsonl`
    const folders = exportFormatsOf(format).map((each) => ({ format: each, folder: `${beside}.${each}` }))
    const [{ folder }, ...twins] = folders as [(typeof folders)[number], ...typeof folders]
    try {
      await mkdir(dirname(target), { recursive: true })
      await writeFile(samples, lines(pairs.map((pair) => ({ sample: pairSample(pair), tags: [] }))))
      for (const each of folders)
        for await (const _ of dataRunner({ kind: 'export-data', project, samples, count: pairs.length, name, images, ...each }, { aborted: false }));
      await mkdir(folder, { recursive: true })
      // Of a twin only its rows are new: the images are the same.
      for (const twin of twins)
        for (const entry of await readdir(twin.folder).catch(() => []))
          if (!existsSync(join(folder, entry))) await rename(join(twin.folder, entry), join(folder, entry))
      await writeFile(join(folder, 'labels.jsonl'), lines(labelRows(pairs)))
      await writeFile(join(folder, 'guidelines.md'), labelling.guidelines(queueId).text)
      await rm(target, { recursive: true, force: true })
      await rename(folder, target)
    } finally {
      for (const place of [samples, ...folders.map((each) => each.folder)]) await rm(place, { recursive: true, force: true })
    }
  }

  /**
   * @param folder null: `exports/labels-<queue>-<format>` of the project; it is replaced
   * @throws LabError 'invalid-input' when the queue holds no pair yet; 'conflict' when `folder` is there already
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
    if (folder !== null && existsSync(folder))
      throw new LabError('conflict', `${folder} exists already; choose a folder that does not, so that nothing is overwritten`, { folder })
    const name = slug(queue.name)
    const target = folder ?? join(project, 'exports', `labels-${name}-${format}`)
    await writeFolder(target, name, format, images, pairs, queueId)
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
      const { queue, pairs } = { queue: labelling.ready(queueId), pairs: pairsOf(labelling.outcomes(queueId), ties).pairs }
      if (pairs.length === 0) throw new LabError('invalid-input', `queue "${queue.name}" makes no pair yet: judge some items first`, { queueId })
      const folder = join(project, 'labelling', queueId)
      // The importer follows no path out of its root: images that lie elsewhere are copied into it first.
      const isInside = pairs.every(({ outcome: { item } }) => item.image === null || !isAbsolute(item.image.path))
      await writeFolder(folder, slug(queue.name), 'trl', isInside ? 'reference' : 'copy', pairs, queueId)
      return datasets.import({ path: join(folder, 'trl.jsonl'), name, options: { imageRoot: isInside ? project : folder } })
    },
  }
}

function lines(rows: readonly unknown[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
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
