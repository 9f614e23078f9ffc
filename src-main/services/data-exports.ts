// Samples of a filter written in a format of others, as a data task; backups of the whole project, and restoring them.

import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { EXPORT_FORMAT_TABLE, EXPORT_FORMATS, type ExportFormat } from '../domain/data-export.ts'
import type { DataTaskResult, ExportRequest } from '../domain/data-task.ts'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent } from '../domain/job.ts'
import type { SampleFilter } from '../domain/sample-query.ts'
import type { DataTaskService, TaskWork } from './data-tasks.ts'
import type { Parts } from './parts.ts'

export type DataExportService = ReturnType<typeof createDataExportService>

export function createDataExportService({ store, project, dataRunner, now, newId }: Parts, tasks: DataTaskService) {
  tasks.define('export', (request) => ({
    title: `export as ${EXPORT_FORMAT_TABLE[request.format].label}`,
    work: (work) => write(request, work),
  }))

  async function write({ filter, format, images, folder }: ExportRequest, { taskId, signal, progress }: TaskWork): Promise<DataTaskResult> {
    const name = filter.datasetId === null ? 'samples' : (store.datasets.find(filter.datasetId)?.name ?? 'samples')
    const target = folder ?? join(project, 'exports', `${taskId}-${format}`)
    const list = join(project, 'cache', 'exports', `${taskId}.jsonl`)
    try {
      const count = await listSamples(filter, list)
      if (count === 0) throw new LabError('invalid-input', 'nothing to export: no sample fits the filter')
      await mkdir(join(target, '..'), { recursive: true })
      const job = { kind: 'export-data', project, samples: list, count, name, format, images, folder: target } as const
      for await (const event of dataRunner(job, signal)) if (event.kind === 'progress') progress('exporting', event.done, event.of)
      const artifact = store.artifacts.insert({
        id: newId('artifact'),
        studyId: null,
        phaseId: null,
        runId: null,
        name: `${name} as ${EXPORT_FORMAT_TABLE[format].label}`,
        path: target,
        createdAtMs: now(),
      })
      return { kind: 'export', folder: target, samples: count, artifactId: artifact.id }
    } finally {
      await rm(list, { force: true })
    }
  }

  /** What the job is to write, one a line: the process for data never opens the database. */
  async function listSamples(filter: SampleFilter, file: string): Promise<number> {
    await mkdir(join(file, '..'), { recursive: true })
    const stream = createWriteStream(file)
    const failed = new Promise<never>((_, reject) => stream.once('error', reject))
    failed.catch(() => {})
    let count = 0
    for (const line of store.samples.forExport(filter)) {
      if (!stream.write(`${JSON.stringify(line)}\n`)) await Promise.race([once(stream, 'drain'), failed])
      count += 1
    }
    await Promise.race([new Promise<void>((done) => stream.end(done)), failed])
    return count
  }

  return {
    start: (request: Omit<ExportRequest, 'kind'>): { readonly taskId: string } => {
      if (request.folder !== null && !isAbsolute(request.folder))
        throw new LabError('invalid-input', `folder: expected an absolute path, found ${request.folder}`)
      return tasks.start({ kind: 'export', ...request })
    },
    /** Formats that can hold every kind that the filter finds. */
    formats(filter: SampleFilter): readonly ExportFormat[] {
      const kinds = store.sampleCounts.facets(filter).kinds.map(({ value }) => value)
      return EXPORT_FORMATS.filter((format) => kinds.every((kind) => EXPORT_FORMAT_TABLE[format].kinds.some((each) => each === kind)))
    },
    /** The whole project as one file, taken while it is in use. */
    async backup(file: string, signal: AbortSignalLike = { aborted: false }, observe: (event: JobEvent) => void = () => {}): Promise<void> {
      const database = join(project, 'cache', `backup-${now()}.sqlite`)
      await mkdir(join(project, 'cache'), { recursive: true })
      try {
        await store.copyTo(database)
        for await (const event of dataRunner({ kind: 'backup', project, database, file }, signal)) observe(event)
      } finally {
        await rm(database, { force: true })
      }
    },
    /** Makes a project of a backup. It touches no open project. */
    async restore(
      file: string,
      folder: string,
      signal: AbortSignalLike = { aborted: false },
      observe: (event: JobEvent) => void = () => {},
    ): Promise<void> {
      for await (const event of dataRunner({ kind: 'restore', file, folder }, signal)) observe(event)
    },
  }
}
