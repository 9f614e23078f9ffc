// Datasets: imported by a job that reads and places the files, written here as rows, and frozen as snapshots: one file per
// content, named by its own SHA-256, which is what runs read. Importing the same twice changes nothing.

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, extname, isAbsolute, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { PlacedImage, PlacedSample } from '../domain/data-job.ts'
import { importRequestSchema, type ImportRequest } from '../domain/data-task.ts'
import {
  snapshotDifferenceSchema,
  type DatasetRow,
  type ImportSummary,
  type SnapshotDifference,
  type SnapshotRow,
} from '../domain/dataset-view.ts'
import { LabError } from '../domain/errors.ts'
import { importPreviewSchema, type ImportFault, type ImportOptions, type ImportPreview } from '../domain/import-event.ts'
import type { AbortSignalLike } from '../domain/job.ts'
import { parse } from '../domain/parse.ts'
import { snapshotReadingSchema } from '../domain/reading.ts'
import { sampleFilterSchema } from '../domain/sample-query.ts'
import type { ArtifactRow } from '../domain/run-view.ts'
import { contentSchema, type DatasetKind, type ImageRef, type Sample } from '../domain/sample.ts'
import { answerOf } from './answer-of.ts'
import type { CurationService } from './curation.ts'
import type { DataTaskService, TaskPlan, TaskWork } from './data-tasks.ts'
import { examineImages } from './image-facts.ts'
import type { Parts } from './parts.ts'
import { createReader } from './read.ts'

export type DatasetService = ReturnType<typeof createDatasetService>

/** Faults told one by one where an import ends; the task keeps all. */
const MOST_PROBLEMS = 50
const PREVIEW_ROWS = 10
/** Samples in one transaction: main must answer in between. */
const DELETED_AT_ONCE = 500
/** Smaller imports hardly move what the query planner knows. */
const ANALYZED_FROM = 1000

export function createDatasetService(parts: Parts, tasks: DataTaskService, curation: Pick<CurationService, 'idle'>) {
  const { store, project, dataRunner, now, newId, announce } = parts
  const read = createReader(parts)
  type Request = ReturnType<typeof parsedRequest>
  const parsedRequest = (request: Omit<ImportRequest, 'kind'>) => parse(importRequestSchema, { kind: 'import', ...request }, 'invalid-input', 'import')

  function plan(request: Request): TaskPlan {
    return {
      title: `import of ${basename(request.path)}`,
      work: (work) => readInto(request, work),
      async undo(taskId) {
        // By reference images are somebody's own and stay.
        while (store.datasets.removeSomeAddedBy(taskId, DELETED_AT_ONCE)) await nextTurn()
        for (const path of store.datasets.removeLeftOf(taskId)) if (!isAbsolute(path)) await rm(join(project, path), { force: true })
        store.dataTasks.removeFaults(taskId)
        announce({ name: 'dataset.changed', value: { datasetId: null } })
      },
    }
  }
  tasks.define('import', plan)

  async function readInto(request: Request, { taskId, signal, progress }: TaskWork) {
    const base = request.name ?? (basename(request.path, extname(request.path)) || 'dataset')
    const targets = new Map<DatasetKind, DatasetRow>()
    let [seen, revived, of] = [0, 0, 0]
    let file = request.path
    // A task that broke off reads from the start again: its faults come again too.
    store.dataTasks.removeFaults(taskId)

    const target = (kind: DatasetKind): DatasetRow => {
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
      if (existing === null) store.datasets.insert({ id, name, kind, source: request.path, createdAtMs: now(), taskId })
      const opened = store.datasets.find(id)!
      targets.set(kind, opened)
      return opened
    }
    const write = (each: PlacedSample) => {
      const into = target(each.content.kind)
      if (each.image !== null) store.datasets.insertImage(each.image, taskId)
      const how = store.datasets.insertSample(into.id, toSample(each), each.image, { tags: each.tags ?? [], taskId })
      seen += 1
      if (how === 'revived') revived += 1
      if (how !== 'known') store.datasets.setChanged(into.id)
    }

    try {
      const job = { kind: 'import', project, path: request.path, options: request.options, images: request.images } as const
      for await (const event of dataRunner(job, signal)) {
        if (event.kind !== 'imported') continue
        store.transaction(() => {
          for (const each of event.rows) {
            if (each.kind === 'file') {
              ;({ file, of } = each)
              progress(file, 0, of)
            } else if (each.kind === 'progress') progress(file, each.done, of)
            else if (each.kind === 'fault') store.dataTasks.insertFault(taskId, each)
            else write(each)
          }
        })
      }
      if (seen === 0) throw nothingFound(request.path, taskId)
    } catch (thrown) {
      // What was begun here and holds nothing is no dataset; what holds samples stays and can be imported again.
      for (const { id } of targets.values()) if (store.datasets.isEmpty(id)) store.datasets.delete(id)
      throw thrown
    }
    if (seen >= ANALYZED_FROM) store.datasets.analyze()
    for (const { id } of targets.values()) {
      if (store.datasets.isChanged(id) || store.datasets.find(id)!.snapshot === null) await snapshot(id)
      announce({ name: 'dataset.changed', value: { datasetId: id } })
    }
    if (request.examine)
      for (const { id } of targets.values())
        await examineImages(parts, sampleFilterSchema.parse({ datasetId: id }), { signal, progress })
    const added = store.datasets.addedBy(taskId) + revived
    return {
      kind: 'import' as const,
      datasets: [...targets.values()].map(({ id }) => store.datasets.find(id)!),
      added,
      unchanged: seen - added,
      faults: store.dataTasks.countFaults(taskId),
    }
  }

  function nothingFound(path: string, taskId: string): LabError {
    const faults = store.dataTasks.countFaults(taskId)
    const problems = store.dataTasks.faults(taskId, 0, MOST_PROBLEMS).map(describeFault)
    return new LabError(
      'invalid-input',
      `${path}: nothing to import${faults > 0 ? `; ${faults} rows were left out, the first because ${problems[0]}` : ', it holds no samples'}`,
      { path, problems },
    )
  }

  /** Writes the dataset's samples, one a line in import order, to a file named by its content. */
  async function snapshot(datasetId: string): Promise<string> {
    // A version holds all of a change that was asked for before it, or nothing of one.
    await curation.idle()
    const folder = join(project, 'snapshots')
    await mkdir(folder, { recursive: true })
    const file = join(folder, `${datasetId}.tmp`)
    try {
      const { sha256, samples, changes } = await read({ kind: 'snapshot', datasetId, file }, snapshotReadingSchema)
      await rename(file, join(folder, `${sha256}.jsonl`))
      store.datasets.insertSnapshot({ datasetId, sha256, samples, createdAtMs: now(), changes })
      return sha256
    } finally {
      await rm(file, { force: true })
    }
  }

  /** Also when the lab is closed meanwhile: the rest is deleted at its next start. */
  async function finishDeleting(datasetId: string): Promise<void> {
    while (store.isOpen() && !store.datasets.deleteSome(datasetId, DELETED_AT_ONCE)) await nextTurn()
    if (store.isOpen()) announce({ name: 'dataset.changed', value: { datasetId: null } })
  }

  /** @throws LabError 'not-found' */
  function found(datasetId: string): DatasetRow {
    const dataset = store.datasets.find(datasetId)
    if (dataset === null) throw new LabError('not-found', `there is no dataset "${datasetId}"`, { datasetId })
    return dataset
  }

  return {
    /** Begins an import, or takes up the same one that broke off; the task tells the rest. */
    startImport: (request: Omit<ImportRequest, 'kind'>): { readonly taskId: string } => tasks.start(parsedRequest(request)),
    /** Imports and waits for it. An aborted signal pauses: the same import goes on where it was. */
    async import(request: Omit<ImportRequest, 'kind'>, signal: AbortSignalLike = { aborted: false }): Promise<ImportSummary> {
      const { taskId } = this.startImport(request)
      const { result } = await tasks.ended(taskId, signal)
      if (result?.kind !== 'import') throw new LabError('internal', `import ${taskId} ended without a result`)
      const problems = store.dataTasks.faults(taskId, 0, MOST_PROBLEMS).map(describeFault)
      if (result.faults > problems.length) problems.push(`and ${result.faults - problems.length} more rows were left out`)
      return { datasets: result.datasets, added: result.added, unchanged: result.unchanged, problems, taskId }
    },
    /** The first ten rows as they would come in, and what is wrong with the others that were met. Writes nothing. */
    async previewImport(path: string, options: ImportOptions = {}, signal: AbortSignalLike = { aborted: false }): Promise<ImportPreview> {
      const events = dataRunner({ kind: 'preview-import', path, options, rows: PREVIEW_ROWS }, signal)
      return answerOf(events, importPreviewSchema, 'import preview')
    },
    /** Writes the rows that an import left out as JSON lines into the project's exports. */
    async exportFaults(taskId: string): Promise<ArtifactRow> {
      const { rows } = tasks.faults(taskId, 0, 1_000_000)
      const file = join(project, 'exports', `${taskId}-left-out.jsonl`)
      await mkdir(join(project, 'exports'), { recursive: true })
      await writeFile(file, rows.map(({ id: _, ...row }) => `${JSON.stringify(row)}\n`).join(''))
      return store.artifacts.insert({
        id: newId('artifact'),
        studyId: null,
        phaseId: null,
        runId: null,
        name: `rows left out of ${tasks.get(taskId).title}`,
        path: file,
        createdAtMs: now(),
      })
    },
    list: (): readonly DatasetRow[] => store.datasets.list(),
    /** @throws LabError 'not-found', naming the datasets that there are */
    named(name: string): DatasetRow {
      const dataset = store.datasets.findNamed(name)
      if (dataset !== null) return dataset
      const names = store.datasets.list().map((each) => `"${each.name}"`)
      throw new LabError(
        'not-found',
        `there is no dataset "${name}"; the project holds ${names.join(', ') || 'none yet: import one'}`,
        { name },
      )
    },
    /** SHA-256 of a snapshot of the dataset as it is; written anew when it has changed, or its file has been lost. */
    async snapshotOf(name: string): Promise<string> {
      await curation.idle()
      const dataset = this.named(name)
      const kept = store.datasets.isChanged(dataset.id) ? null : dataset.snapshot
      return kept !== null && existsSync(join(project, 'snapshots', `${kept}.jsonl`)) ? kept : snapshot(dataset.id)
    },
    takeSnapshot: (datasetId: string): Promise<string> => snapshot(found(datasetId).id),
    /** Versions of a dataset, newest first, and the runs that were trained on each. */
    versions(datasetId: string): readonly SnapshotRow[] {
      found(datasetId)
      const runs = Map.groupBy(store.runs.list(), ({ config }) => config.snapshot)
      return store.datasets
        .snapshotsOf(datasetId)
        .map((each) => ({ ...each, runs: (runs.get(each.sha256) ?? []).map(({ row }) => row.name) }))
    },
    compareVersions(from: string, to: string): Promise<SnapshotDifference> {
      const events = dataRunner({ kind: 'compare-snapshots', project, from, to }, { aborted: false })
      return answerOf(events, snapshotDifferenceSchema, 'comparison of snapshots')
    },
    rename(datasetId: string, name: string): void {
      const { name: before } = found(datasetId)
      if (before !== name && store.datasets.findNamed(name) !== null)
        throw new LabError('conflict', `there is a dataset "${name}" already; choose another name`, { name })
      store.datasets.rename(datasetId, name)
      announce({ name: 'dataset.changed', value: { datasetId } })
    },
    /** Gone at once for whoever looks; its samples follow, some at a time. Its images stay: snapshots that runs were trained on name them. */
    async delete(datasetId: string): Promise<void> {
      store.datasets.doom(datasetId)
      announce({ name: 'dataset.changed', value: { datasetId: null } })
      await finishDeleting(datasetId)
    },
    /** Goes on with deletions that broke off. For the only writer, at its start. */
    async recover(): Promise<void> {
      for (const id of store.datasets.doomed()) await finishDeleting(id)
    },
  }
}

function toSample({ image, content: read, split, source }: PlacedSample): Sample {
  // Parsed, so that the order in which an importer names the fields does not make another sample of it.
  const content = parse(contentSchema, read, 'internal', 'imported sample')
  const id = createHash('sha256')
    .update(`${image?.sha256 ?? ''}\n${JSON.stringify(content)}`)
    .digest('hex')
  return { id, split, source, image: image && imageRef(image), content }
}

const imageRef = ({ sha256, path, width, height }: PlacedImage): ImageRef => ({ sha256, path, width, height })

export function describeFault(fault: Pick<ImportFault, 'file' | 'line' | 'field' | 'expected' | 'found'>): string {
  const place = [fault.file, fault.line === null ? '' : `line ${fault.line}`].filter(Boolean).join(', ')
  return `${place}${place ? ': ' : ''}${fault.field}: expected ${fault.expected}, found ${fault.found}`
}
