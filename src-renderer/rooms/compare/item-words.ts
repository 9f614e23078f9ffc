// An item behind a number in words: what was asked, what is right, what each encoder's model said. Items are of several kinds
// (a question, a pair, an answer to a benchmark, a picture of a class); a page shows them alike.

import type { ComparedItem } from '../../../src-main/domain/comparison.ts'
import type { ItemDetail } from '../../../src-main/domain/study-results.ts'
import { difference, quantity, significant, type Unit } from '../../ui/quantity.ts'

export interface GivenAnswer {
  readonly seed: number | null
  readonly text: string
  /** What was judged, where it is not the text itself; null: nothing could be made of it. */
  readonly parsed?: string | null
  readonly value: number
}

export interface ItemWords {
  readonly asked: string | null
  readonly expected: string | null
  /** Of a pair. */
  readonly rejected: string | null
  /** By encoder, in the item's order. */
  readonly given: readonly (readonly GivenAnswer[])[]
}

const bare = (text: string) => text.replace(/<image>\s*/g, '').trim()
const nats = (value: number) => value.toFixed(2).replace('-', '−')

export function itemWords(item: ComparedItem): ItemWords {
  const details = item.encoders.flatMap(({ perSeed }) => perSeed.flatMap(({ detail }) => detail ?? []))
  const first = details[0] ?? null
  return {
    asked: first && askedOf(first),
    expected: first && expectedOf(first),
    rejected: first?.kind === 'preference' || first?.kind === 'maps' ? first.rejected : null,
    given: item.encoders.map(({ perSeed }) =>
      perSeed.flatMap(({ seed, value, detail }) => (detail === null ? [] : givenBy(detail, seed, value))),
    ),
  }
}

/** A wrong answer that one of the encoders gave: what the right one is set against in a map. Null where all are right. */
export function wrongAnswer(words: ItemWords): string | null {
  const expected = words.expected?.trim().toLowerCase()
  return words.given.flat().find(({ text, value }) => value < 1 && text.trim() !== '' && text.trim().toLowerCase() !== expected)?.text ?? null
}

/** What a list shows of an item where nothing was kept of it but its score. */
export function itemTitle(item: ComparedItem): string {
  const { asked, expected } = itemWords(item)
  return asked ?? expected ?? item.itemId
}

type ScoredEncoder = ComparedItem['encoders'][number]
const isJudged = ({ perSeed }: ScoredEncoder) => perSeed.every(({ value }) => value === 0 || value === 1)

/** How an encoder did on the item: "right", "2 of 3 right", "0.83". */
export function scoreWords(encoder: ScoredEncoder, unit: Unit): string {
  const { perSeed, value } = encoder
  if (unit !== 'share' || !isJudged(encoder)) return quantity(value, unit)
  const right = perSeed.filter((each) => each.value === 1).length
  return right === perSeed.length ? 'right' : right === 0 ? 'wrong' : `${right} of ${perSeed.length} right`
}

/** What the second encoder gains: "+2 of 3" where answers are right or wrong in several seeds, else the difference. */
export function gainWords({ gain, encoders: [first, second] }: ComparedItem, unit: Unit): string {
  if (unit !== 'share') return difference(gain, unit)
  const seeds = first?.perSeed.length ?? 0
  if (first !== undefined && second !== undefined && seeds > 1 && second.perSeed.length === seeds && isJudged(first) && isJudged(second))
    return `${difference(Math.round(gain * seeds), 'number')} of ${seeds}`
  return gain === 0 ? '0' : `${gain > 0 ? '+' : ''}${significant(gain, 2)}`
}

function askedOf(detail: ItemDetail): string | null {
  switch (detail.kind) {
    case 'question':
      return bare(detail.question)
    case 'preference':
    case 'maps':
      return bare(detail.prompt)
    case 'benchmark':
      return detail.answers[0] ? bare(detail.answers[0].prompt) : null
    case 'class':
      return null
  }
}

function expectedOf(detail: ItemDetail): string | null {
  switch (detail.kind) {
    case 'question':
    case 'class':
      return detail.expected
    case 'preference':
    case 'maps':
      return detail.chosen
    case 'benchmark':
      return detail.answers[0]?.expected.join(' or ') ?? null
  }
}

function givenBy(detail: ItemDetail, seed: number | null, value: number): GivenAnswer[] {
  switch (detail.kind) {
    case 'question':
    case 'class':
      return [{ seed, text: detail.given, value }]
    case 'preference': {
      const { chosen, rejected } = detail.logProbs
      return [{ seed, text: `log p chosen ${nats(chosen)}, rejected ${nats(rejected)}: margin ${nats(chosen - rejected)} nats`, value }]
    }
    case 'maps':
      return []
    case 'benchmark':
      return detail.answers.map(({ given, parsed, value }) => ({ seed, text: given, parsed, value }))
  }
}
