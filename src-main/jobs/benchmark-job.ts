// Asks a checkpoint a benchmark's questions, greedily, and scores the answers. Answers go out as they come, so that a stopped
// job costs a batch; those given before come with the job, and are taken where the prompt is still the very same.

import * as tf from '@tensorflow/tfjs'
import type { BenchmarkItem } from '../domain/benchmark.ts'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, BenchmarkJob, ItemResult, JobEvent } from '../domain/job.ts'
import type { SampleOf } from '../domain/sample.ts'
import type { ItemDetail } from '../domain/study-results.ts'
import { greedyAnswers } from '../engine/generate.ts'
import { imageTokens } from '../engine/models/multimodal-lm.ts'
import { encodeRow } from '../engine/text/collate.ts'
import { withImage } from './batches.ts'
import { intervalOf, metricOf, valueOf, type Benchmark, type Judged, type Score, type ScoreRow } from './benchmarks/benchmark.ts'
import { judgeAnswer, letterAt } from './benchmarks/judge.ts'
import { BENCHMARK_OF } from './benchmarks/published.ts'
import { decoderOf } from './compile/compiled-model.ts'
import { batchesOf, drawSamples } from './evaluate/bench.ts'
import { openMeasuredModel } from './evaluate/measured-model.ts'
import { readSnapshot, samplesOf } from './samples.ts'

type Question = SampleOf<'questions'>

interface Ask {
  readonly id: string
  readonly sample: Question
  readonly item: BenchmarkItem
  readonly prompt: string
}

/** @throws LabError 'cancelled' between batches; 'invalid-input' unless the snapshot holds one benchmark; 'not-found', 'corrupt-artifact' */
export async function* runBenchmarkJob(job: BenchmarkJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const { settings } = job
  const { benchmark, questions } = ofOneBenchmark(samplesOf(await readSnapshot(job.project, job.snapshot), 'questions'))
  const units = [...Map.groupBy(questions, unitOf).values()]
  const drawn = settings.limit === null ? units : drawSamples(units, settings.limit, settings.seed, 'benchmark')
  const asks = drawn.flatMap((unit) => unit.flatMap((sample) => asksOf(benchmark, sample, unit.length === 1, settings.suffix)))
  const kept = new Map(job.answers.map((each) => [each.itemId, each]))
  const given = new Map<string, string>()
  for (const { id, prompt } of asks) {
    const before = kept.get(id)
    if (before?.prompt === prompt) given.set(id, before.answer)
  }

  const open = asks.filter(({ id }) => !given.has(id))
  yield { kind: 'part', name: 'answers', of: asks.length }
  yield { kind: 'progress', done: given.size, of: asks.length }
  if (open.length > 0) yield* answer(job, open, asks.length, given, signal)

  const judged = judgedOf(benchmark, asks, given)
  if (judged.length === 0)
    throw new LabError('invalid-input', `${benchmark.name}: none of ${asks.length} questions fits into the model's positions with an answer of ${settings.maxNewTokens} tokens; lower maxNewTokens or choose a model that reads more`)
  for (const score of benchmark.scores(judged)) yield* told(benchmark, score, settings.seed)
  yield* told(benchmark, unparsedScore(judged), settings.seed)
}

/** Answers what is open, shortest prompts first; fills `given`. */
async function* answer(job: BenchmarkJob, open: readonly Ask[], of: number, given: Map<string, string>, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  const { maxNewTokens, batchSize } = job.settings
  const measured = await openMeasuredModel(job.project, job.checkpoint)
  try {
    const { model, tokenizer, numImageTokens } = measured
    const { maxPositionEmbeddings } = model.spec.languageModel
    const encoded = open.map((ask) => {
      const turns = [{ from: 'human', text: withImage(ask.prompt, ask.sample.image !== null) }, { from: 'assistant', text: 'x' }] as const
      const row = encodeRow(tokenizer, turns, numImageTokens)
      return { ...ask, tokens: row.ids.slice(0, row.isAnswer.indexOf(true)) }
    })
    const able = encoded.filter(({ tokens }) => tokens.length + maxNewTokens <= maxPositionEmbeddings)
    if (able.length < encoded.length)
      yield {
        kind: 'log',
        level: 'warning',
        message: `${encoded.length - able.length} questions with an answer of ${maxNewTokens} tokens are longer than ${maxPositionEmbeddings} and are left out of every score`,
      }
    for (const group of batchesOf(able.toSorted((a, b) => a.tokens.length - b.tokens.length), batchSize)) {
      if (signal.aborted) throw new LabError('cancelled', 'cancelled while answering')
      const features = await measured.features(group.map(({ sample }) => sample.image))
      const tokens = tf.tidy(() => imageTokens(model, features))
      const answers = greedyAnswers(model, group.map((each) => each.tokens), tokens, tokenizer, { endIds: tokenizer.endIds, maxNewTokens }, decoderOf(measured))
      tf.dispose([features, tokens])
      const items = group.map(({ id, sample, prompt }, i): ItemResult => {
        const text = tokenizer.decode(answers[i]!)
        given.set(id, text)
        return { itemId: id, cluster: clusterOf(sample), group: null, value: answers[i]!.length, detail: { prompt, answer: text } }
      })
      yield { kind: 'items', metric: 'answers', items }
      yield { kind: 'progress', done: given.size, of }
    }
    for (const message of measured.warnings) yield { kind: 'log', level: 'warning', message }
  } finally {
    measured.dispose()
  }
}

function ofOneBenchmark(samples: readonly Question[]): { readonly benchmark: Benchmark; readonly questions: readonly Question[] } {
  const names = new Set(samples.map(({ content }) => content.benchmark?.name))
  const [name] = names
  if (names.size !== 1 || name === undefined)
    throw new LabError(
      'invalid-input',
      `benchmark: expected questions of one benchmark, found ${[...names].map((each) => each ?? 'questions of none').join(', ') || 'no questions'}; import its records with --benchmark under a name of their own`,
    )
  return { benchmark: BENCHMARK_OF[name], questions: samples }
}

const clusterOf = ({ id, image }: Question) => image?.sha256 ?? id
const unitOf = (sample: Question) => sample.content.benchmark!.unit ?? clusterOf(sample)

/** A question, or of a circular benchmark each rotation of its options: the one by r begins with option r. */
function asksOf(benchmark: Benchmark, sample: Question, isAlone: boolean, suffix: string | null): readonly Ask[] {
  const item = sample.content.benchmark!
  const rotations = benchmark.isCircular === true && isAlone ? Math.max(1, item.options.length) : 1
  return Array.from({ length: rotations }, (_, r) => {
    const rotated = r === 0 ? item : rotatedBy(r, item)
    const { question } = sample.content
    const lines = [item.context, question, ...rotated.options.map((option, i) => `${letterAt(i)}. ${option}`), suffix ?? benchmark.suffix(question, item)]
    return { id: r === 0 ? sample.id : `${sample.id}/${r}`, sample, item: rotated, prompt: lines.filter((line) => line !== null && line !== '').join('\n') }
  })
}

function rotatedBy(r: number, item: BenchmarkItem): BenchmarkItem {
  const n = item.options.length
  return {
    ...item,
    options: [...item.options.slice(r), ...item.options.slice(0, r)],
    answers: item.answers.map((letter) => letterAt((letter.charCodeAt(0) - 65 - r + n) % n)),
  }
}

/** Questions all of whose prompts have been answered. */
function judgedOf(benchmark: Benchmark, asks: readonly Ask[], given: ReadonlyMap<string, string>): readonly Judged[] {
  return [...Map.groupBy(asks, ({ sample }) => sample).entries()].flatMap(([sample, own]): Judged[] => {
    if (own.some(({ id }) => !given.has(id))) return []
    const answers = own.map(({ id, item, prompt }) => {
      const text = given.get(id)!
      return { prompt, expected: item.answers, given: text, ...judgeAnswer(benchmark.measure(item), item, text) }
    })
    return [{ sample, item: sample.content.benchmark!, cluster: clusterOf(sample), unit: unitOf(sample), value: answers[0]!.value, answers }]
  })
}

/** The share of questions of whose answer, or one of whose answers, nothing could be made. */
function unparsedScore(judged: readonly Judged[]): Score {
  const rows = judged.map((each): ScoreRow => ({
    id: each.sample.id,
    cluster: each.cluster,
    group: each.sample.content.category,
    value: each.answers.some(({ parsed }) => parsed === null) ? 1 : 0,
    judged: [each],
  }))
  return { name: 'unparsed', rows }
}

function* told(benchmark: Benchmark, score: Score, seed: number): Generator<JobEvent> {
  const metric = metricOf(benchmark.name, score)
  const items = score.rows.map((row): ItemResult => {
    const detail: ItemDetail = {
      kind: 'benchmark',
      answers: row.judged.flatMap(({ sample, answers }) => answers.map((each) => ({ ...each, expected: [...each.expected], image: sample.image?.sha256 ?? null }))),
    }
    return { itemId: row.id, cluster: row.cluster, group: row.group, value: row.value, detail, ...(row.terms === undefined ? {} : { terms: row.terms }) }
  })
  yield { kind: 'items', metric, items }
  const interval = intervalOf(benchmark.name, score, seed)
  yield { kind: 'result', metric, value: valueOf(benchmark.name, score), n: score.rows.length, ...(interval === null ? {} : { interval }) }
}
