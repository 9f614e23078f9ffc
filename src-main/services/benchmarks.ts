// Benchmarks: a model answers a dataset's questions, and its scores are kept with intervals and the items behind them. An
// answer is kept as it comes; whoever asks again, after a break or with another seed, gets it without computing it.

import {
  BENCHMARK_TITLES,
  benchmarkAnswerSchema,
  PAPER_GROUPS,
  paperSummary,
  type BenchmarkName,
  type BenchmarkRow,
  type BenchmarkSettings,
  type PaperSummary,
} from '../domain/benchmark.ts'
import type { DataTaskResult } from '../domain/data-task.ts'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, BenchmarkJob, JobEvent } from '../domain/job.ts'
import { isHeadline } from '../domain/metric.ts'
import { parse } from '../domain/parse.ts'
import { scoreOfTotals } from '../domain/score-of-totals.ts'
import type { ResultWithInterval } from '../store/evaluations.ts'
import { conditionsOf, rowIdOf } from './comparison/conditions.ts'
import type { DataTaskService, TaskWork } from './data-tasks.ts'
import type { DatasetService } from './datasets.ts'
import type { EncoderService } from './encoders.ts'
import type { Parts } from './parts.ts'
import type { RunService } from './runs.ts'
import { weightsIdentity } from './model-identity.ts'
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

interface Answerer {
  readonly folder: string
  readonly encoderId: string | null
  readonly sha256: string
}

export interface BenchmarkServices {
  readonly datasets: DatasetService
  readonly runs: RunService
  readonly encoders: EncoderService
  readonly tasks: DataTaskService
}

export type BenchmarkService = ReturnType<typeof createBenchmarkService>

export function createBenchmarkService(parts: Parts, { datasets, runs, encoders, tasks }: BenchmarkServices) {
  const { store, project, runner, queue, now, newId } = parts

  tasks.define('benchmark', (request) => ({
    title: `${request.datasets.length === 1 ? request.datasets[0]! : `${request.datasets.length} benchmarks`} on ${request.encoders.length === 1 ? '1 encoder' : `${request.encoders.length} encoders`}`,
    lane: 'engine',
    work: (work) => runAll(request, work),
  }))

  async function evaluate({ folder, encoderId, sha256 }: Answerer, dataset: string, settings: BenchmarkSettings, signal: AbortSignalLike, observe: (event: JobEvent) => void) {
    const snapshot = await datasets.snapshotOf(dataset)
    // The prompt decides too, and stands beside each answer: the job compares it.
    const key = JSON.stringify({ decoding: 'greedy', maxNewTokens: settings.maxNewTokens })
    const ids = [...store.datasets.samples(datasets.named(dataset).id)].map(({ id }) => id)
    const answers = store.benchmarkAnswers.of(sha256, key, ids)
    const job: BenchmarkJob = { kind: 'benchmark', project, checkpoint: folder, snapshot, settings, answers: [...answers] }
    const evaluationId = newId('evaluation')
    store.evaluations.insert({ id: evaluationId, studyId: null, phaseId: null, encoder: null, seed: null, encoderId, protocol: null, job: { ...job, answers: [] }, createdAtMs: now() })
    try {
      for await (const event of runner(job, signal, { backend: store.settings.get().backend })) {
        if (event.kind === 'items' && event.metric === 'answers') {
          const told = event.items.map(({ itemId, detail }) => parse(benchmarkAnswerSchema, { itemId, ...(detail as object) }, 'internal', 'answer'))
          store.benchmarkAnswers.insert(sha256, key, now(), told)
        } else if (event.kind === 'items') store.evaluations.insertItems(evaluationId, event.metric, event.items)
        else if (event.kind === 'result') store.evaluations.insertResult(evaluationId, event.metric, event.value, event.n, event.interval)
        observe(event)
      }
    } catch (thrown) {
      // Answers stay; scores of some of them would pass for the whole.
      store.evaluations.delete(evaluationId)
      throw thrown
    }
    return { dataset, evaluationId, results: store.evaluations.resultsOf(evaluationId), reused: answers.length }
  }

  /** Every benchmark on every encoder; what an encoder has answered under the same conditions is left alone. */
  async function runAll(request: { readonly encoders: readonly string[]; readonly datasets: readonly string[]; readonly settings: BenchmarkSettings }, { signal, progress, piece }: TaskWork): Promise<DataTaskResult> {
    const measured = encoders.measurable(request.encoders)
    const known = new Map(encoders.list().map((each) => [each.id, each]))
    const [all, failures] = [measured.length * request.datasets.length, [] as { encoder: string; dataset: string; message: string }[]]
    let [evaluations, reused, at] = [0, 0, 0]
    for (const dataset of request.datasets) {
      const snapshot = await datasets.snapshotOf(dataset)
      for (const { id, name, folder } of measured) {
        piece(++at, all)
        const part = `${at} of ${all}: ${dataset}, ${name}`
        if (hasAnswered(id, snapshot, request.settings)) {
          reused++
          continue
        }
        try {
          await evaluate({ folder, encoderId: id, sha256: known.get(id)!.sha256! }, dataset, request.settings, signal, (event) => {
            if (event.kind === 'progress') progress(part, event.done, event.of)
          })
          evaluations++
        } catch (thrown) {
          if (!(thrown instanceof LabError) || thrown.code === 'cancelled') throw thrown
          failures.push({ encoder: id, dataset, message: thrown.message })
        }
      }
    }
    if (failures.length > 0 && evaluations + reused === 0) throw new LabError('invalid-input', failures.map(({ message }) => message).join('\n'))
    return { kind: 'benchmark', evaluations, reused, failures }
  }

  /** Measured whole: with what its scores are made of, which an earlier version did not keep. */
  function hasAnswered(encoderId: string, snapshot: string, settings: BenchmarkSettings): boolean {
    const wanted = rowIdOf('', conditionsOf({ job: { kind: 'benchmark', snapshot, settings }, protocol: null }, ''))
    return store.evaluations.headsOf([encoderId]).some(({ id, job, protocol }) => {
      if (job['kind'] !== 'benchmark' || rowIdOf('', conditionsOf({ job, protocol }, '')) !== wanted) return false
      const results = store.evaluations.resultsOf(id)
      return results.length > 0 && results.every(({ metric }) => scoreOfTotals(metric) === null || !store.evaluations.lacksTerms(id, metric))
    })
  }

  return {
    evaluate(request: BenchmarkRequest, signal: AbortSignalLike, observe: (event: JobEvent) => void = () => {}): Promise<BenchmarkReport> {
      return inTurn(queue, async () => {
        const folder = runs.modelFolder(request.checkpoint)
        const answerer = { folder, encoderId: encoders.idOf(request.checkpoint), sha256: await weightsIdentity(folder) }
        const evaluations: BenchmarkReport['evaluations'][number][] = []
        for (const dataset of request.datasets) evaluations.push(await evaluate(answerer, dataset, request.settings, signal, observe))
        const values = evaluations.flatMap(({ results }) => results.map(({ metric, value }): [string, number] => [metric, value]))
        return { evaluations, paper: paperSummary(new Map(values)) }
      })
    },
    /** Begins a task that asks the encoders' models every benchmark. @throws LabError 'not-found' for an encoder or a dataset */
    run(request: { readonly encoders: readonly string[]; readonly datasets: readonly string[]; readonly settings: BenchmarkSettings }): { readonly taskId: string } {
      encoders.measurable(request.encoders)
      for (const dataset of request.datasets)
        if (store.benchmarkAnswers.benchmarkOf(datasets.named(dataset).id) === null)
          throw new LabError('invalid-input', `"${dataset}": expected questions of a benchmark, found none; import its records with --benchmark under a name of their own`, { dataset })
      return tasks.start({ kind: 'benchmark', encoders: [...request.encoders], datasets: [...request.datasets], settings: request.settings })
    },
    /** Datasets that hold a benchmark, with the headline scores of every encoder that has answered it. */
    list(): readonly BenchmarkRow[] {
      const heads = store.evaluations.headsOf(encoders.list().flatMap(({ members }) => members)).filter(({ job }) => job['kind'] === 'benchmark')
      return store.datasets.list().flatMap((dataset): BenchmarkRow[] => {
        const name = store.benchmarkAnswers.benchmarkOf(dataset.id)
        if (name === null) return []
        const snapshots = new Set(store.datasets.snapshotsOf(dataset.id).map(({ sha256 }) => sha256))
        const results = heads
          .filter(({ job }) => snapshots.has(String(job['snapshot'])))
          .flatMap(({ id, encoderId }) => store.evaluations.resultsOf(id).flatMap((result) => (isHeadline(result.metric) ? [{ encoder: encoderId!, ...result }] : [])))
        const questions = Object.values(dataset.samples).reduce((sum, each) => sum + each, 0)
        return [{ datasetId: dataset.id, dataset: dataset.name, benchmark: name, title: BENCHMARK_TITLES[name], group: groupOf(name), questions, images: dataset.images, results }]
      })
    },
  }
}

/** The paper's group that a benchmark belongs to; null: outside of its sixteen. */
function groupOf(name: BenchmarkName): string | null {
  return Object.entries(PAPER_GROUPS).find(([, metrics]) => metrics.some((metric) => metric.startsWith(`benchmark/${name}/`)))?.[0] ?? null
}
