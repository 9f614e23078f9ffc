// Samples of a filter written in a format of others, as a data task; backups of the whole project, and restoring them.

import { mkdir, rm } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { z } from 'zod'
import { EXPORT_FORMAT_TABLE, EXPORT_FORMATS, type ExportFormat } from '../domain/data-export.ts'
import type { DataTaskResult, ExportRequest } from '../domain/data-task.ts'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent } from '../domain/job.ts'
import type { SampleFilter } from '../domain/sample-query.ts'
import type { DataTaskService, TaskWork } from './data-tasks.ts'
import type { Parts } from './parts.ts'
import { createReader } from './read.ts'

export type DataExportService = ReturnType<typeof createDataExportService>

export function createDataExportService(parts: Parts, tasks: DataTaskService) {
  const { store, project, dataRunner, now, newId } = parts
  const read = createReader(parts)
  tasks.define('export', (request) => ({
    title: `export as ${EXPORT_FORMAT_TABLE[request.format].label}`,
    work: (work) => write(request, work),
  }))

  async function write({ filter, format, images, folder }: ExportRequest, { taskId, signal, progress }: TaskWork): Promise<DataTaskResult> {
    const name = filter.datasetId === null ? 'samples' : (store.datasets.find(filter.datasetId)?.name ?? 'samples')
    const target = folder ?? join(project, 'exports', `${taskId}-${format}`)
    const list = join(project, 'cache', 'exports', `${taskId}.jsonl`)
    try {
      await mkdir(join(list, '..'), { recursive: true })
      // What the job is to write, one a line: it never opens the database.
      const count = await read({ kind: 'list-samples', filter, file: list }, z.int(), signal, (event) => {
        if (event.kind === 'progress') progress('reading samples', event.done, event.of)
      })
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
