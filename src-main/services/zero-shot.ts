// Zero-shot classification of a folder of images: what a dual encoder says of each, and how often it is right. The command line is
// told at the end; the window begins a task that keeps every answer, so that a break costs nothing.

import { basename, join } from 'node:path'
import type { AbortSignalLike, ItemResult, JobEvent, ZeroShotJob } from '../domain/job.ts'
import { parse } from '../domain/parse.ts'
import { zeroShotAnswerSchema, zeroShotScores, type ZeroShotAnswer, type ZeroShotCell, type ZeroShotRequest, type ZeroShotScores } from '../domain/zero-shot.ts'
import type { DataTaskService } from './data-tasks.ts'
import type { Parts } from './parts.ts'

export interface ZeroShotAnswers {
  readonly items: readonly ItemResult[]
  /** Empty where no image has a class of its own. */
  readonly results: readonly Extract<JobEvent, { kind: 'result' }>[]
}

/** Images at a time. */
const BATCH_SIZE = 16

export type ZeroShotService = ReturnType<typeof createZeroShotService>

export function createZeroShotService({ runner, store }: Parts, tasks: DataTaskService) {
  tasks.define('zero-shot', (request) => ({
    title: `${basename(request.images)} by ${basename(request.model)}`,
    lane: 'engine',
    async work({ taskId, signal, progress }) {
      const done = [...store.zeroShotAnswers.images(taskId)]
      let part = ''
      for await (const event of runner({ ...request, batchSize: BATCH_SIZE, done }, signal, { backend: store.settings.get().backend })) {
        if (event.kind === 'items') store.zeroShotAnswers.insert(taskId, event.items.map(answerOf))
        if (event.kind === 'part') progress((part = event.name), 0, event.of)
        if (event.kind === 'progress') progress(part, event.done, event.of)
      }
      const { accuracy } = scores(taskId)
      return { kind: 'zero-shot', images: store.zeroShotAnswers.images(taskId).length, scored: accuracy?.of ?? 0, right: accuracy?.right ?? 0 }
    },
  }))

  const scores = (taskId: string): ZeroShotScores => zeroShotScores(store.zeroShotAnswers.cells(taskId))

  return {
    async classify(job: ZeroShotJob, signal: AbortSignalLike, observe: (event: JobEvent) => void = () => {}): Promise<ZeroShotAnswers> {
      const items: ItemResult[] = []
      const results: ZeroShotAnswers['results'][number][] = []
      for await (const event of runner(job, signal)) {
        observe(event)
        if (event.kind === 'items') items.push(...event.items)
        if (event.kind === 'result') results.push(event)
      }
      return { items, results }
    },
    /** Begins the same as a task. */
    start: (request: ZeroShotRequest): { readonly taskId: string } => tasks.start(request),
    /** Of what a task has classified so far. */
    scores,
    /** Images of one class that were given one, the surest first. */
    answers: (taskId: string, cell: Omit<ZeroShotCell, 'count'>, limit: number): readonly ZeroShotAnswer[] => store.zeroShotAnswers.ofCell(taskId, cell, limit),
    /** Absolute; null: no image that this task has classified. */
    imageFile(taskId: string, image: string): string | null {
      const request = store.dataTasks.find(taskId)?.request
      return request?.kind === 'zero-shot' && store.zeroShotAnswers.has(taskId, image) ? join(request.images, image) : null
    },
  }
}

function answerOf({ itemId, detail }: ItemResult): ZeroShotAnswer {
  const { expected, given, probability } = detail as Omit<ZeroShotAnswer, 'image'>
  return parse(zeroShotAnswerSchema, { image: itemId, expected, given, probability }, 'internal', 'answer')
}
