// The journal of changes, and the changes themselves: every one writes what was before each sample it alters, so that it
// can be taken back and done again. A change after an undo forgets what had been undone. A change of very many samples is many
// short transactions: what walks over them is a generator that yields between two, and an entry that a killed process left on
// its way is brought to an end by `recover`.

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
/** Where an entry is on its way: 'forgotten' ones are none any more, only their rows are not all deleted yet. */
type EntryState = 'settled' | 'applying' | 'undoing' | 'redoing' | 'forgotten'

/** A journal longer than this forgets its oldest entries. */
const MOST_ENTRIES = 1000
/** Samples in one transaction: main must answer in between. */
const ALTERED_AT_ONCE = 1000

/** Samples done of those that the part at hand is about. */
export interface WalkStep {
  readonly part: 'changing samples' | 'taking back'
  readonly done: number
  readonly of: number
}
/**
 * A walk over samples, to be taken to its end: no other may begin before. Between two steps the database may be used. What is
 * thrown into it there takes back what it did, and then comes out; after null it stands and is thrown into no more.
 */
export type Walk<T> = Generator<WalkStep | null, T>
export interface Walked {
  readonly entry: JournalEntry
  /** Datasets that it is about. */
  readonly datasetIds: ReadonlySet<string>
}

export type CurationStore = ReturnType<typeof createCurationStore>

export function createCurationStore(db: Db) {
  const insert = db.prepare("INSERT INTO curation_journal (at_ms, change, samples, state) VALUES (?, ?, 0, 'applying')")
  const settle = db.prepare("UPDATE curation_journal SET samples = ?, state = 'settled' WHERE id = ?")
  const setState = db.prepare('UPDATE curation_journal SET state = ? WHERE id = ?')
  const turned = db.prepare("UPDATE curation_journal SET is_undone = ?, state = 'settled' WHERE id = ?")
  const forgetUndone = db.prepare("UPDATE curation_journal SET state = 'forgotten' WHERE is_undone = 1")
  const forgetOldest = db.prepare(
    `UPDATE curation_journal SET state = 'forgotten' WHERE id <= (SELECT MAX(id) FROM curation_journal) - ${MOST_ENTRIES}`,
  )
  const remove = db.prepare('DELETE FROM curation_journal WHERE id = ?')
  const removeSome = db.prepare(`
    DELETE FROM curation_changes WHERE journal_id = @id AND row IN
      (SELECT row FROM curation_changes WHERE journal_id = @id ORDER BY row LIMIT ${ALTERED_AT_ONCE})`)
  const newest = db.prepare("SELECT * FROM curation_journal WHERE is_undone = 0 AND state = 'settled' ORDER BY id DESC LIMIT 1")
  const oldestUndone = db.prepare("SELECT * FROM curation_journal WHERE is_undone = 1 AND state = 'settled' ORDER BY id LIMIT 1")
  const entries = db.prepare("SELECT * FROM curation_journal WHERE state NOT IN ('applying', 'forgotten') ORDER BY id DESC LIMIT ?")
  const inState = db.prepare('SELECT * FROM curation_journal WHERE state = ? ORDER BY id')
  const nextRows = db
    .prepare(`SELECT row FROM curation_changes WHERE journal_id = ? AND row > ? ORDER BY row LIMIT ${ALTERED_AT_ONCE}`)
    .pluck()
  const rowCount = db.prepare('SELECT COUNT(*) FROM curation_changes WHERE journal_id = ?').pluck()
  const markChanged = db.prepare('UPDATE datasets SET changes = changes + 1 WHERE id = ?')
  const ofEntry = 'c.journal_id = @id AND c.row BETWEEN @from AND @to'
  const touched = db
    .prepare(`SELECT DISTINCT s.dataset_id FROM curation_changes c JOIN samples s ON s.row = c.row WHERE ${ofEntry}`)
    .pluck()
  const insertMove = db.prepare(`
    INSERT INTO curation_changes (journal_id, row, before, after) SELECT @id, row, split, @after FROM samples WHERE row = @row AND split <> @after`)
  const write = {
    split: {
      before: db.prepare(`UPDATE samples SET split = c.before FROM curation_changes c WHERE ${ofEntry} AND c.row = samples.row`),
      after: db.prepare(`UPDATE samples SET split = c.after FROM curation_changes c WHERE ${ofEntry} AND c.row = samples.row`),
    },
    state: {
      before: db.prepare(`UPDATE samples SET state = c.before FROM curation_changes c WHERE ${ofEntry} AND c.row = samples.row`),
      after: db.prepare(`UPDATE samples SET state = c.after FROM curation_changes c WHERE ${ofEntry} AND c.row = samples.row`),
    },
  }
  const tag = db.prepare(`INSERT INTO sample_tags (tag, row) SELECT @tag, c.row FROM curation_changes c WHERE ${ofEntry} ON CONFLICT DO NOTHING`)
  const untag = db.prepare(`DELETE FROM sample_tags WHERE tag = @tag AND row IN (SELECT c.row FROM curation_changes c WHERE ${ofEntry})`)

  /** Writes what the entry says of `rows`, which are in order; names their datasets. */
  function put(id: number, change: CurationChange, to: 'before' | 'after', rows: readonly number[]): readonly string[] {
    const range = { id, from: rows[0]!, to: rows.at(-1)! }
    const datasetIds = touched.all(range) as string[]
    switch (change.kind) {
      case 'tag':
        ;(to === 'after' ? tag : untag).run({ ...range, tag: change.tag })
        return datasetIds
      case 'untag':
        ;(to === 'after' ? untag : tag).run({ ...range, tag: change.tag })
        return datasetIds
      case 'split':
      case 'divide':
        write.split[to].run(range)
        break
      case 'state':
        write.state[to].run(range)
    }
    for (const datasetId of datasetIds) markChanged.run(datasetId)
    return datasetIds
  }

  /** All of an entry's samples, as it says they were or are to be. Doing it twice changes nothing. */
  function* putAll(id: number, change: CurationChange, to: 'before' | 'after', part: WalkStep['part'] = 'changing samples'): Walk<ReadonlySet<string>> {
    const datasetIds = new Set<string>()
    const of = rowCount.get(id) as number
    for (let [after, done] = [-1, 0]; ; ) {
      const rows = nextRows.all(id, after) as number[]
      if (rows.length === 0) return datasetIds
      for (const datasetId of db.transaction(() => put(id, change, to, rows))()) datasetIds.add(datasetId)
      after = rows.at(-1)!
      done += rows.length
      yield { part, done, of }
    }
  }

  function alteredRows(selection: Selection, change: Exclude<CurationChange, { kind: 'divide' }>): readonly number[] {
    const { sql, parameters } = conditionOfSelection(selection)
    const { differs, after } = alteration(change)
    return db.prepare(`SELECT s.row FROM samples s WHERE ${sql} AND ${differs} ORDER BY s.row`).pluck().all({ ...parameters, after }) as number[]
  }

  /** Writes from what to what `change` alters `rows`; says how many. */
  function record(id: number, change: CurationChange, rows: readonly number[], moves: Moves): number {
    if (change.kind === 'divide') return rows.reduce((sum, row) => sum + insertMove.run({ id, row, after: moves.get(row)! }).changes, 0)
    const { columns, differs, after } = alteration(change)
    return db
      .prepare(
        `INSERT INTO curation_changes (journal_id, row, before, after)
        SELECT @id, s.row, ${columns} FROM samples s WHERE s.row IN (SELECT value FROM json_each(@rows)) AND ${differs}`,
      )
      .run({ id, after, rows: JSON.stringify(rows) }).changes
  }

  function* takeBack(id: number, change: CurationChange): Walk<void> {
    yield* putAll(id, change, 'before', 'taking back')
    setState.run('forgotten', id)
    yield* forget()
  }

  function* forget(): Walk<void> {
    for (const { id } of inState.all('forgotten') as EntryColumns[]) {
      while (removeSome.run({ id }).changes > 0) yield null
      remove.run(id)
    }
  }

  function* turn(columns: EntryColumns | undefined, to: 'before' | 'after'): Walk<Walked | null> {
    if (columns === undefined) return null
    const found = entry(columns)
    setState.run(to === 'before' ? 'undoing' : 'redoing', found.id)
    let datasetIds: ReadonlySet<string>
    try {
      datasetIds = yield* putAll(found.id, found.change, to)
    } catch (thrown) {
      yield* putAll(found.id, found.change, to === 'before' ? 'after' : 'before', 'taking back')
      setState.run('settled', found.id)
      throw thrown
    }
    turned.run(to === 'before' ? 1 : 0, found.id)
    return { entry: { ...found, isUndone: to === 'before' }, datasetIds }
  }

  return {
    /** null: nothing was to be altered, and nothing was written. What fails is taken back. `moves` is for 'divide' alone. */
    *apply(selection: Selection, change: CurationChange, atMs: number, moves: Moves = new Map()): Walk<Walked | null> {
      const rows = change.kind === 'divide' ? [...moves.keys()].sort((a, b) => a - b) : alteredRows(selection, change)
      if (rows.length === 0) return null
      const id = Number(insert.run(atMs, JSON.stringify(change)).lastInsertRowid)
      const datasetIds = new Set<string>()
      let samples = 0
      try {
        for (let at = 0; at < rows.length; at += ALTERED_AT_ONCE) {
          const some = rows.slice(at, at + ALTERED_AT_ONCE)
          const altered = db.transaction(() => {
            samples += record(id, change, some, moves)
            return put(id, change, 'after', some)
          })()
          for (const datasetId of altered) datasetIds.add(datasetId)
          yield { part: 'changing samples', done: at + some.length, of: rows.length }
        }
      } catch (thrown) {
        yield* takeBack(id, change)
        throw thrown
      }
      if (samples === 0) {
        remove.run(id)
        return null
      }
      db.transaction(() => {
        settle.run(samples, id)
        forgetUndone.run()
        forgetOldest.run()
      })()
      yield* forget()
      return { entry: { id, atMs, change, label: describeChange(change), samples, isUndone: false }, datasetIds }
    },
    undo: (): Walk<Walked | null> => turn(newest.get() as EntryColumns | undefined, 'before'),
    redo: (): Walk<Walked | null> => turn(oldestUndone.get() as EntryColumns | undefined, 'after'),
    entries: (limit: number): readonly JournalEntry[] => (entries.all(limit) as EntryColumns[]).map(entry),
    /** Entries that a killed process left on their way: a change is taken back, because which samples were to follow is not
     *  written; an undo or redo is done to its end. */
    *recover(): Walk<void> {
      const left = (state: EntryState) => (inState.all(state) as EntryColumns[]).map(entry)
      for (const { id, change } of left('applying')) yield* takeBack(id, change)
      for (const { id, change } of left('undoing')) {
        yield* putAll(id, change, 'before')
        turned.run(1, id)
      }
      for (const { id, change } of left('redoing')) {
        yield* putAll(id, change, 'after')
        turned.run(0, id)
      }
      yield* forget()
    },
  }
}

/** What a change writes of a sample `s`, and which samples it alters. */
function alteration(change: Exclude<CurationChange, { kind: 'divide' }>): { readonly columns: string; readonly differs: string; readonly after: string } {
  switch (change.kind) {
    case 'tag':
      return { columns: "'', @after", differs: 'NOT EXISTS (SELECT 1 FROM sample_tags WHERE tag = @after AND row = s.row)', after: change.tag }
    case 'untag':
      return { columns: "@after, ''", differs: 'EXISTS (SELECT 1 FROM sample_tags WHERE tag = @after AND row = s.row)', after: change.tag }
    case 'split':
      return { columns: 's.split, @after', differs: 's.split <> @after', after: change.split }
    case 'state':
      return { columns: 's.state, @after', differs: 's.state <> @after', after: change.state }
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
