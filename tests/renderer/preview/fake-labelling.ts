// The labelling part of the invented lab: queues in every state, items to judge, and what could be said of their labels.

import { pairHealth } from '../../../src-main/domain/labelling/pair-health.ts'
import { imageUse, teachesLanguageOnly } from '../../../src-main/domain/labelling/image-use.ts'
import { modelRankings, rankingsByLabeller } from '../../../src-main/domain/labelling/model-ranking.ts'
import { outcomesOf } from '../../../src-main/domain/labelling/outcome.ts'
import { queueSettingsSchema, type QueueRow, type ShownItem, type Upcoming } from '../../../src-main/domain/labelling/queue.ts'
import { trustReport, type JudgedSlot } from '../../../src-main/domain/labelling/trust.ts'
import type { AuditRow } from '../../../src-main/domain/labelling/pair-audit.ts'
import { LabError } from '../../../src-main/domain/errors.ts'
import { createRandom } from '../../../src-main/domain/random.ts'
import type { Handlers } from '../../../src-preload/contract/operations.ts'
import { aJudgedSlot } from '../../support/labels.ts'

type LabellingName = Extract<keyof Handlers, `labelling.${string}` | `pairs.${string}`>

const NOW = Date.now()
const HOUR = 3_600_000

const QUESTIONS = [
  ['How many mugs stand on the table?', 'There are three mugs on the table.', 'There are two mugs on the table.'],
  [
    'Describe the image in detail.',
    'A brown dog lies on a striped blanket in front of a window. Sunlight falls from the left, and a red ball lies near its front paws. Behind it stands a wooden chair with a folded newspaper on the seat.',
    'A brown dog lies on a striped blanket in front of a window. Sunlight falls from the right, and a blue ball lies near its front paws. Behind it stands a wooden chair with a folded towel on the seat and a cat beneath it.',
  ],
  ['What does the sign say?', 'The sign says EXIT.', 'The sign says EXIST.'],
  ['What is left of the red car?', 'A bicycle.', 'A lamp post is left of the red car.'],
  ['Which is nearer, the tree or the house?', 'The tree is nearer: it hides the corner of the house.', 'The house is nearer.'],
] as const

export function fakeLabelling(scene: string): Pick<Handlers, LabellingName> {
  const isEmpty = scene === 'empty'
  const refuse = () => {
    throw new LabError('conflict', 'the preview changes nothing')
  }
  let judged = scene === 'finished-queue' ? 210 : 86
  const settings = queueSettingsSchema.parse({ strengthScale: scene === 'strength' })
  const queue: QueueRow = {
    id: 'queue-1',
    name: 'Answers of DPO and SFT, seed 0',
    status: 'ready',
    failure: null,
    progress: null,
    leftMs: null,
    source: { kind: 'two-models', dataset: 'sight-test questions', split: 'train', search: '', category: '', tag: '', limit: 200, first: 'a', second: 'b', temperature: 0, maxNewTokens: 64 },
    order: { kind: 'small-margin', runs: ['a'] },
    settings,
    guidelineVersion: 2,
    slots: 210,
    labellers: [
      { labeller: 'Ada', judged, skipped: 3, lastAtMs: NOW - HOUR / 4 },
      { labeller: 'Ben', judged: 204, skipped: 6, lastAtMs: NOW - 20 * HOUR },
    ],
    createdAtMs: NOW - 30 * HOUR,
  }
  const queues: readonly QueueRow[] = [
    { ...queue, id: 'queue-2', name: 'Near misses, counting', source: { kind: 'near-miss', dataset: 'sight-test questions', split: 'train', search: '', category: 'count', tag: '', limit: 500 }, order: { kind: 'random' }, labellers: [], slots: 525, createdAtMs: NOW - HOUR },
    queue,
    { ...queue, id: 'queue-3', name: 'True or blurred image', status: 'making', progress: { part: 'Second answers', done: 61, of: 200 }, leftMs: 95_000, slots: 0, labellers: [], createdAtMs: NOW - HOUR / 6 },
  ]
  const shown = (ordinal: number): ShownItem => {
    const [prompt, a, b] = QUESTIONS[ordinal % QUESTIONS.length]!
    return {
      ordinal,
      image: { sha256: String(ordinal % 5).repeat(64), path: 'a.png', width: 64, height: 64 },
      prompt,
      a,
      b,
      reason: `The model is unsure: margin ${(0.04 + ordinal / 500).toFixed(2)} nats`,
      earlier: null,
    }
  }
  const upcoming = (): Upcoming => ({
    items: judged >= 210 ? [] : Array.from({ length: 8 }, (_, i) => shown(judged + i)),
    progress: {
      judged,
      skipped: 3,
      flagged: 1,
      slots: 210,
      today: 61,
      secondsPerItem: 4.2,
      minutesWithoutBreak: scene === 'break' ? 56 : 23,
      mayUndo: true,
    },
  })
  const judgedSlots = fakeJudgements()
  const pairs = QUESTIONS.map(([prompt, chosen, rejected], i) => ({ id: `pair ${i}`, imageSha256: String(i).repeat(64), content: { prompt, chosen, rejected } }))
  const audited = fakeAudit()
  const audit: AuditRow = {
    id: 'audit-1',
    status: 'finished',
    request: { dataset: 'sight-test preferences', split: 'train', limit: 500, runId: 'a', referenceRunId: 'b', beta: 0.1, seed: 0 },
    model: 'DPO, seed 0',
    reference: 'Stage 1, seed 0',
    progress: null,
    leftMs: null,
    failure: null,
    createdAtMs: NOW - 2 * HOUR,
  }
  return {
    'labelling.queues': () => (isEmpty ? [] : [...queues]),
    'labelling.queue': ({ queueId }) => queues.find(({ id }) => id === queueId) ?? queue,
    'labelling.create': refuse,
    'labelling.cancel': refuse,
    'labelling.delete': refuse,
    'labelling.upcoming': upcoming,
    'labelling.judge': () => {
      judged += 1
      return upcoming()
    },
    'labelling.undo': () => {
      judged -= 1
      return { item: shown(judged), upcoming: upcoming() }
    },
    'labelling.guidelines': () => ({
      version: 2,
      text: 'Prefer the answer that the image supports.\n\n- A wrong count is worse than a clumsy sentence.\n- What cannot be seen must not be claimed.\n- Equal in everything that the image shows: tie.',
      createdAtMs: NOW - 26 * HOUR,
    }),
    'labelling.writeGuidelines': refuse,
    'labelling.trust': () => trustReport(judgedSlots),
    'labelling.rankings': () => [...modelRankings(outcomesOf(judgedSlots)), ...rankingsByLabeller(judgedSlots)],
    'labelling.export': refuse,
    'labelling.exportLabels': refuse,
    'labelling.mergeLabels': refuse,
    'labelling.mergeProject': refuse,
    'labelling.toDataset': refuse,
    'pairs.health': () => pairHealth([...pairs, ...pairs.slice(0, 2).map((pair) => ({ ...pair, id: `${pair.id} again` }))].map((pair, row) => ({ ...pair, row }))),
    'pairs.audits': () => (isEmpty ? [] : [audit]),
    'pairs.audit': () => ({
      row: audit,
      use: imageUse(audited),
      pairs: audited.map((each, i) => {
        const [prompt, chosen, rejected] = QUESTIONS[i % QUESTIONS.length]!
        return { ...each, imageSha256: String(i % 5).repeat(64), prompt, chosen, rejected, languageOnly: teachesLanguageOnly(each) }
      }),
    }),
    'pairs.startAudit': refuse,
    'pairs.cancelAudit': refuse,
    'pairs.deleteAudit': refuse,
  }
}

/** Two labellers over the same 80 items, Ben a little careless and fond of side A, with repeats and gold items. */
function fakeJudgements(): readonly JudgedSlot[] {
  const random = createRandom(5, 'labels')
  const judged: JudgedSlot[] = []
  for (let i = 0; i < 80; i++) {
    const [, first, second] = QUESTIONS[i % QUESTIONS.length]!
    const item = {
      category: ['count', 'colour', 'position'][i % 3]!,
      first: { text: first, source: 'DPO, seed 0' },
      second: { text: second, source: 'SFT, seed 0' },
    }
    for (const labeller of ['Ada', 'Ben']) {
      const prefersFirst = random.uniform() < 0.68
      const aShows = random.uniform() < 0.5 ? 'first' : 'second'
      const follows = labeller === 'Ben' && random.uniform() < 0.3
      const choice = random.uniform() < 0.08 ? 'tie' : follows || (aShows === 'first') === prefersFirst ? 'a' : 'b'
      const seconds = 2 + 6 * random.uniform()
      judged.push(aJudgedSlot(i, { labeller, choice, aShows, seconds }, {}, item))
      if (i % 6 === 0)
        judged.push(
          aJudgedSlot(
            i,
            { labeller, choice: choice === 'tie' ? 'tie' : follows ? choice : choice === 'a' ? 'b' : 'a', aShows: aShows === 'first' ? 'second' : 'first', ordinal: 100 + i, seconds },
            { role: 'repeat', ordinal: 100 + i },
            item,
          ),
        )
      if (i % 7 === 0)
        judged.push(
          aJudgedSlot(
            i,
            { labeller, choice: (aShows === 'first') === follows ? 'b' : 'a', aShows, ordinal: 200 + i, seconds },
            { itemId: `gold ${i}`, role: 'gold', expected: 'first', ordinal: 200 + i },
            { ...item, id: `gold ${i}` },
          ),
        )
    }
  }
  return judged
}

function fakeAudit() {
  const random = createRandom(6, 'audit')
  return Array.from({ length: 60 }, (_, i) => {
    const held = 0.6 + 0.5 * random.normal()
    const kept = random.uniform() < 0.3 ? 0.9 : 0.2
    return {
      sampleId: `pair ${i}`,
      cluster: `image ${i}`,
      margins: { true: held, blank: kept * held + 0.1 * random.normal(), shuffled: kept * held + 0.1 * random.normal(), 'near-miss': kept * held + 0.15 * random.normal() },
    }
  })
}
