// Benchmarks: a checkpoint answers a dataset's questions, and its scores are kept with intervals and the items behind them. An
// answer is kept as it comes; whoever asks again, after a break or with another seed, gets it without computing it.

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { benchmarkAnswerSchema, paperSummary, type BenchmarkSettings, type PaperSummary } from '../domain/benchmark.ts'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, BenchmarkJob, JobEvent } from '../domain/job.ts'
import { parse } from '../domain/parse.ts'
import type { ResultWithInterval } from '../store/evaluations.ts'
import type { DatasetService } from './datasets.ts'
import type { Parts } from './parts.ts'
import type { RunService } from './runs.ts'
import { inTurn } from './work-queue.ts'

export interface BenchmarkRequest {
  /** A run's id, or a folder that holds a model. */
  readonly checkpoint: string
  /** Names of datasets, each of one benchmark. */
  readonly datasets: readonly string[]
  readonly settings: BenchmarkSettings
}

export interface BenchmarkReport {
  readonly evaluations: readonly { readonly dataset: string; readonly evaluationId: string; readonly results: readonly ResultWithInterval[]; readonly reused: number }[]
  readonly paper: PaperSummary
}

export type BenchmarkService = ReturnType<typeof createBenchmarkService>

export function createBenchmarkService(parts: Parts, datasets: DatasetService, runs: RunService) {
  const { store, project, runner, queue, now, newId } = parts

  async function evaluate(checkpoint: string, dataset: string, settings: BenchmarkSettings, signal: AbortSignalLike, observe: (event: JobEvent) => void) {
    const snapshot = await datasets.snapshotOf(dataset)
    const sha256 = await weightsHash(checkpoint)
    // The prompt decides too, and stands beside each answer: the job compares it.
    const key = JSON.stringify({ decoding: 'greedy', maxNewTokens: settings.maxNewTokens })
    const ids = [...store.datasets.samples(datasets.named(dataset).id)].map(({ id }) => id)
    const answers = store.benchmarkAnswers.of(sha256, key, ids)
    const job: BenchmarkJob = { kind: 'benchmark', project, checkpoint, snapshot, settings, answers: [...answers] }
    const evaluationId = newId('evaluation')
    store.evaluations.insert({ id: evaluationId, studyId: null, phaseId: null, encoder: null, seed: null, job: { ...job, answers: [] }, createdAtMs: now() })
    for await (const event of runner(job, signal, { backend: store.settings.get().backend })) {
      if (event.kind === 'items' && event.metric === 'answers') {
        const told = event.items.map(({ itemId, detail }) => parse(benchmarkAnswerSchema, { itemId, ...(detail as object) }, 'internal', 'answer'))
        store.benchmarkAnswers.insert(sha256, key, now(), told)
      } else if (event.kind === 'items') store.evaluations.insertItems(evaluationId, event.metric, event.items)
      else if (event.kind === 'result') store.evaluations.insertResult(evaluationId, event.metric, event.value, event.n, event.interval)
      observe(event)
    }
    return { dataset, evaluationId, results: store.evaluations.resultsOf(evaluationId), reused: answers.length }
  }

  return {
    evaluate(request: BenchmarkRequest, signal: AbortSignalLike, observe: (event: JobEvent) => void = () => {}): Promise<BenchmarkReport> {
      return inTurn(queue, async () => {
        const checkpoint = runs.modelFolder(request.checkpoint)
        const evaluations: BenchmarkReport['evaluations'][number][] = []
        for (const dataset of request.datasets) evaluations.push(await evaluate(checkpoint, dataset, request.settings, signal, observe))
        const values = evaluations.flatMap(({ results }) => results.map(({ metric, value }): [string, number] => [metric, value]))
        return { evaluations, paper: paperSummary(new Map(values)) }
      })
    },
  }
}

/** @throws LabError 'not-found' for a folder without lab.json */
async function weightsHash(folder: string): Promise<string> {
  const file = join(folder, 'lab.json')
  if (!existsSync(file))
    throw new LabError('not-found', `${file}: expected the record of a checkpoint of the lab, found none; train or import the model first`, { file })
  return parse(z.object({ sha256: z.string() }), JSON.parse(await readFile(file, 'utf8')), 'corrupt-artifact', file).sha256
}
