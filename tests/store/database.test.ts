// The database as a whole: migrations, the lock, what happens to rows when a process dies.

import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { toFailure } from '../../src-main/domain/errors.ts'
import { MIGRATIONS, migrate, openForReading, openForWriting } from '../../src-main/store/database.ts'
import { createStore } from '../../src-main/store/store.ts'
import { aRunConfig } from '../support/builders.ts'
import { faultOf } from '../support/fault-of.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

it('that another program holds says who is in the way and what to do', () => {
  const file = join(temporaryFolder(), 'lab.db')
  const [one, other] = [new Database(file), new Database(file, { timeout: 0 })]
  onTestFinished(() => [one, other].forEach((each) => each.close()))
  one.exec('CREATE TABLE held (id INTEGER); BEGIN IMMEDIATE; INSERT INTO held VALUES (1)')
  let thrown: unknown
  try {
    other.exec('INSERT INTO held VALUES (2)')
  } catch (fault) {
    thrown = fault
  }
  expect(toFailure(thrown)).toMatchObject({ code: 'conflict', message: expect.stringMatching(/database is held by another program.*Close/) })
})

describe('migrations', () => {
  it('run once each, in order, and leave a record', () => {
    const { db, close } = openForWriting(':memory:', 'a test')
    migrate(db)
    expect(db.prepare('SELECT id FROM migrations').pluck().all()).toEqual(MIGRATIONS.map(({ id }) => id))
    expect(MIGRATIONS.map(({ id }) => id)).toEqual(MIGRATIONS.map(({ id }) => id).toSorted((a, b) => a - b))
    close()
  })

  it('a migration that fails leaves neither its tables nor its record', () => {
    const db = new Database(':memory:')
    const broken = [
      { id: 10, name: 'broken', sql: 'CREATE TABLE half (id INTEGER) STRICT; CREATE TABLE half (id INTEGER) STRICT;' },
    ]
    expect(() => migrate(db, broken)).toThrow('half')
    expect(db.prepare("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'half'").pluck().get()).toBe(0)
    expect(db.prepare('SELECT COUNT(*) FROM migrations').pluck().get()).toBe(0)
  })

  it('a database of a newer lab is refused, not rewritten', () => {
    const { db } = openForWriting(':memory:', 'a test')
    db.prepare('INSERT INTO migrations (id, name) VALUES (99999, ?)').run('from the future')
    expect(faultOf(() => migrate(db)).code).toBe('conflict')
  })

  it('every table is STRICT, and foreign keys are on', () => {
    const { db } = openForWriting(':memory:', 'a test')
    const loose = db
      .prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%'",
      )
      .pluck()
      .all()
    expect(loose).toEqual([])
    expect(db.pragma('foreign_keys', { simple: true })).toBe(1)
  })
})

describe('the lock', () => {
  it('refuses a second writer and names the first, and lets readers in', () => {
    const file = join(temporaryFolder(), 'lab.sqlite')
    const first = openForWriting(file, 'the first program')
    const refused = faultOf(() => openForWriting(file, 'the second program'))
    expect(refused.code).toBe('conflict')
    expect(refused.message).toContain(`the first program (process ${process.pid})`)
    openForReading(file).close()
    first.close()
    openForWriting(file, 'the second program').close()
  })

  it('is freed by the system when its holder is killed, and every row written before is readable', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'lab.sqlite')
    const script = join(folder, 'writer.ts')
    const source = new URL('../../src-main/store/', import.meta.url)
    writeFileSync(
      script,
      `import { openForWriting } from '${source.href}database.ts'
       import { createStore } from '${source.href}store.ts'
       const store = createStore(openForWriting(process.argv[2], 'a writer'))
       store.runs.insert({ id: 'run', name: 'run', studyId: null, phaseId: null, dataset: null, config: ${JSON.stringify(aRunConfig())}, folder: '/', createdAtMs: 1 })
       store.runs.begin('run', 2)
       const end = Date.now() + 20_000 // should nobody be left to kill it
       for (let step = 1; Date.now() < end; step++) { store.runMetrics.insertStep('run', step, { loss: 1 / step }); process.stdout.write(step + '\\n') }`,
    )
    const child = spawn(process.execPath, [script, file], { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const written = await new Promise<number>((resolve) => {
      let text = ''
      child.stdout.on('data', (bytes: Buffer) => {
        text += bytes.toString()
        const lines = text.split('\n').filter(Boolean)
        if (lines.length > 200) {
          child.kill('SIGKILL')
          child.stdout.removeAllListeners('data')
          resolve(Number(lines.at(-2)))
        }
      })
    })
    await new Promise((resolve) => child.once('exit', resolve))
    const store = createStore(openForWriting(file, 'a test'))
    expect(store.runs.find('run')!.row.status).toBe('running')
    const steps = store.runMetrics.series('run', 'loss', 1_000_000).points.map(([step]) => step)
    expect(steps.length).toBeGreaterThanOrEqual(written)
    expect(steps).toEqual(steps.map((_, i) => i + 1))
    store.close()
  })
})

describe('a file that is no database', () => {
  it('is called damaged, and stays as it was', () => {
    const file = join(temporaryFolder(), 'lab.sqlite')
    writeFileSync(file, 'this is a letter, not a database: it is long enough to be read as a header of one')
    expect(faultOf(() => openForWriting(file, 'a test')).code).toBe('corrupt-artifact')
  })

  it('a project that does not exist cannot be read, and is not made by asking', () => {
    expect(faultOf(() => openForReading(join(temporaryFolder(), 'lab.sqlite'))).code).toBe('not-found')
  })
})
