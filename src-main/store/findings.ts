// Tables image_facts and findings: what was seen in images, and what checks found.

import type { FindingRow, FindingSummary, ImageFacts } from '../domain/data-check.ts'
import type { SampleFilter } from '../domain/sample-query.ts'
import type { ImageRef } from '../domain/sample.ts'
import type { Db } from './database.ts'
import { conditionOf } from './sample-filter.ts'

const SCORE_BINS = 20
const MOST_REASONS = 12

export type FindingStore = ReturnType<typeof createFindingStore>

export function createFindingStore(db: Db) {
  const insertFacts = db.prepare(`
    INSERT INTO image_facts (sha256, perceptual_hash, pixel_hash, brightness, contrast, has_thumbnail, fault)
    VALUES (@sha256, @perceptualHash, @pixelHash, @brightness, @contrast, @hasThumbnail, @fault)
    ON CONFLICT DO UPDATE SET perceptual_hash = excluded.perceptual_hash, pixel_hash = excluded.pixel_hash,
      brightness = excluded.brightness, contrast = excluded.contrast, has_thumbnail = excluded.has_thumbnail, fault = excluded.fault`)
  const facts = db.prepare(`
    SELECT sha256, perceptual_hash AS perceptualHash, pixel_hash AS pixelHash, brightness, contrast, has_thumbnail AS hasThumbnail, fault
    FROM image_facts`)
  const hasThumbnail = db.prepare('SELECT has_thumbnail FROM image_facts WHERE sha256 = ?').pluck()
  const imageCount = db.prepare('SELECT COUNT(*) FROM images').pluck()
  const insertFinding = db.prepare(`
    INSERT INTO findings (task_id, row, cluster, is_best, score, detail) VALUES (@taskId, @row, @cluster, @isBest, @score, @detail)
    ON CONFLICT DO NOTHING`)
  const clear = db.prepare('DELETE FROM findings WHERE task_id = ?')
  const clusters = db
    .prepare('SELECT DISTINCT cluster FROM findings WHERE task_id = ? AND cluster > ? ORDER BY cluster LIMIT ?')
    .pluck()
  const members = db.prepare(
    'SELECT row, cluster, is_best, score, detail FROM findings WHERE task_id = ? AND cluster = ? ORDER BY is_best DESC, row LIMIT 500',
  )
  const counts = db.prepare('SELECT COUNT(*) AS findings, COUNT(DISTINCT cluster) AS clusters FROM findings WHERE task_id = ?')
  const kept = db.prepare(`
    SELECT COUNT(*) AS kept, COALESCE(SUM(f.is_best = 0), 0) AS keptOthers FROM findings f JOIN samples s ON s.row = f.row
    WHERE f.task_id = ? AND s.state = 'kept'`)
  const sizes = db.prepare(`
    SELECT size, COUNT(*) AS clusters FROM (SELECT COUNT(*) AS size FROM findings WHERE task_id = ? GROUP BY cluster)
    GROUP BY size ORDER BY size`)
  const scores = db.prepare('SELECT score FROM findings WHERE task_id = ? AND score IS NOT NULL').pluck()
  const details = db.prepare('SELECT detail, COUNT(*) AS count FROM findings WHERE task_id = ? GROUP BY detail')

  return {
    insertFacts(images: readonly ImageFacts[]): void {
      db.transaction(() => {
        for (const each of images) insertFacts.run({ ...each, hasThumbnail: each.hasThumbnail ? 1 : 0 })
      })()
    },
    facts(): ReadonlyMap<string, ImageFacts> {
      const all = new Map<string, ImageFacts>()
      for (const each of facts.iterate() as IterableIterator<Omit<ImageFacts, 'hasThumbnail'> & { hasThumbnail: number }>)
        all.set(each.sha256, { ...each, hasThumbnail: each.hasThumbnail === 1 })
      return all
    },
    hasThumbnail: (sha256: string): boolean => hasThumbnail.get(sha256) === 1,
    imageCount: (): number => imageCount.get() as number,
    /**
     * Images of the filter's samples among the `limit` after the one whose hash is `after`; unless `again`, those that nobody
     * has looked at. `last` begins the next question; null: there are no more.
     */
    imagesAfter(filter: SampleFilter, after: string, limit: number, again: boolean): { readonly images: readonly ImageRef[]; readonly last: string | null } {
      const { sql, parameters } = conditionOf(filter)
      const slice = 'SELECT sha256, path, width, height FROM images WHERE sha256 > @after ORDER BY sha256 LIMIT @limit'
      const last = db.prepare(`SELECT MAX(sha256) FROM (${slice})`).pluck().get({ after, limit }) as string | null
      const images = db
        .prepare(
          `SELECT i.* FROM (${slice}) i WHERE EXISTS (SELECT 1 FROM samples s WHERE s.image_sha256 = i.sha256 AND ${sql})
          ${again ? '' : 'AND NOT EXISTS (SELECT 1 FROM image_facts WHERE sha256 = i.sha256 AND (perceptual_hash IS NOT NULL OR fault IS NOT NULL))'}`,
        )
        .all({ ...parameters, after, limit }) as ImageRef[]
      return { images, last }
    },
    /** Forgets what the task had found. */
    clear: (taskId: string): void => void clear.run(taskId),
    insert(taskId: string, findings: readonly FindingRow[]): void {
      db.transaction(() => {
        for (const each of findings) insertFinding.run({ taskId, ...each, isBest: each.isBest ? 1 : 0 })
      })()
    },
    /** Clusters after `after`, each with its members, the best first. */
    clusters(taskId: string, after: number, limit: number): readonly (readonly FindingRow[])[] {
      return (clusters.all(taskId, after, limit) as number[]).map((cluster) =>
        (members.all(taskId, cluster) as { row: number; cluster: number; is_best: number; score: number | null; detail: string }[]).map(
          ({ is_best, ...rest }) => ({ ...rest, isBest: is_best === 1 }),
        ),
      )
    },
    counts: (taskId: string) => counts.get(taskId) as { readonly findings: number; readonly clusters: number },
    summary(taskId: string): FindingSummary {
      const { findings, clusters } = counts.get(taskId) as { findings: number; clusters: number }
      return {
        samples: findings,
        clusters,
        ...(kept.get(taskId) as { kept: number; keptOthers: number }),
        sizes: sizes.all(taskId) as { size: number; clusters: number }[],
        scores: binned(scores.all(taskId) as number[], SCORE_BINS),
        reasons: reasonsOf(details.all(taskId) as { detail: string; count: number }[]),
      }
    },
  }
}

/** Bins of equal width; whole numbers that fit get one each. */
function binned(values: readonly number[], most: number): { from: number; to: number; count: number }[] {
  if (values.length === 0) return []
  let [low, high] = [Infinity, -Infinity]
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)]
  const isWhole = values.every(Number.isInteger) && high - low < most
  const bins = isWhole ? high - low + 1 : low === high ? 1 : most
  const width = isWhole ? 1 : (high - low) / bins
  const counts = Array.from({ length: bins }, (_, i) => ({ from: low + i * width, to: isWhole ? low + i : low + (i + 1) * width, count: 0 }))
  for (const value of values) counts[Math.min(bins - 1, width === 0 ? 0 : Math.floor((value - low) / width))]!.count += 1
  return counts
}

/** "tiny: 8 × 4 pixels; one colour" is two reasons, "tiny" and "one colour". */
function reasonsOf(details: readonly { readonly detail: string; readonly count: number }[]): { value: string; count: number }[] {
  const counts = new Map<string, number>()
  for (const { detail, count } of details)
    for (const part of detail.split('; ')) {
      const reason = part.replace(/[:,] .*$/, '').replace(/^\d+ /, '')
      counts.set(reason, (counts.get(reason) ?? 0) + count)
    }
  return [...counts]
    .map(([value, count]) => ({ value, count }))
    .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
    .slice(0, MOST_REASONS)
}
