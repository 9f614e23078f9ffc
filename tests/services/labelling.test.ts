// Queues made, judged, taken back, merged and written out, on a lab whose models answer by rule.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { judgementInputSchema, type Choice } from '../../src-main/domain/labelling/judgement.ts'
import { queueRequestSchema, type QueueRequest } from '../../src-main/domain/labelling/queue.ts'
import { PAIR_FORMATS } from '../../src-main/domain/labelling/pair-export.ts'
import { MOST_FINDINGS, pairHealth } from '../../src-main/domain/labelling/pair-health.ts'
import type { ImportedSample } from '../../src-main/domain/import-event.ts'
import { runRequestSchema } from '../../src-main/domain/run-view.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { runDataJob } from '../../src-main/jobs/run-data-job.ts'
import { readDataset } from '../../src-main/jobs/import/read-dataset.ts'
import { aFakeRunner, aLab, readFakeDataset, type LabForTests } from '../support/a-lab.ts'
import { anImportedPair } from '../support/builders.ts'
import { faultOf } from '../support/fault-of.ts'

let folder: string
let made: LabForTests
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pivot-lab-'))
  const runner = aFakeRunner((path, options) => (path.startsWith('/data/') ? readPairs(path) : readDataset(path, options)))
  made = aLab(folder, { runner, dataRunner: (job, signal) => (job.kind === 'export-data' ? runDataJob(job, signal) : runner.run(job, signal)) })
  await made.lab.datasets.import({ path: '/data/preferences/30', name: 'pairs' })
})
afterEach(async () => {
  await made.lab.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Pairs with answers of their own, so that each can be told from the others. */
async function* readPairs(path: string) {
  for await (const event of readFakeDataset(path)) {
    if (event.kind !== 'sample' || event.content.kind !== 'preferences') yield event
    else {
      const pair: ImportedSample = anImportedPair(Number(event.source?.slice(4)))
      yield { ...pair, content: { ...event.content, chosen: `right ${pair.source}`, rejected: `wrong ${pair.source}`, category: 'count' } }
    }
  }
}

async function aQueue(overrides: Record<string, unknown> = {}): Promise<string> {
  const request: QueueRequest = queueRequestSchema.parse({
    name: 'mine',
    source: { kind: 'pairs', dataset: 'pairs' },
    settings: { repeatShare: 0 },
    guidelines: 'Prefer what the image shows.',
    ...overrides,
  })
  const { queueId } = made.lab.labelQueues.create(request)
  await made.lab.labelQueues.ended(queueId)
  return queueId
}

function judge(queueId: string, ordinal: number, choice: Choice, labeller = 'Ada', extra: Record<string, unknown> = {}) {
  return made.lab.labelling.judge(judgementInputSchema.parse({ queueId, ordinal, labeller, choice, seconds: 2, ...extra }), 3, false)
}
const upcoming = (queueId: string, labeller = 'Ada', skipped = false) => made.lab.labelling.upcoming(queueId, labeller, 3, skipped)
const places = (of: { readonly items: readonly { readonly ordinal: number }[] }) => of.items.map(({ ordinal }) => ordinal)

describe('pairs with a fault', () => {
  it('are told by row, excluded with undo, and judged again in a queue of their tag', async () => {
    const { lab } = made
    await lab.datasets.import({ path: '/data/preferences/33', name: 'more' })
    const { id } = lab.datasets.named('more')
    const health = await lab.pairHealth.health('more')
    expect(health.pairs).toBe(33)
    const some = lab.curation.order({ filter: lab.curation.filterOfDataset(id), sort: 'imported', direction: 'ascending' }).slice(0, 4)
    await lab.curation.change({ kind: 'rows', rows: some }, { kind: 'state', state: 'excluded' })
    expect((await lab.pairHealth.health('more')).pairs).toBe(29)
    await lab.curation.undo()
    expect(await lab.pairHealth.health('more')).toEqual(health)
    await lab.curation.change({ kind: 'rows', rows: some }, { kind: 'tag', tag: 'pairs: swapped duplicates' })
    const queueId = await aQueue({ source: { kind: 'pairs', dataset: 'more', tag: 'pairs: swapped duplicates' } })
    expect(lab.labelling.found(queueId).slots).toBe(4)
  })

  it('of one fault beyond what a list shows are counted and told by row all the same', () => {
    const pairs = Array.from({ length: 250 }, (_, row) => ({ row, id: `${row}`, imageSha256: null, content: { prompt: `Which ${row}?`, chosen: 'Yes!', rejected: 'yes' } }))
    const { counts, findings, rows } = pairHealth(pairs)
    expect([counts.identical, findings.length, rows.identical]).toEqual([250, MOST_FINDINGS, pairs.map(({ row }) => row)])
  })
})

describe('judging', () => {
  it('goes through the places in order, each labeller by himself', async () => {
    const queueId = await aQueue()
    expect(places(upcoming(queueId))).toEqual([0, 1, 2])
    expect(places(judge(queueId, 0, 'a'))).toEqual([1, 2, 3])
    expect(places(upcoming(queueId, 'Ben'))).toEqual([0, 1, 2])
    expect(judge(queueId, 1, 'tie').progress).toMatchObject({ judged: 2, slots: 30, today: 2, secondsPerItem: 2, mayUndo: true })
  })

  it('shows neither where an answer comes from nor what is planted', async () => {
    const queueId = await aQueue({ settings: { repeatShare: 0.2 } })
    for (const item of made.lab.labelling.upcoming(queueId, 'Ada', 50, false).items)
      expect(Object.keys(item).toSorted()).toEqual(['a', 'b', 'earlier', 'image', 'ordinal', 'prompt', 'reason'])
  })

  it('takes back one judgement after another to the first, and shows what was said', async () => {
    const queueId = await aQueue()
    for (let i = 0; i < 5; i++) judge(queueId, i, 'a')
    const { lab } = made
    expect(lab.labelling.undo(queueId, 'Ada', 3).item).toMatchObject({ ordinal: 4, earlier: { choice: 'a' } })
    for (let i = 3; i >= 0; i--) expect(lab.labelling.undo(queueId, 'Ada', 3).item!.ordinal).toBe(i)
    const nothing = lab.labelling.undo(queueId, 'Ada', 3)
    expect(nothing).toMatchObject({ item: null, upcoming: { progress: { judged: 0, mayUndo: false } } })
    expect(places(nothing.upcoming)).toEqual([0, 1, 2])
  })

  it('does not take back yesterday’s, nor anybody else’s', async () => {
    const queueId = await aQueue()
    judge(queueId, 0, 'a')
    judge(queueId, 0, 'b', 'Ben')
    made.clock.ms += 25 * 3_600_000
    expect(made.lab.labelling.undo(queueId, 'Ada', 3).item).toBeNull()
  })

  it('takes back past midnight, after a restart, and when the clock was set back', async () => {
    const queueId = await aQueue()
    made.clock.ms = new Date(2026, 2, 28, 23, 50).getTime()
    for (let i = 0; i < 3; i++) judge(queueId, i, 'a')
    // Past midnight it is another day's count, and the night in which summer time begins is no reason to keep anything.
    made.clock.ms += 4 * 3_600_000
    expect(upcoming(queueId).progress).toMatchObject({ judged: 3, today: 0, mayUndo: true })
    expect(made.lab.labelling.undo(queueId, 'Ada', 3).item!.ordinal).toBe(2)
    await made.lab.close()
    made = aLab(folder)
    made.clock.ms = new Date(2026, 2, 29, 4, 0).getTime()
    expect(made.lab.labelling.undo(queueId, 'Ada', 3).item!.ordinal).toBe(1)
    // Two hours back: what was judged "later" still stands, counts, and can be taken back.
    made.clock.ms -= 6 * 3_600_000
    judge(queueId, 1, 'b')
    expect(upcoming(queueId).progress).toMatchObject({ judged: 2, mayUndo: true })
    expect(upcoming(queueId).progress.minutesWithoutBreak).toBeGreaterThanOrEqual(0)
    for (const ordinal of [1, 0]) expect(made.lab.labelling.undo(queueId, 'Ada', 3).item!.ordinal).toBe(ordinal)
    expect(upcoming(queueId).progress).toMatchObject({ judged: 0, mayUndo: false })
  })

  it('brings skipped places back on request, those skipped again last', async () => {
    const queueId = await aQueue()
    judge(queueId, 0, 'skip')
    expect(places(judge(queueId, 1, 'skip'))).toEqual([2, 3, 4])
    expect(places(upcoming(queueId, 'Ada', true))).toEqual([0, 1])
    judge(queueId, 0, 'skip')
    expect(places(upcoming(queueId, 'Ada', true))).toEqual([1, 0])
    expect(judge(queueId, 1, 'a').progress).toMatchObject({ judged: 1, skipped: 1 })
  })

  it('keeps what was judged when the process is gone, and a judgement of a place judged twice counts once', async () => {
    const queueId = await aQueue()
    judge(queueId, 0, 'a')
    judge(queueId, 0, 'b')
    expect(upcoming(queueId).progress.judged).toBe(1)
    await made.lab.close()
    made = aLab(folder)
    expect(upcoming(queueId).progress.judged).toBe(1)
    expect(made.lab.labelling.judgedOf(queueId)[0]!.judgement.choice).toBe('b')
  })

  it('says how long nobody has paused, and forgets it after a break', async () => {
    const queueId = await aQueue()
    for (let i = 0; i < 10; i++) {
      made.clock.ms += 60_000
      judge(queueId, i, 'a')
    }
    expect(upcoming(queueId).progress.minutesWithoutBreak).toBeGreaterThan(8)
    made.clock.ms += 6 * 60_000
    expect(upcoming(queueId).progress.minutesWithoutBreak).toBe(0)
  })

  it('stores the version of the guidelines that held', async () => {
    const queueId = await aQueue()
    const { labelling } = made.lab
    judge(queueId, 0, 'a')
    expect(labelling.writeGuidelines(queueId, 'Prefer what the image shows.').version).toBe(1)
    expect(labelling.writeGuidelines(queueId, 'Count twice.').version).toBe(2)
    judge(queueId, 1, 'a')
    expect(labelling.judgedOf(queueId).map(({ judgement }) => judgement.guidelineVersion)).toEqual([1, 2])
  })

  it('refuses a place that there is not, a queue that there is not, and strength without a side', async () => {
    const queueId = await aQueue()
    expect(() => judge(queueId, 99, 'a')).toThrow(/30 places.*no place 99/)
    expect(() => judge('nothing', 0, 'a')).toThrow(/no queue "nothing"/)
    expect(() => judge(queueId, 0, 'tie', 'Ada', { strength: 2 })).toThrow(/strength.*tie/)
  })
})

describe('a queue', () => {
  it('of two models holds the answers of both, and nothing where they are alike', async () => {
    const run = async (name: string) => {
      const { runId } = await made.lab.runs.start(
        runRequestSchema.parse({ name, dataset: 'pairs', training: { steps: 1, objective: { kind: 'dpo' } } }),
      )
      await made.lab.runs.ended(runId)
      return runId
    }
    const [first, second] = [await run('one'), await run('two')]
    const queueId = await aQueue({ source: { kind: 'two-models', dataset: 'pairs', first, second, limit: 5 } })
    expect(made.lab.labelling.found(queueId)).toMatchObject({ status: 'ready', slots: 5 })
    judge(queueId, 0, 'a')
    const { item } = made.lab.labelling.judgedOf(queueId)[0]!
    expect([item.first.source, item.second.source]).toEqual(['one', 'two'])
    expect(made.runner.jobs.filter(({ kind }) => kind === 'answers')).toHaveLength(2)

    const byMargin = await aQueue({ name: 'unsure first', order: { kind: 'small-margin', runs: [first] }, source: { kind: 'pairs', dataset: 'pairs', limit: 7 } })
    // The fake model's margins are 3, 2, 1, 0, −1 …: the smallest comes first.
    expect(upcoming(byMargin).items[0]!.reason).toContain('0.00 nats')

    const same = await aQueue({ name: 'same', source: { kind: 'two-models', dataset: 'pairs', first, second: first } })
    expect(made.lab.labelling.found(same)).toMatchObject({ status: 'failed', failure: { code: 'invalid-input', message: expect.stringContaining('temperature') } })
  })

  it('of disagreements holds what two labellers said differently, and its verdict is final', async () => {
    const queueId = await aQueue()
    for (const ordinal of [0, 1]) judge(queueId, ordinal, 'tie', 'Ada')
    judge(queueId, 0, 'tie', 'Ben')
    judge(queueId, 1, 'both-bad', 'Ben')
    const adjudication = await aQueue({ name: 'final', source: { kind: 'disagreements', queueId } })
    const [item, ...others] = upcoming(adjudication, 'Cyd').items
    expect(others).toEqual([])
    expect(item!.reason).toBe('Ada and Ben disagree')
    judge(adjudication, 0, 'a', 'Cyd')
    const outcomes = made.lab.labelling.outcomes(queueId)
    expect(outcomes.map(({ isAdjudicated }) => isAdjudicated)).toEqual([false, true])
    expect(['first', 'second']).toContain(outcomes[1]!.verdict)
  })

  it('of edits sets each against the answer that it was written from', async () => {
    const queueId = await aQueue()
    const { a } = upcoming(queueId).items[0]!
    judge(queueId, 0, 'a', 'Ada', { edit: { side: 'a', text: 'better still' } })
    const edits = await aQueue({ name: 'edits', source: { kind: 'edits', queueId } })
    const [item] = upcoming(edits).items
    expect([item!.a, item!.b].toSorted()).toEqual(['better still', a].toSorted())
  })

  it('whose source holds nothing says what the dataset holds', async () => {
    const queueId = await aQueue({ source: { kind: 'pairs', dataset: 'pairs', search: 'zebra' } })
    expect(made.lab.labelling.found(queueId).failure!.message).toMatch(/"pairs".*zebra.*30 train/)
    expect(() => upcoming(queueId)).toThrow(/could not be made/)
  })

  it('of a dataset that there is not is refused at once and leaves nothing behind', async () => {
    await expect(aQueue({ source: { kind: 'pairs', dataset: 'unknown' } })).rejects.toThrow(/no dataset "unknown"/)
    expect(made.lab.labelling.list()).toEqual([])
  })
})

describe('a region drawn by brush', () => {
  const drawn = { size: [4, 6], counts: [5, 7, 12] }

  async function aQueueOfPictures(): Promise<string> {
    const source = join(folder, 'drawn')
    mkdirSync(source)
    writeFileSync(join(source, 'a.png'), encodePng({ width: 6, height: 4, data: new Uint8Array(72).fill(90) }))
    writeFileSync(join(source, 'pairs.jsonl'), JSON.stringify({ image: 'a.png', prompt: 'What is it?', chosen: 'a dog', rejected: 'a cat' }))
    await made.lab.datasets.import({ path: join(source, 'pairs.jsonl'), name: 'pictures' })
    return aQueue({ source: { kind: 'pairs', dataset: 'pictures' } })
  }

  it('comes back with an undo, stands in every format and the side file, and goes into the dataset that is trained on', async () => {
    const queueId = await aQueueOfPictures()
    judge(queueId, 0, 'a', 'Ada', { region: [[1, 1, 2, 2], drawn] })
    expect(made.lab.labelling.undo(queueId, 'Ada', 1).item!.earlier!.region).toEqual([[1, 1, 2, 2], drawn])
    judge(queueId, 0, 'a', 'Ada', { region: [[1, 1, 2, 2], drawn] })
    expect(made.lab.labelling.bundle(queueId).judgements[0]!.region).toEqual([[1, 1, 2, 2], drawn])
    for (const format of PAIR_FORMATS) {
      const { artifact } = await made.lab.labelExport.write({ queueId, format, images: 'copy', ties: 'leave-out' }, null)
      expect(JSON.parse(readFileSync(join(artifact.path, 'labels.jsonl'), 'utf8'))).toMatchObject({ region: [[1, 1, 2, 2]], region_masks: [drawn] })
    }
    await made.lab.labelExport.toDataset(queueId, 'trained on', 'leave-out')
    const { snapshot } = made.lab.datasets.named('trained on')
    expect(JSON.parse(readFileSync(join(folder, 'snapshots', `${snapshot}.jsonl`), 'utf8')).content.region).toEqual([[1, 1, 2, 2], drawn])
  })

  it('is refused where it is not of the picture that was seen, or where there was none', async () => {
    const queueId = await aQueueOfPictures()
    expect(faultOf(() => judge(queueId, 0, 'a', 'Ada', { region: [{ size: [4, 4], counts: [16] }] })).message).toContain('[4, 6] pixels')
    const blind = await aQueue({ name: 'without pictures' })
    expect(faultOf(() => judge(blind, 0, 'a', 'Ada', { region: [[1, 1, 2, 2]] })).code).toBe('invalid-input')
  })
})

describe('labels of several people', () => {
  it('come together from two project folders, and merging twice changes nothing', async () => {
    const queueId = await aQueue()
    const bundle = made.lab.labelling.bundle(queueId)
    const elsewhere = mkdtempSync(join(tmpdir(), 'pivot-lab-'))
    const other = aLab(elsewhere)
    try {
      other.lab.labelling.merge(bundle)
      other.lab.labelling.judge(judgementInputSchema.parse({ queueId, ordinal: 0, labeller: 'Ben', choice: 'b', seconds: 1 }), 1, false)
      await other.lab.close()
      judge(queueId, 0, 'b')
      const [summary] = made.lab.labelling.mergeProject(elsewhere, 'lab.sqlite')
      expect(summary).toMatchObject({ added: 1, unchanged: 0, labellers: ['Ben'] })
      expect(made.lab.labelling.mergeProject(elsewhere, 'lab.sqlite')[0]).toMatchObject({ added: 0, unchanged: 1 })
      expect(made.lab.labelling.found(queueId).labellers.map(({ labeller }) => labeller)).toEqual(['Ada', 'Ben'])
      expect(made.lab.labelling.trust(queueId).sharedItems).toBe(1)
    } finally {
      rmSync(elsewhere, { recursive: true, force: true })
    }
  })

  it('that are older than what a labeller has said since change nothing', async () => {
    const queueId = await aQueue()
    judge(queueId, 0, 'a')
    const old = made.lab.labelling.bundle(queueId)
    made.lab.labelling.undo(queueId, 'Ada', 1)
    expect(made.lab.labelling.merge(old)).toMatchObject({ added: 0 })
    expect(upcoming(queueId).progress.judged).toBe(0)
    judge(queueId, 0, 'b')
    const renamed = { ...old, judgements: old.judgements.map((each) => ({ ...each, id: 'from another machine' })) }
    expect(made.lab.labelling.merge(renamed)).toMatchObject({ added: 0, unchanged: 1 })
    expect(made.lab.labelling.judgedOf(queueId)[0]!.judgement.choice).toBe('b')
  })

  it('of another queue, or from a file that is none of ours, are refused by name', async () => {
    const queueId = await aQueue()
    const file = join(folder, 'labels.json')
    const bundle = made.lab.labelling.bundle(queueId)
    writeFileSync(file, JSON.stringify({ ...bundle, slots: bundle.slots.slice(1) }))
    expect(() => made.lab.labelling.mergeFile(file)).toThrow(/other items/)
    writeFileSync(file, JSON.stringify({ ...bundle, formatVersion: 2 }))
    expect(() => made.lab.labelling.mergeFile(file)).toThrow(/labels\.json.*formatVersion/)
    writeFileSync(file, '{')
    expect(() => made.lab.labelling.mergeFile(file)).toThrow(/labels\.json is not JSON/)
  })
})

describe('what comes out', () => {
  it('is read back by the lab’s own importer in each format, with the answer that was chosen', async () => {
    const queueId = await aQueue()
    const chosen = new Set<string>()
    for (let i = 0; i < 6; i++) {
      const [item] = upcoming(queueId).items
      chosen.add(item!.a)
      judge(queueId, item!.ordinal, 'a')
    }
    const isAbout = (name: string) => ['labels.jsonl', 'guidelines.md', 'dataset_info.json', 'annotations', 'pivot-sft.json'].includes(name)
    for (const format of PAIR_FORMATS) {
      const { artifact } = await made.lab.labelExport.write({ queueId, format, images: 'copy', ties: 'leave-out' }, null)
      const [file] = readdirSync(artifact.path).filter((name) => !isAbout(name))
      const { datasets, added, problems } = await made.lab.datasets.import({ path: join(artifact.path, file!), name: format })
      expect({ format, kind: datasets[0]!.kind, added, problems }).toEqual({ format, kind: 'preferences', added: 6, problems: [] })
      const labels = readFileSync(join(artifact.path, 'labels.jsonl'), 'utf8').trim().split('\n')
      expect(labels.map((line) => JSON.parse(line).labeller)).toEqual(new Array(6).fill('Ada'))
    }
    const summary = await made.lab.labelExport.toDataset(queueId, 'mine to train on', 'leave-out')
    expect(summary).toMatchObject({ added: 6, problems: [] })
    expect(await made.lab.labelExport.toDataset(queueId, 'mine to train on', 'leave-out')).toMatchObject({ added: 0, unchanged: 6 })
    const text = readFileSync(join(folder, 'snapshots', `${summary.datasets[0]!.snapshot}.jsonl`), 'utf8')
    for (const line of text.trim().split('\n')) expect(chosen.has(JSON.parse(line).content.chosen)).toBe(true)
  })

  it('gives PIVOT’s SFT twin the very answer that the DPO twin chooses, in the same order', async () => {
    const queueId = await aQueue()
    for (let i = 0; i < 5; i++) judge(queueId, i, i % 2 ? 'a' : 'b')
    const { artifact } = await made.lab.labelExport.write({ queueId, format: 'pivot', images: 'copy', ties: 'leave-out' }, null)
    const rows = (name: string) => JSON.parse(readFileSync(join(artifact.path, name), 'utf8'))
    const twins = rows('pivot-sft.json').map(({ conversations }: any) => conversations.map(({ value }: any) => value))
    expect(twins).toEqual(rows('pivot-dpo.json').map(({ prompt, chosen }: any) => [prompt, chosen]))
    expect(twins).toHaveLength(5)
  })

  it('replaces an export of its own, and nothing that somebody else put there', async () => {
    const queueId = await aQueue()
    judge(queueId, 0, 'a')
    const request = { queueId, format: 'trl', images: 'copy', ties: 'leave-out' } as const
    const { artifact } = await made.lab.labelExport.write(request, null)
    judge(queueId, 1, 'a')
    expect((await made.lab.labelExport.write(request, null)).counts.pairs).toBe(2)
    await expect(made.lab.labelExport.write(request, artifact.path)).rejects.toThrow(/exists already/)
    expect(readdirSync(join(folder, 'exports'))).toEqual(['labels-mine-trl'])
  })

  it('is refused while there is no pair, and says what there is', async () => {
    const queueId = await aQueue()
    judge(queueId, 0, 'both-bad')
    await expect(made.lab.labelExport.write({ queueId, format: 'trl', images: 'copy', ties: 'leave-out' }, null)).rejects.toThrow(/0 ties, 1 both bad/)
  })
})
