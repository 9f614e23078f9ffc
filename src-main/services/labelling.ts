// Judging: what a labeller sees next, what he said, taking it back, and how far his labels can be trusted. A judgement is
// in the database before the answer to it leaves, so the window cannot show the next item before the last one is kept.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import { sideOrder, verdictOf, type Judgement, type JudgementInput } from '../domain/labelling/judgement.ts'
import { labelBundleSchema, type LabelBundle } from '../domain/labelling/label-bundle.ts'
import { modelRankings, rankingsByLabeller, type ModelRanking } from '../domain/labelling/model-ranking.ts'
import { outcomesOf, type Outcome } from '../domain/labelling/outcome.ts'
import type { Guidelines, LabellerProgress, QueueRow, ShownItem, Slot, Upcoming } from '../domain/labelling/queue.ts'
import { trustReport, type JudgedSlot, type TrustReport } from '../domain/labelling/trust.ts'
import { masksOf } from '../domain/mask.ts'
import { parse } from '../domain/parse.ts'
import type { ImageRef, Region } from '../domain/sample.ts'
import { quantileOfSorted } from '../domain/statistics/description.ts'
import type { StoredQueue } from '../store/label-queues.ts'
import { openForReading } from '../store/database.ts'
import { createStore, type Store } from '../store/store.ts'
import type { Parts } from './parts.ts'
import { timeLeftOfPart } from './time-left.ts'

/** How far back an undo reaches. */
const UNDO_MS = 24 * 3_600_000
/** A pause of this length is a break. */
const BREAK_MS = 5 * 60_000
/** The pace is told over this many. */
const PACE_ITEMS = 50

export interface MergeSummary {
  readonly queueId: string
  readonly queue: string
  readonly labellers: string[]
  readonly added: number
  readonly unchanged: number
}

export type LabellingService = ReturnType<typeof createLabellingService>

export function createLabellingService({ store, now, newId, announce }: Pick<Parts, 'store' | 'now' | 'newId' | 'announce'>) {
  const { labelQueues, judgements } = store

  /** @throws LabError 'not-found' */
  function found(queueId: string): QueueRow {
    const queue = labelQueues.find(queueId)
    if (queue === null) throw new LabError('not-found', `there is no queue "${queueId}"; list them with: lab label list`, { queueId })
    return rowOf(queue)
  }

  function rowOf({ partSinceMs, ...queue }: StoredQueue): QueueRow {
    return {
      ...queue,
      leftMs: timeLeftOfPart(queue.progress, partSinceMs, now()),
      labellers: [...judgements.labellers(queue.id)],
    }
  }

  function ready(queueId: string): QueueRow {
    const queue = found(queueId)
    if (queue.status !== 'ready')
      throw new LabError(
        'conflict',
        queue.status === 'making'
          ? `queue "${queue.name}" is still being made: wait until it is ready`
          : `queue "${queue.name}" could not be made (${queue.failure?.message ?? 'unknown'}): delete it and make it again`,
        { queueId },
      )
    return queue
  }

  function slotOf(queue: QueueRow, ordinal: number): Slot {
    const slot = labelQueues.findSlot(queue.id, ordinal)
    if (slot === null)
      throw new LabError('not-found', `queue "${queue.name}" has ${queue.slots} places, there is no place ${ordinal}`, { ordinal })
    return slot
  }

  function shown(queue: QueueRow, labeller: string, ordinal: number): ShownItem {
    const slot = slotOf(queue, ordinal)
    const item = labelQueues.findItem(queue.id, slot.itemId)!
    const aShows = sideOrder(queue.settings.seed, labeller, item.id, slot.role === 'repeat')
    const [a, b] = aShows === 'first' ? [item.first, item.second] : [item.second, item.first]
    return {
      ordinal,
      image: item.image,
      prompt: item.prompt,
      a: a.text,
      b: b.text,
      reason: slot.reason,
      earlier: judgements.latestOf(queue.id, labeller, ordinal),
    }
  }

  function progressOf(queue: QueueRow, labeller: string): LabellerProgress {
    const nowMs = now()
    const { judged, ...counts } = judgements.counts(queue.id, labeller, startOfDay(nowMs))
    const recent = judgements.recent(queue.id, labeller)
    const seconds = recent
      .slice(0, PACE_ITEMS)
      .map((each) => each.seconds)
      .toSorted((x, y) => x - y)
    let unbrokenSince = recent[0]?.judgedAtMs ?? nowMs
    for (const { judgedAtMs, seconds: spent } of recent) {
      if (unbrokenSince - judgedAtMs > BREAK_MS) break
      unbrokenSince = Math.min(unbrokenSince, judgedAtMs - spent * 1000)
    }
    const last = recent[0]?.judgedAtMs
    return {
      ...counts,
      judged: judged - counts.skipped,
      slots: queue.slots,
      secondsPerItem: seconds.length === 0 ? null : quantileOfSorted(seconds, 0.5),
      minutesWithoutBreak: last === undefined || nowMs - last > BREAK_MS ? 0 : (last - unbrokenSince) / 60_000,
      mayUndo: judgements.newest(queue.id, labeller, nowMs - UNDO_MS) !== null,
    }
  }

  function upcoming(queueId: string, labeller: string, count: number, skipped: boolean): Upcoming {
    const queue = ready(queueId)
    const places = skipped ? judgements.skippedPlaces(queueId, labeller, count) : judgements.openPlaces(queueId, labeller, count)
    return { items: places.map((ordinal) => shown(queue, labeller, ordinal)), progress: progressOf(queue, labeller) }
  }

  /** Every standing judgement with its place and item. */
  function judgedOf(queueId: string, from: Pick<Store, 'labelQueues' | 'judgements'> = store): readonly JudgedSlot[] {
    const items = new Map(from.labelQueues.items(queueId).map((item) => [item.id, item]))
    const slots = new Map(from.labelQueues.slots(queueId).map((slot) => [slot.ordinal, slot]))
    return from.judgements.standing(queueId).map((judgement) => {
      const slot = slots.get(judgement.ordinal)!
      return { judgement, slot, item: items.get(slot.itemId)! }
    })
  }

  /** Of each item of `queueId` the newest verdict of a queue that adjudicates it. */
  function adjudicationsOf(queueId: string): ReadonlyMap<string, Judgement> {
    const final = new Map<string, Judgement>()
    for (const queue of labelQueues.list())
      if (queue.source.kind === 'disagreements' && queue.source.queueId === queueId)
        for (const { judgement, slot } of judgedOf(queue.id))
          if (slot.role === 'item' && verdictOf(judgement) !== null && (final.get(slot.itemId)?.judgedAtMs ?? -1) < judgement.judgedAtMs)
            final.set(slot.itemId, judgement)
    return final
  }

  function bundleFrom(from: Store, queueId: string): LabelBundle {
    const queue = from.labelQueues.find(queueId)
    if (queue === null) throw new LabError('not-found', `there is no queue "${queueId}"`, { queueId })
    const { id, name, source, order, settings, createdAtMs } = queue
    return {
      formatVersion: 1,
      queue: { id, name, source, order, settings, createdAtMs },
      guidelines: [...from.labelQueues.guidelines(queueId)],
      items: [...from.labelQueues.items(queueId)],
      slots: [...from.labelQueues.slots(queueId)],
      judgements: [...from.judgements.standing(queueId)],
    }
  }

  /** Judgements that are new come in; a queue that is unknown here comes whole, if its images are known. */
  function merge(bundle: LabelBundle): MergeSummary {
    const { queue } = bundle
    let added = 0
    store.transaction(() => {
      if (labelQueues.find(queue.id) === null) {
        const missing = bundle.items.filter(({ image }) => image !== null && store.datasets.findImage(image.sha256) === null)
        if (missing.length > 0)
          throw new LabError(
            'not-found',
            `queue "${queue.name}": ${missing.length} of its images are not in this project, the first ${missing[0]!.image!.sha256}. ` +
              'Import the dataset that it was made of, then merge again.',
            { queueId: queue.id },
          )
        if (labelQueues.findNamed(queue.name) !== null)
          throw new LabError('conflict', `another queue here is called "${queue.name}": delete or export that one first`, { name: queue.name })
        labelQueues.insert(queue)
        for (const each of bundle.guidelines) labelQueues.insertGuidelines(queue.id, each)
        for (const item of bundle.items) labelQueues.insertItem(queue.id, item)
        for (const slot of bundle.slots) labelQueues.insertSlot(queue.id, slot)
        labelQueues.end(queue.id, 'ready', null)
      } else {
        const [ours, theirs] = [labelQueues.slots(queue.id), bundle.slots]
        if (JSON.stringify(ours) !== JSON.stringify(theirs))
          throw new LabError(
            'conflict',
            `queue "${queue.name}" has other items here than in the file: labels of one are no labels of the other`,
            { queueId: queue.id },
          )
      }
      for (const judgement of bundle.judgements) {
        // An older file must not undo what the labeller has said since.
        const standing = judgements.standingOf(queue.id, judgement.labeller, judgement.ordinal)
        if (standing !== null && standing.judgedAtMs >= judgement.judgedAtMs) continue
        if (judgements.insert(judgement)) added += 1
      }
    })
    announce({ name: 'labelling.changed', value: { queueId: queue.id } })
    return {
      queueId: queue.id,
      queue: queue.name,
      labellers: [...new Set(bundle.judgements.map(({ labeller }) => labeller))].toSorted(),
      added,
      unchanged: bundle.judgements.length - added,
    }
  }

  return {
    found,
    ready,
    judgedOf,
    list: (): readonly QueueRow[] => labelQueues.list().map(rowOf),
    /** By id or by name. @throws LabError 'not-found', naming the queues that there are */
    named(name: string): QueueRow {
      const queue = labelQueues.findNamed(name) ?? labelQueues.find(name)
      if (queue !== null) return rowOf(queue)
      const names = labelQueues.list().map((each) => `"${each.name}"`)
      throw new LabError('not-found', `there is no queue "${name}"; the project holds ${names.join(', ') || 'none yet: make one'}`, { name })
    },
    upcoming,
    /** One place again, whatever was said of it. */
    place: (queueId: string, labeller: string, ordinal: number): ShownItem => shown(ready(queueId), labeller, ordinal),
    /** Stores the judgement, then says what comes next. */
    judge(input: JudgementInput, count: number, skipped: boolean): Upcoming {
      const queue = ready(input.queueId)
      const slot = slotOf(queue, input.ordinal)
      if (input.strength !== null && input.choice !== 'a' && input.choice !== 'b')
        throw new LabError('invalid-input', `strength: expected none with "${input.choice}", got ${input.strength}`)
      assertOfImage(input.region, labelQueues.findItem(queue.id, slot.itemId)!.image)
      judgements.insert({
        ...input,
        id: newId('judgement'),
        aShows: sideOrder(queue.settings.seed, input.labeller, slot.itemId, slot.role === 'repeat'),
        guidelineVersion: queue.guidelineVersion,
        judgedAtMs: now(),
      })
      announce({ name: 'labelling.changed', value: { queueId: queue.id } })
      return upcoming(queue.id, input.labeller, count, skipped)
    },
    /** Takes back the labeller's last judgement of the day and shows its place again; null: nothing left to take back. */
    undo(queueId: string, labeller: string, count: number): { readonly item: ShownItem | null; readonly upcoming: Upcoming } {
      const queue = ready(queueId)
      const last = judgements.newest(queueId, labeller, now() - UNDO_MS)
      if (last !== null) {
        judgements.markUndone(last.id, now())
        announce({ name: 'labelling.changed', value: { queueId } })
      }
      return { item: last === null ? null : shown(queue, labeller, last.ordinal), upcoming: upcoming(queueId, labeller, count, false) }
    },
    guidelines: (queueId: string): Guidelines => labelQueues.guidelines(found(queueId).id)[0] ?? { version: 0, text: '', createdAtMs: 0 },
    /** A new version, unless the text is that of the newest. */
    writeGuidelines(queueId: string, text: string): Guidelines {
      const newest = this.guidelines(queueId)
      if (newest.text === text) return newest
      const next = { version: newest.version + 1, text, createdAtMs: now() }
      labelQueues.insertGuidelines(queueId, next)
      announce({ name: 'labelling.changed', value: { queueId } })
      return next
    },
    trust: (queueId: string): TrustReport => trustReport(judgedOf(found(queueId).id)),
    rankings(queueId: string): readonly ModelRanking[] {
      return [...modelRankings(this.outcomes(queueId)), ...rankingsByLabeller(judgedOf(queueId))]
    },
    outcomes: (queueId: string): readonly Outcome[] => outcomesOf(judgedOf(found(queueId).id), adjudicationsOf(queueId)),
    delete(queueId: string): void {
      found(queueId)
      labelQueues.delete(queueId)
      announce({ name: 'labelling.changed', value: { queueId: null } })
    },
    bundle: (queueId: string): LabelBundle => bundleFrom(store, queueId),
    merge,
    /** A file that `bundle` was written to. @throws LabError 'invalid-input' naming the field that is wrong */
    mergeFile(file: string): MergeSummary {
      let value: unknown
      try {
        value = JSON.parse(readFileSync(file, 'utf8'))
      } catch (thrown) {
        if (!(thrown instanceof SyntaxError)) throw thrown
        throw new LabError('invalid-input', `${file} is not JSON: ${thrown.message}`, { file }, thrown)
      }
      return merge(parse(labelBundleSchema, value, 'invalid-input', file))
    },
    /** All queues of another project folder. */
    mergeProject(folder: string, database: string): readonly MergeSummary[] {
      const other = createStore(openForReading(join(folder, database)))
      try {
        return other.labelQueues
          .list()
          .filter(({ status }) => status === 'ready')
          .map(({ id }) => merge(bundleFrom(other, id)))
      } finally {
        other.close()
      }
    },
  }
}

/** A mask is of the image that was seen, pixel for pixel. @throws LabError 'invalid-input' */
function assertOfImage(region: Region, image: ImageRef | null): void {
  if (region.length > 0 && image === null) throw new LabError('invalid-input', 'region: expected none, since the item has no image')
  for (const { size } of masksOf(region))
    if (size[0] !== image!.height || size[1] !== image!.width)
      throw new LabError('invalid-input', `region: expected a mask of [${image!.height}, ${image!.width}] pixels as the image has, got [${size.join(', ')}]`)
}

function startOfDay(nowMs: number): number {
  return new Date(nowMs).setHours(0, 0, 0, 0)
}
