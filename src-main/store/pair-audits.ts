// Tables pair_audits and pair_audit_margins.

import { z } from 'zod'
import type { Failure } from '../domain/errors.ts'
import type { AuditedPair } from '../domain/labelling/image-use.ts'
import { auditRequestSchema, auditRowSchema, type AuditRow } from '../domain/labelling/pair-audit.ts'
import type { ItemResult } from '../domain/job.ts'
import { failureSchema, type PartProgress } from '../domain/run-view.ts'
import type { Db } from './database.ts'
import { readJson, readNullableJson } from './json-column.ts'

/** `partSinceMs`: when the part under way began. */
export type StoredAudit = Omit<AuditRow, 'leftMs'> & { readonly partSinceMs: number | null }
export type PairAuditStore = ReturnType<typeof createPairAuditStore>

const columnsSchema = z.object({
  id: z.string(),
  status: auditRowSchema.shape.status,
  request: z.string(),
  model: z.string(),
  reference: z.string().nullable(),
  part: z.string().nullable(),
  done: z.number(),
  of_units: z.number(),
  part_since_ms: z.number().nullable(),
  failure: z.string().nullable(),
  created_at_ms: z.number(),
})

export function createPairAuditStore(db: Db) {
  const insert = db.prepare(`
    INSERT INTO pair_audits (id, status, request, model, reference, created_at_ms)
    VALUES (@id, 'running', @request, @model, @reference, @createdAtMs)`)
  const remove = db.prepare('DELETE FROM pair_audits WHERE id = ?')
  const all = db.prepare('SELECT * FROM pair_audits ORDER BY created_at_ms DESC')
  const byId = db.prepare('SELECT * FROM pair_audits WHERE id = ?')
  const running = db.prepare("SELECT id FROM pair_audits WHERE status = 'running'").pluck()
  const setProgress = db.prepare('UPDATE pair_audits SET part_since_ms = CASE WHEN part = @part THEN part_since_ms ELSE @nowMs END, part = @part, done = @done, of_units = @of WHERE id = @id')
  const end = db.prepare('UPDATE pair_audits SET status = ?, failure = ?, part = NULL WHERE id = ?')
  const insertMargin = db.prepare(`
    INSERT INTO pair_audit_margins (audit_id, condition, sample_id, cluster, margin) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`)
  // Only pairs that were scored under all four images.
  const margins = db.prepare(`
    SELECT t.sample_id, t.cluster, t.margin AS held, b.margin AS blank, s.margin AS shuffled, n.margin AS near
    FROM pair_audit_margins t
      JOIN pair_audit_margins b ON b.audit_id = t.audit_id AND b.sample_id = t.sample_id AND b.condition = 'blank'
      JOIN pair_audit_margins s ON s.audit_id = t.audit_id AND s.sample_id = t.sample_id AND s.condition = 'shuffled'
      JOIN pair_audit_margins n ON n.audit_id = t.audit_id AND n.sample_id = t.sample_id AND n.condition = 'near-miss'
    WHERE t.audit_id = ? AND t.condition = 'true' ORDER BY t.sample_id`)

  const row = (columns: unknown): StoredAudit => {
    const each = columnsSchema.parse(columns)
    return {
      id: each.id,
      status: each.status,
      request: readJson(auditRequestSchema, each.request, 'pair_audits.request'),
      model: each.model,
      reference: each.reference,
      progress: each.part === null ? null : { part: each.part, done: each.done, of: each.of_units },
      partSinceMs: each.part_since_ms,
      failure: readNullableJson(failureSchema, each.failure, 'pair_audits.failure'),
      createdAtMs: each.created_at_ms,
    }
  }
  return {
    insert: ({ request, ...audit }: Pick<AuditRow, 'id' | 'request' | 'model' | 'reference' | 'createdAtMs'>): void =>
      void insert.run({ ...audit, request: JSON.stringify(request) }),
    delete: (auditId: string): void => void remove.run(auditId),
    list: (): readonly StoredAudit[] => all.all().map(row),
    find: (auditId: string): StoredAudit | null => {
      const found = byId.get(auditId)
      return found === undefined ? null : row(found)
    },
    running: (): readonly string[] => running.all() as string[],
    setProgress: (auditId: string, progress: PartProgress, nowMs: number): void => void setProgress.run({ id: auditId, ...progress, nowMs }),
    end: (auditId: string, status: 'finished' | 'failed', failure: Failure | null): void =>
      void end.run(status, failure === null ? null : JSON.stringify(failure), auditId),
    insertMargins: (auditId: string, condition: string, items: readonly ItemResult[]): void =>
      db.transaction(() => {
        for (const { itemId, cluster, value } of items) insertMargin.run(auditId, condition, itemId, cluster, value)
      })(),
    margins: (auditId: string): readonly AuditedPair[] =>
      (margins.all(auditId) as { sample_id: string; cluster: string; held: number; blank: number; shuffled: number; near: number }[]).map(
        ({ sample_id, cluster, held, blank, shuffled, near }) => ({
          sampleId: sample_id,
          cluster,
          margins: { true: held, blank, shuffled, 'near-miss': near },
        }),
      ),
  }
}
