// Making a queue: candidates from a dataset, a rule or models' answers; put into the order that teaches most; repeats and
// gold items planted. Where a model has to work, a job does it in its turn, and the queue's row tells how far it is.

import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { z } from 'zod'
import { LabError } from '../domain/errors.ts'
import type { AnswersJob, ItemResult, Job, PairScoresJob } from '../domain/job.ts'
import { orderByDisagreement, orderByMargin, type ScoredItem } from '../domain/labelling/item-order.ts'
import { answerOn, type Answer } from '../domain/labelling/judgement.ts'
import { planSlots, type PlannedItem } from '../domain/labelling/plan-slots.ts'
import type { LabelItem, QueueRequest, QueueSource } from '../domain/labelling/queue.ts'
import { verdictTable } from '../domain/labelling/trust.ts'
import { createRandom } from '../domain/random.ts'
import { candidatesSchema } from '../domain/reading.ts'
import type { Sample } from '../domain/sample.ts'
import type { DatasetService } from './datasets.ts'
import type { LabellingService } from './labelling.ts'
import type { Parts } from './parts.ts'
import { createReader } from './read.ts'
import type { RunService } from './runs.ts'
import { createStopRequest, endingOf, type StopRequest } from './stop-request.ts'

export type LabelQueueService = ReturnType<typeof createLabelQueueService>

const BATCH_SIZE = 16
const ROWS_AT_ONCE = 500

export function createLabelQueueService(
  parts: Parts,
  services: { readonly datasets: DatasetService; readonly runs: RunService; readonly labelling: LabellingService },
) {
  const { store, project, runner, queue: workQueue, now, newId, announce } = parts
  const { datasets, runs, labelling } = services
  const read = createReader(parts)
  const underWay = new Map<string, { readonly stop: StopRequest; readonly ended: Promise<void> }>()

  /** The items of one job, by id, while the queue's row follows its progress. */
  async function itemsOf(queueId: string, job: Job, title: string, stop: StopRequest): Promise<ReadonlyMap<string, readonly ItemResult[]>> {
    const byMetric = new Map<string, ItemResult[]>()
    for await (const event of runner(job, stop.signal, { backend: store.settings.get().backend })) {
      if (event.kind === 'items') byMetric.set(event.metric, [...(byMetric.get(event.metric) ?? []), ...event.items])
      if (event.kind !== 'part' && event.kind !== 'progress') continue
      labelTheProgress(queueId, title, event.kind === 'part' ? 0 : event.done, event.of)
    }
    return byMetric
  }

  function labelTheProgress(queueId: string, part: string, done: number, of: number): void {
    store.labelQueues.setProgress(queueId, { part, done, of }, now())
    announce({ name: 'labelling.changed', value: { queueId } })
  }

  /** Samples that the source asks for, drawn by lot; of other kinds than `kinds` are refused. */
  async function samplesOf(
    source: Extract<QueueSource, { dataset: string }>,
    kinds: readonly Sample['content']['kind'][],
    seed: number,
    stop: StopRequest,
  ): Promise<z.output<typeof candidatesSchema>> {
    const dataset = datasets.named(source.dataset)
    if (!kinds.includes(dataset.kind))
      throw new LabError('invalid-input', `source.dataset: expected ${kinds.join(' or ')}, "${dataset.name}" holds ${dataset.kind}`, {
        dataset: dataset.name,
      })
    const { split, category, tag, search, limit } = source
    const nearMisses = source.kind === 'near-miss'
    const found = await read({ kind: 'candidates', datasetId: dataset.id, split, category, tag, search, limit, seed, nearMisses }, candidatesSchema, stop.signal)
    if (found.length === 0)
      throw new LabError(
        'invalid-input',
        `source: no sample of "${dataset.name}" is in split ${split}${category && ` and category "${category}"`}${tag && ` and has the tag "${tag}"`}` +
          `${search && ` and holds "${search}"`}${nearMisses ? ', or none of them has a near miss' : ''}. It holds ${Object.entries(dataset.samples).map(([each, n]) => `${n} ${each}`).join(', ')}.`,
        { dataset: dataset.name },
      )
    return found
  }

  /** Candidates in stored order. */
  async function candidates(queueId: string, request: QueueRequest, stop: StopRequest): Promise<LabelItem[]> {
    const { source, settings } = request
    switch (source.kind) {
      case 'pairs':
        return (await samplesOf(source, ['preferences'], settings.seed, stop)).map(({ sample }) => pairItem(sample, source.dataset))
      case 'near-miss':
        return (await samplesOf(source, ['questions'], settings.seed, stop)).map(({ sample, nearMiss }) =>
          itemOf(sample, answerOfSample(sample), 'right answer', nearMiss!, 'near miss'),
        )
      case 'two-models':
      case 'two-images': {
        const samples = (await samplesOf(source, ['questions', 'conversations', 'preferences'], settings.seed, stop)).map(({ sample }) => sample)
        const prompts = samples.map((sample) => ({ id: sample.id, image: sample.image, prompt: promptOf(sample) }))
        const ask = async (runId: string, image: AnswersJob['image'], temperature: number, seed: number, title: string) => {
          const job: AnswersJob = {
            kind: 'answers',
            project,
            checkpoint: runs.newestCheckpoint(runId),
            prompts,
            image,
            temperature,
            seed,
            maxNewTokens: source.maxNewTokens,
            batchSize: BATCH_SIZE,
          }
          const items = (await itemsOf(queueId, job, title, stop)).get('answers') ?? []
          return new Map(items.map(({ itemId, detail }) => [itemId, String(detail).trim()]))
        }
        const nameOf = (runId: string) => runs.get(runId).row.name
        const isTwoModels = source.kind === 'two-models'
        const [firstRun, secondRun] = isTwoModels ? [source.first, source.second] : [source.run, source.run]
        const temperature = isTwoModels ? source.temperature : 0
        const isSameModel = firstRun === secondRun
        if (isTwoModels && isSameModel && temperature === 0)
          throw new LabError(
            'invalid-input',
            'source.temperature: expected above 0 where both answers are of one run, got 0: the two answers would be the same',
            { path: ['source', 'temperature'] },
          )
        const first = await ask(firstRun, 'true', temperature, settings.seed, 'First answers')
        const second = await ask(secondRun, isTwoModels ? 'true' : source.image, temperature, settings.seed + 1, 'Second answers')
        const sources = isTwoModels
          ? [nameOf(firstRun), isSameModel ? `${nameOf(secondRun)}, second sample` : nameOf(secondRun)]
          : [`${nameOf(firstRun)}, true image`, `${nameOf(secondRun)}, ${source.image} image`]
        const answered = samples.filter(({ id }) => (first.get(id) ?? '') !== '' && (second.get(id) ?? '') !== '')
        const unlike = answered.filter(({ id }) => first.get(id) !== second.get(id))
        if (unlike.length === 0)
          throw new LabError(
            'invalid-input',
            `source: nothing to judge: of ${samples.length} prompts ${samples.length - answered.length} got an empty answer and ${answered.length} the same answer twice. ` +
              (isTwoModels ? 'Draw answers with a temperature above 0, or ask more prompts.' : 'Take another image in place of the true one, or ask more prompts.'),
            { path: ['source'] },
          )
        return unlike.map((sample) => itemOf(sample, first.get(sample.id)!, sources[0]!, second.get(sample.id)!, sources[1]!))
      }
      case 'edits':
        return labelling
          .judgedOf(source.queueId)
          .filter(({ judgement }) => judgement.edit !== null)
          .map(({ judgement, item }) => {
            const of = answerOn(judgement.edit!.side, judgement.aShows)
            return withId({
              ...item,
              first: { text: judgement.edit!.text, source: `edit by ${judgement.labeller}` },
              second: item[of],
            })
          })
      case 'disagreements': {
        const votes = verdictTable(labelling.judgedOf(source.queueId))
        return store.labelQueues.items(source.queueId).filter(({ id }) => new Set(votes.get(id)?.values()).size > 1)
      }
    }
  }

  /** Candidates in the order asked for, each with the reason why it stands there. */
  async function ordered(queueId: string, request: QueueRequest, items: readonly LabelItem[], stop: StopRequest): Promise<PlannedItem[]> {
    const { order, settings, source } = request
    const inOrder = (reason: (item: LabelItem) => string, of = items) => of.map((item) => ({ itemId: item.id, reason: reason(item) }))
    if (source.kind === 'disagreements') {
      const votes = verdictTable(labelling.judgedOf(source.queueId))
      return inOrder(({ id }) => `${[...(votes.get(id)?.keys() ?? [])].toSorted().join(' and ')} disagree`)
    }
    switch (order.kind) {
      case 'as-stored':
        return inOrder(() => 'As stored')
      case 'random':
        return inOrder(() => 'Drawn at random', createRandom(settings.seed, 'order').shuffle(items))
      case 'small-margin':
      case 'seed-disagreement': {
        const scores: ScoredItem[][] = []
        for (const [i, runId] of order.runs.entries()) {
          const title = order.runs.length === 1 ? 'Margins of the model' : `Margins of model ${i + 1} of ${order.runs.length}`
          const scored = (await itemsOf(queueId, scoresJob(runId, items, settings.seed, false), title, stop)).get('margin/true') ?? []
          scores.push(scored.map(({ itemId, value }) => ({ itemId, value })))
        }
        return order.kind === 'small-margin' ? orderByMargin(scores[0]!) : orderByDisagreement(scores)
      }
      case 'diversity': {
        const ranks = (await itemsOf(queueId, scoresJob(order.runs[0]!, items, settings.seed, true), 'Features of the images', stop)).get('diversity/rank') ?? []
        return ranks
          .toSorted((x, y) => x.value - y.value)
          .map(({ itemId, detail }) => ({ itemId, reason: `Image unlike those before: cosine distance ${Number(detail).toFixed(2)} to the nearest` }))
      }
    }
  }

  function scoresJob(runId: string, items: readonly LabelItem[], seed: number, diversity: boolean): PairScoresJob {
    return {
      kind: 'pair-scores',
      project,
      checkpoint: runs.newestCheckpoint(runId),
      reference: null,
      beta: 1,
      pairs: items.map(({ id, image, prompt, first, second }) => ({ id, image, prompt, first: first.text, second: second.text })),
      images: diversity ? [] : ['true'],
      diversity,
      seed,
      batchSize: BATCH_SIZE,
    }
  }

  async function goldOf({ settings }: QueueRequest, stop: StopRequest): Promise<readonly { readonly item: LabelItem; readonly expected: Answer }[]> {
    if (settings.gold === null) return []
    const dataset = datasets.named(settings.gold.dataset)
    if (dataset.kind !== 'preferences')
      throw new LabError('invalid-input', `settings.gold.dataset: expected preferences, "${dataset.name}" holds ${dataset.kind}`, {
        path: ['settings', 'gold', 'dataset'],
      })
    const everything = { split: null, category: '', tag: '', search: '', limit: null, seed: 0, nearMisses: false } as const
    const found = await read({ kind: 'candidates', datasetId: dataset.id, ...everything }, candidatesSchema, stop.signal)
    return found.map(({ sample }) => ({ item: pairItem(sample, dataset.name), expected: 'first' }))
  }

  async function make(queueId: string, request: QueueRequest, stop: StopRequest): Promise<void> {
    const items = unique(await candidates(queueId, request, stop))
    if (items.length === 0)
      throw new LabError(
        'invalid-input',
        'source: nothing to judge came out of it: nobody has edited an answer, nobody disagrees, or both answers of every pair are alike. Choose another source.',
      )
    const plan = await ordered(queueId, request, items, stop)
    const gold = await goldOf(request, stop)
    const slots = planSlots(plan, gold.map(({ item, expected }) => ({ itemId: item.id, expected })), request.settings)
    const used = new Set(slots.map(({ itemId }) => itemId))
    const kept = [...items, ...gold.map(({ item }) => item)].filter(({ id }) => used.has(id))
    await someAtATime(kept, stop, (item) => store.labelQueues.insertItem(queueId, item))
    await someAtATime(slots, stop, (slot) => store.labelQueues.insertSlot(queueId, slot))
    store.labelQueues.end(queueId, 'ready', null)
  }

  /** In transactions between which others are answered. */
  async function someAtATime<T>(values: readonly T[], { signal }: StopRequest, write: (value: T) => void): Promise<void> {
    for (let from = 0; from < values.length; from += ROWS_AT_ONCE) {
      if (signal.aborted) throw new LabError('cancelled', 'stopped while the queue was made')
      store.transaction(() => values.slice(from, from + ROWS_AT_ONCE).forEach(write))
      await nextTurn()
    }
  }

  return {
    /** Answers at once; the queue's row says when it is ready, or why not. */
    create(request: QueueRequest): { queueId: string } {
      if (store.labelQueues.findNamed(request.name) !== null)
        throw new LabError('conflict', `name: there is a queue "${request.name}" already; choose another name`, { path: ['name'] })
      if ('dataset' in request.source) datasets.named(request.source.dataset)
      if ('queueId' in request.source) labelling.ready(request.source.queueId)
      const queueId = newId('queue')
      store.transaction(() => {
        store.labelQueues.insert({ id: queueId, createdAtMs: now(), name: request.name, source: request.source, order: request.order, settings: request.settings })
        store.labelQueues.insertGuidelines(queueId, { version: 1, text: request.guidelines, createdAtMs: now() })
      })
      const stop = createStopRequest()
      const work = async () => {
        try {
          if (stop.signal.aborted) throw new LabError('cancelled', 'cancelled before it began')
          await make(queueId, request, stop)
        } catch (thrown) {
          const ending = endingOf(thrown, stop)
          if (ending.status === 'failed') store.labelQueues.end(queueId, 'failed', ending.failure)
          else store.labelQueues.delete(queueId)
        }
        announce({ name: 'labelling.changed', value: { queueId } })
      }
      // Only what a model has to work for waits for the machine.
      const needsModel = request.source.kind === 'two-models' || request.source.kind === 'two-images' || 'runs' in request.order
      const ended = needsModel ? workQueue.add(work) : work()
      underWay.set(queueId, { stop, ended })
      void ended.finally(() => underWay.delete(queueId))
      announce({ name: 'labelling.changed', value: { queueId } })
      return { queueId }
    },
    /** Stops the making; what was begun is gone. */
    cancel(queueId: string): void {
      const active = underWay.get(queueId)
      if (active === undefined)
        throw new LabError('conflict', `queue "${labelling.found(queueId).name}" is not being made: there is nothing to cancel`, { queueId })
      active.stop.ask('cancel')
    },
    async ended(queueId: string): Promise<void> {
      await underWay.get(queueId)?.ended
    },
    stopAll(): void {
      for (const { stop } of underWay.values()) stop.ask('cancel')
    },
    /** Queues that a process left half made when it died. For the only writer, at its start. */
    recover(): void {
      for (const queueId of store.labelQueues.making())
        store.labelQueues.end(queueId, 'failed', {
          code: 'process-died',
          message: 'the lab was closed while this queue was being made; delete it and make it again',
          details: {},
        })
    },
  }
}

function pairItem(sample: Sample, dataset: string): LabelItem {
  const { content } = sample
  if (content.kind !== 'preferences') throw new LabError('internal', `"${dataset}" holds something else than preferences`)
  return itemOf(sample, content.chosen, `chosen of ${dataset}`, content.rejected, `rejected of ${dataset}`)
}

function itemOf(sample: Sample, first: string, firstSource: string, second: string, secondSource: string): LabelItem {
  const { content } = sample
  const told = content.kind === 'questions' || content.kind === 'preferences' ? content : { group: null, category: null, region: [] }
  return withId({
    id: '',
    image: sample.image,
    prompt: promptOf(sample),
    first: { text: first, source: firstSource },
    second: { text: second, source: secondSource },
    group: told.group,
    category: told.category,
    split: sample.split,
    region: [...told.region],
  })
}

function withId(item: LabelItem): LabelItem {
  const words = [item.image?.sha256 ?? '', item.prompt, item.first.text, item.second.text]
  return { ...item, id: createHash('sha256').update(JSON.stringify(words)).digest('hex') }
}

function unique(items: readonly LabelItem[]): LabelItem[] {
  return [...new Map(items.filter(({ first, second }) => first.text !== second.text).map((item) => [item.id, item])).values()]
}

/** The text before the answer, without the mark of the image. */
function promptOf({ content }: Sample): string {
  const text =
    content.kind === 'preferences' ? content.prompt : content.kind === 'questions' ? content.question : content.kind === 'conversations' ? content.turns[0]!.text : ''
  return text.replace(/<image>\n?/g, '').trim()
}

function answerOfSample({ content }: Sample): string {
  return content.kind === 'questions' ? content.answer : ''
}
