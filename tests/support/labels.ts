// Judgements that hold, to be overridden where a test is about them.

import type { Judgement } from '../../src-main/domain/labelling/judgement.ts'
import type { LabelItem, Slot } from '../../src-main/domain/labelling/queue.ts'
import type { JudgedSlot } from '../../src-main/domain/labelling/trust.ts'

export function anItem(overrides: Partial<LabelItem> = {}): LabelItem {
  return {
    id: 'item',
    image: null,
    prompt: 'How many mugs?',
    first: { text: 'three', source: 'model one' },
    second: { text: 'two', source: 'model two' },
    group: null,
    category: 'count',
    split: 'train',
    region: [],
    ...overrides,
  }
}

export function aJudgement(overrides: Partial<Judgement> = {}): Judgement {
  return {
    id: 'judgement',
    queueId: 'queue',
    ordinal: 0,
    labeller: 'Ada',
    choice: 'a',
    aShows: 'first',
    strength: null,
    edit: null,
    flagged: false,
    tags: [],
    note: '',
    region: [],
    seconds: 3,
    guidelineVersion: 1,
    judgedAtMs: 1_700_000_000_000,
    ...overrides,
  }
}

/** One judged place: item `i` by `labeller`. */
export function aJudgedSlot(
  i: number,
  judgement: Partial<Judgement> = {},
  slot: Partial<Slot> = {},
  item: Partial<LabelItem> = {},
): JudgedSlot {
  const itemId = `item ${i}`
  return {
    judgement: aJudgement({ id: `${judgement.labeller ?? 'Ada'} ${i} ${slot.role ?? ''}`, ordinal: i, judgedAtMs: 1_700_000_000_000 + i, ...judgement }),
    slot: { ordinal: i, itemId, role: 'item', expected: null, reason: '', ...slot },
    item: anItem({ id: itemId, ...item }),
  }
}
