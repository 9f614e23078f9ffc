// The journal of changes, and the changes themselves: every one writes what was before each sample it alters, so that it
// can be taken back and done again. A change after an undo forgets what had been undone.

import { curationChangeSchema, describeChange, type CurationChange, type JournalEntry, type Selection } from '../domain/curation.ts'
import type { Split } from '../domain/sample.ts'
import type { Db } from './database.ts'
import { readJson } from './json-column.ts'
import { conditionOf, type Condition } from './sample-filter.ts'

interface EntryColumns {
  readonly id: number
  readonly at_ms: number
  readonly change: string
  readonly samples: number
  readonly is_undone: number
}

/** A journal longer than this forgets its oldest entries. */
const MOST_ENTRIES = 1000

export type CurationStore = ReturnType<typeof createCurationStore>

export function createCurationStore(db: Db) {
  const insert = db.prepare('INSERT INTO curation_journal (at_ms, change, samples) VALUES (?, ?, 0)')
  const setSamples = db.prepare('UPDATE curation_journal SET samples = ? WHERE id = ?')
  const remove = db.prepare('DELETE FROM curation_journal WHERE id = ?')
  const forgetUndone = db.prepare('DELETE FROM curation_journal WHERE is_undone = 1')
  const forgetOldest = db.prepare(`DELETE FROM curation_journal WHERE id <= (SELECT MAX(id) FROM curation_journal) - ${MOST_ENTRIES}`)
  const newest = db.prepare('SELECT * FROM curation_journal WHERE is_undone = 0 ORDER BY id DESC LIMIT 1')
  const oldestUndone = db.prepare('SELECT * FROM curation_journal WHERE is_undone = 1 ORDER BY id LIMIT 1')
  const entries = db.prepare('SELECT * FROM curation_journal ORDER BY id DESC LIMIT ?')
  const setUndone = db.prepare('UPDATE curation_journal SET is_undone = ? WHERE id = ?')
  const markChanged = db.prepare(`
    UPDATE datasets SET changes = changes + 1
    WHERE id IN (SELECT DISTINCT s.dataset_id FROM curation_changes c JOIN samples s ON s.row = c.row WHERE c.journal_id = ?)`)
  const touched = db
    .prepare('SELECT DISTINCT s.dataset_id FROM curation_changes c JOIN samples s ON s.row = c.row WHERE c.journal_id = ?')
    .pluck()
  const insertMove = db.prepare(`
    INSERT INTO curation_changes (journal_id, row, before, after) SELECT @id, row, split, @after FROM samples WHERE row = @row AND split <> @after`)
  const write = {
    split: (to: 'before' | 'after') =>
      db.prepare(`UPDATE samples SET split = c.${to} FROM curation_changes c WHERE c.journal_id = ? AND c.row = samples.row`),
    state: (to: 'before' | 'after') =>
      db.prepare(`UPDATE samples SET state = c.${to} FROM curation_changes c WHERE c.journal_id = ? AND c.row = samples.row`),
  }
  const tag = db.prepare('INSERT INTO sample_tags (tag, row) SELECT ?, row FROM curation_changes WHERE journal_id = ? ON CONFLICT DO NOTHING')
  const untag = db.prepare('DELETE FROM sample_tags WHERE tag = ? AND row IN (SELECT row FROM curation_changes WHERE journal_id = ?)')

  function put(id: number, change: CurationChange, to: 'before' | 'after'): void {
    switch (change.kind) {
      case 'tag':
        return void (to === 'after' ? tag : untag).run(change.tag, id)
      case 'untag':
        return void (to === 'after' ? untag : tag).run(change.tag, id)
      case 'split':
      case 'divide':
        write.split(to).run(id)
        return void markChanged.run(id)
      case 'state':
        write.state(to).run(id)
        return void markChanged.run(id)
    }
  }

  /** Writes which samples `change` alters, and from what to what. */
  function record(id: number, change: CurationChange, { sql, parameters }: Condition, moves: Moves | null): number {
    const select = (columns: string, differs: string, more: object) =>
      db
        .prepare(`INSERT INTO curation_changes (journal_id, row, before, after) SELECT @journal, s.row, ${columns} FROM samples s WHERE ${sql} AND ${differs}`)
        .run({ ...parameters, ...more, journal: id }).changes
    switch (change.kind) {
      case 'tag':
        return select("'', @after", 's.row NOT IN (SELECT row FROM sample_tags WHERE tag = @after)', { after: change.tag })
      case 'untag':
        return select("@after, ''", 's.row IN (SELECT row FROM sample_tags WHERE tag = @after)', { after: change.tag })
      case 'split':
        return select('s.split, @after', 's.split <> @after', { after: change.split })
      case 'state':
        return select('s.state, @after', 's.state <> @after', { after: change.state })
      case 'divide': {
        let changed = 0
        for (const [row, after] of moves ?? []) changed += insertMove.run({ id, row, after }).changes
        return changed
      }
    }
  }

  return {
    /** One transaction. null: nothing was to be altered, and nothing was written. `moves` is for 'divide' alone. */
    apply(selection: Selection, change: CurationChange, atMs: number, moves: Moves | null = null): JournalEntry | null {
      return db.transaction(() => {
        const id = Number(insert.run(atMs, JSON.stringify(change)).lastInsertRowid)
        const samples = record(id, change, conditionOfSelection(selection), moves)
        if (samples === 0) {
          remove.run(id)
          return null
        }
        setSamples.run(samples, id)
        put(id, change, 'after')
        forgetUndone.run()
        forgetOldest.run()
        return { id, atMs, change, label: describeChange(change), samples, isUndone: false }
      })()
    },
    undo: (): JournalEntry | null => turn(newest.get() as EntryColumns | undefined, 'before'),
    redo: (): JournalEntry | null => turn(oldestUndone.get() as EntryColumns | undefined, 'after'),
    entries: (limit: number): readonly JournalEntry[] => (entries.all(limit) as EntryColumns[]).map(entry),
    /** Datasets that an entry is about. */
    datasetsOf: (id: number): readonly string[] => touched.all(id) as string[],
  }

  function turn(columns: EntryColumns | undefined, to: 'before' | 'after'): JournalEntry | null {
    if (columns === undefined) return null
    const found = entry(columns)
    db.transaction(() => {
      put(found.id, found.change, to)
      setUndone.run(to === 'before' ? 1 : 0, found.id)
    })()
    return { ...found, isUndone: to === 'before' }
  }
}

/** Row → split as it is to be. */
export type Moves = ReadonlyMap<number, Split>

export function conditionOfSelection(selection: Selection): Condition {
  const [rows, parameter] = selection.kind === 'rows' ? [selection.rows, 'rows'] : [selection.except, 'except']
  const list = `(SELECT value FROM json_each(@${parameter}))`
  if (selection.kind === 'rows') return { sql: `s.row IN ${list}`, parameters: { rows: JSON.stringify(rows) } }
  const { sql, parameters } = conditionOf(selection.filter)
  if (rows.length === 0) return { sql, parameters }
  return { sql: `${sql} AND s.row NOT IN ${list}`, parameters: { ...parameters, except: JSON.stringify(rows) } }
}

function entry({ id, at_ms, change, samples, is_undone }: EntryColumns): JournalEntry {
  const parsed = readJson(curationChangeSchema, change, 'curation_journal.change')
  return { id, atMs: at_ms, change: parsed, label: describeChange(parsed), samples, isUndone: is_undone === 1 }
}
