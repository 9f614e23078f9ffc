// Table artifacts: files that came out for a person to use. A file written again replaces its row.

import type { ArtifactRow } from '../domain/run-view.ts'
import type { Db } from './database.ts'

export type ArtifactStore = ReturnType<typeof createArtifactStore>

export function createArtifactStore(db: Db) {
  const insert = db.prepare(`
    INSERT INTO artifacts (id, study_id, phase_id, run_id, name, path, created_at_ms)
    VALUES (@id, @studyId, @phaseId, @runId, @name, @path, @createdAtMs)
    ON CONFLICT (path) DO UPDATE SET name = excluded.name, created_at_ms = excluded.created_at_ms`)
  const select = 'SELECT id, study_id AS studyId, run_id AS runId, name, path, created_at_ms AS createdAtMs FROM artifacts'
  const all = db.prepare(`${select.replace(' FROM', ', phase_id AS phaseId FROM')} ORDER BY created_at_ms, name`)
  const byPath = db.prepare(`${select} WHERE path = ?`)
  const byId = db.prepare(`${select} WHERE id = ?`)
  const ofStudy = db.prepare(`${select} WHERE study_id = ? ORDER BY created_at_ms, name`)
  const ofRun = db.prepare(`${select} WHERE run_id = ? ORDER BY created_at_ms, name`)
  return {
    insert(artifact: ArtifactRow & { readonly phaseId: string | null }): ArtifactRow {
      insert.run(artifact)
      return byPath.get(artifact.path) as ArtifactRow
    },
    find: (id: string): ArtifactRow | null => (byId.get(id) as ArtifactRow | undefined) ?? null,
    list: (): readonly (ArtifactRow & { readonly phaseId: string | null })[] => all.all() as (ArtifactRow & { readonly phaseId: string | null })[],
    ofStudy: (studyId: string): readonly ArtifactRow[] => ofStudy.all(studyId) as ArtifactRow[],
    ofRun: (runId: string): readonly ArtifactRow[] => ofRun.all(runId) as ArtifactRow[],
  }
}
