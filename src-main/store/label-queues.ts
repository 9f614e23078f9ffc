// Tables label_queues, label_guidelines, label_items and label_slots: what is to be judged, and in which order.

import { z } from 'zod'
import type { Failure } from '../domain/errors.ts'
import {
  guidelinesSchema,
  labelItemSchema,
  QUEUE_STATUSES,
  queueOrderSchema,
  queueSettingsSchema,
  queueSourceSchema,
  slotSchema,
  type Guidelines,
  type LabelItem,
  type QueueRow,
  type QueueRequest,
  type Slot,
} from '../domain/labelling/queue.ts'
import { failureSchema, type PartProgress } from '../domain/run-view.ts'
import type { Db } from './database.ts'
import { readJson, readNullableJson } from './json-column.ts'

export type NewQueue = Pick<QueueRequest, 'name' | 'source' | 'order' | 'settings'> & { readonly id: string; readonly createdAtMs: number }
/** `partSinceMs`: when the part under way began. */
export type StoredQueue = Omit<QueueRow, 'labellers' | 'leftMs'> & { readonly partSinceMs: number | null }
export type LabelQueueStore = ReturnType<typeof createLabelQueueStore>

const columnsSchema = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(QUEUE_STATUSES),
  failure: z.string().nullable(),
  source: z.string(),
  item_order: z.string(),
  settings: z.string(),
  part: z.string().nullable(),
  done: z.number(),
  of_units: z.number(),
  part_since_ms: z.number().nullable(),
  created_at_ms: z.number(),
  slots: z.number(),
  guideline_version: z.number(),
})

export function createLabelQueueStore(db: Db) {
  const insert = db.prepare(`
    INSERT INTO label_queues (id, name, status, source, item_order, settings, created_at_ms)
    VALUES (@id, @name, 'making', @source, @order, @settings, @createdAtMs)`)
  const remove = db.prepare('DELETE FROM label_queues WHERE id = ?')
  const select = `
    SELECT q.*,
      (SELECT COUNT(*) FROM label_slots WHERE queue_id = q.id) AS slots,
      (SELECT COALESCE(MAX(version), 0) FROM label_guidelines WHERE queue_id = q.id) AS guideline_version
    FROM label_queues q`
  const all = db.prepare(`${select} ORDER BY q.created_at_ms DESC, q.name`)
  const byId = db.prepare(`${select} WHERE q.id = ?`)
  const byName = db.prepare(`${select} WHERE q.name = ?`)
  const making = db.prepare("SELECT id FROM label_queues WHERE status = 'making'").pluck()
  const setProgress = db.prepare('UPDATE label_queues SET part_since_ms = CASE WHEN part = @part THEN part_since_ms ELSE @nowMs END, part = @part, done = @done, of_units = @of WHERE id = @id')
  const end = db.prepare('UPDATE label_queues SET status = ?, failure = ?, part = NULL, done = 0, of_units = 0 WHERE id = ?')
  const insertItem = db.prepare(
    'INSERT INTO label_items (queue_id, id, image_sha256, content) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const insertSlot = db.prepare(`
    INSERT INTO label_slots (queue_id, ordinal, item_id, role, expected, reason)
    VALUES (@queueId, @ordinal, @itemId, @role, @expected, @reason)`)
  const item = db.prepare('SELECT content FROM label_items WHERE queue_id = ? AND id = ?').pluck()
  const items = db.prepare('SELECT content FROM label_items WHERE queue_id = ?').pluck()
  const slotColumns = 'ordinal, item_id AS itemId, role, expected, reason'
  const slot = db.prepare(`SELECT ${slotColumns} FROM label_slots WHERE queue_id = ? AND ordinal = ?`)
  const slots = db.prepare(`SELECT ${slotColumns} FROM label_slots WHERE queue_id = ? ORDER BY ordinal`)
  const insertGuidelines = db.prepare(
    'INSERT INTO label_guidelines (queue_id, version, text, created_at_ms) VALUES (@queueId, @version, @text, @createdAtMs)',
  )
  const guidelines = db.prepare(
    'SELECT version, text, created_at_ms AS createdAtMs FROM label_guidelines WHERE queue_id = ? ORDER BY version DESC',
  )

  const row = (columns: unknown): StoredQueue => {
    const each = columnsSchema.parse(columns)
    return {
      id: each.id,
      name: each.name,
      status: each.status,
      failure: readNullableJson(failureSchema, each.failure, 'label_queues.failure'),
      progress: each.part === null ? null : { part: each.part, done: each.done, of: each.of_units },
      partSinceMs: each.part_since_ms,
      source: readJson(queueSourceSchema, each.source, 'label_queues.source'),
      order: readJson(queueOrderSchema, each.item_order, 'label_queues.item_order'),
      settings: readJson(queueSettingsSchema, each.settings, 'label_queues.settings'),
      guidelineVersion: each.guideline_version,
      slots: each.slots,
      createdAtMs: each.created_at_ms,
    }
  }
  const readItem = (content: unknown): LabelItem => readJson(labelItemSchema, content as string, 'label_items.content')

  return {
    insert: ({ source, order, settings, ...queue }: NewQueue): void =>
      void insert.run({
        ...queue,
        source: JSON.stringify(source),
        order: JSON.stringify(order),
        settings: JSON.stringify(settings),
      }),
    delete: (queueId: string): void => void remove.run(queueId),
    list: (): readonly StoredQueue[] => all.all().map(row),
    find: (queueId: string): StoredQueue | null => {
      const found = byId.get(queueId)
      return found === undefined ? null : row(found)
    },
    findNamed: (name: string): StoredQueue | null => {
      const found = byName.get(name)
      return found === undefined ? null : row(found)
    },
    making: (): readonly string[] => making.all() as string[],
    setProgress: (queueId: string, progress: PartProgress, nowMs: number): void => void setProgress.run({ id: queueId, ...progress, nowMs }),
    end: (queueId: string, status: 'ready' | 'failed', failure: Failure | null): void =>
      void end.run(status, failure === null ? null : JSON.stringify(failure), queueId),
    insertItem: (queueId: string, each: LabelItem): void =>
      void insertItem.run(queueId, each.id, each.image?.sha256 ?? null, JSON.stringify(each)),
    insertSlot: (queueId: string, each: Slot): void => void insertSlot.run({ queueId, ...each }),
    findItem: (queueId: string, itemId: string): LabelItem | null => {
      const content = item.get(queueId, itemId)
      return content === undefined ? null : readItem(content)
    },
    items: (queueId: string): readonly LabelItem[] => items.all(queueId).map(readItem),
    findSlot: (queueId: string, ordinal: number): Slot | null => {
      const found = slot.get(queueId, ordinal)
      return found === undefined ? null : slotSchema.parse(found)
    },
    slots: (queueId: string): readonly Slot[] => slots.all(queueId).map((each) => slotSchema.parse(each)),
    insertGuidelines: (queueId: string, each: Guidelines): void => void insertGuidelines.run({ queueId, ...each }),
    /** Newest first. */
    guidelines: (queueId: string): readonly Guidelines[] => guidelines.all(queueId).map((each) => guidelinesSchema.parse(each)),
  }
}
