// What is wrong with a set of preference pairs, by looking at their texts alone. Each finding is a pair and a kind; what a
// model has to say of them is in image-use.ts.

import { z } from 'zod'
import type { PreferenceContent } from '../sample.ts'
import { wilsonInterval } from '../statistics/intervals.ts'
import { quantileOfSorted } from '../statistics/description.ts'
import { mayBeSimilar, plainWords, wordSimilarity } from './word-difference.ts'

export const PAIR_FAULTS = ['duplicate', 'swapped', 'identical', 'near-identical', 'length-gap', 'leak', 'both-wrong'] as const
export type PairFault = (typeof PAIR_FAULTS)[number]

export const PAIR_FAULT_TABLE: Readonly<Record<PairFault, { readonly label: string; readonly meaning: string }>> = {
  duplicate: { label: 'Duplicates', meaning: 'The same image, prompt and answers as an earlier pair, up to case and blanks: it counts twice' },
  swapped: { label: 'Swapped duplicates', meaning: 'An earlier pair says the opposite: chosen and rejected are exchanged. One of the two is wrong' },
  identical: { label: 'Identical answers', meaning: 'Chosen and rejected are the same up to case, blanks and punctuation: nothing can be learnt' },
  'near-identical': { label: 'Near-identical answers', meaning: 'At least 95 % of the words are shared in the same order: look whether the difference is meant' },
  'length-gap': { label: 'Length gap', meaning: 'One answer has more than three times the words of the other, and at least 20 more: DPO may learn length' },
  leak: { label: 'Answer tells the label', meaning: 'An answer speaks of being right, wrong, chosen or rejected, or the prompt holds the chosen answer and not the other' },
  'both-wrong': { label: 'Both wrong', meaning: 'Neither answer is the answer of a question about the same image with the same words' },
}

export const pairFindingSchema = z.strictObject({
  fault: z.enum(PAIR_FAULTS),
  /** Of the sample. */
  row: z.int(),
  sampleId: z.string(),
  /** The other pair of a duplicate; null elsewhere. */
  otherId: z.string().nullable(),
  detail: z.string(),
  /** The beginnings of the texts: enough to recognise the pair. */
  prompt: z.string(),
  chosen: z.string(),
  rejected: z.string(),
})
export type PairFinding = z.output<typeof pairFindingSchema>

export const pairHealthSchema = z.strictObject({
  pairs: z.int(),
  /** The first of each fault, at most `MOST_FINDINGS`. */
  findings: z.array(pairFindingSchema),
  /** Rows of all samples that have the fault: what is excluded, tagged or judged again. */
  rows: z.record(z.enum(PAIR_FAULTS), z.array(z.int())),
  counts: z.record(z.enum(PAIR_FAULTS), z.int()),
  /** Share of pairs whose chosen answer is the longer one, in words, among those of unlike length. */
  chosenLonger: z.strictObject({ value: z.number(), low: z.number(), high: z.number(), count: z.int() }).nullable(),
  /** Words of the chosen minus words of the rejected answer: quantiles 5, 25, 50, 75, 95 %. */
  lengthGaps: z.array(z.number()),
})
export type PairHealth = z.output<typeof pairHealthSchema>

/** Of one fault, told with their texts. */
export const MOST_FINDINGS = 200

export interface CheckedPair {
  readonly row: number
  readonly id: string
  readonly imageSha256: string | null
  readonly content: Pick<PreferenceContent, 'prompt' | 'chosen' | 'rejected'>
}

const NEAR = 0.95
const LENGTH_RATIO = 3
const LENGTH_WORDS = 20

/** @param answers known right answers by `questionKey` of image and question; empty: nothing is known to be wrong */
export function pairHealth(pairs: Iterable<CheckedPair>, answers: ReadonlyMap<string, string> = new Map()): PairHealth {
  const examination = examinePairs(answers)
  for (const pair of pairs) examination.add(pair)
  return examination.result()
}

/** The same in turns: pairs one by one, so that whoever has many can pause between them. */
export function examinePairs(answers: ReadonlyMap<string, string>) {
  const findings: PairFinding[] = []
  const rows = Object.fromEntries(PAIR_FAULTS.map((fault) => [fault, [] as number[]])) as Record<PairFault, number[]>
  const seen = new Map<string, string>()
  const gaps: number[] = []
  return {
    add({ row, id, imageSha256, content }: CheckedPair): void {
      const find = (fault: PairFault, detail: string, otherId: string | null = null) => {
        rows[fault].push(row)
        if (rows[fault].length > MOST_FINDINGS) return
        findings.push({
          fault,
          row,
          sampleId: id,
          otherId,
          detail,
          prompt: beginning(content.prompt),
          chosen: beginning(content.chosen),
          rejected: beginning(content.rejected),
        })
      }
      const [chosenWords, rejectedWords] = [plainWords(content.chosen), plainWords(content.rejected)]
      const [prompt, chosen, rejected] = [plain(content.prompt), chosenWords.join(' '), rejectedWords.join(' ')]
      const key = (one: string, other: string) => [imageSha256, prompt, one, other].join('\n')
      const own = key(chosen, rejected)
      const [same, opposite] = [seen.get(own), seen.get(key(rejected, chosen))]
      if (chosen === rejected) find('identical', 'the answers differ in case, blanks or punctuation only')
      else {
        if (same !== undefined) find('duplicate', 'says the same as an earlier pair', same)
        if (opposite !== undefined) find('swapped', 'says the opposite of an earlier pair', opposite)
        const similarity = mayBeSimilar(chosenWords, rejectedWords, NEAR) ? wordSimilarity(chosenWords, rejectedWords) : 0
        if (similarity >= NEAR) find('near-identical', `${Math.round(similarity * 100)} % of the words are shared`)
      }
      if (same === undefined) seen.set(own, id)

      const [longs, shorts] = [chosenWords.length, rejectedWords.length]
      gaps.push(longs - shorts)
      if (Math.abs(longs - shorts) >= LENGTH_WORDS && Math.max(longs, shorts) > LENGTH_RATIO * Math.min(longs, shorts))
        find('length-gap', `${longs} words chosen, ${shorts} rejected`)

      const leak = leakOf(content, prompt, chosen, rejected)
      if (leak !== null) find('leak', leak)
      const right = answers.size === 0 ? undefined : answers.get(questionKey(imageSha256, content.prompt))
      if (right !== undefined && ![chosen, rejected].some((answer) => holdsWords(answer, plain(right))))
        find('both-wrong', `the known answer is "${right}"`)
    },
    result(): PairHealth {
      const unlike = gaps.filter((gap) => gap !== 0)
      const longer = unlike.filter((gap) => gap > 0).length
      const sorted = gaps.toSorted((x, y) => x - y)
      return {
        pairs: gaps.length,
        findings,
        rows,
        counts: Object.fromEntries(PAIR_FAULTS.map((fault) => [fault, rows[fault].length])) as PairHealth['counts'],
        chosenLonger:
          unlike.length === 0 ? null : { value: longer / unlike.length, count: unlike.length, ...bounds(longer, unlike.length) },
        lengthGaps: sorted.length === 0 ? [] : [0.05, 0.25, 0.5, 0.75, 0.95].map((share) => quantileOfSorted(sorted, share)),
      }
    },
  }
}

/** What two questions share that ask the same of the same image. */
export function questionKey(imageSha256: string | null, question: string): string {
  return JSON.stringify([imageSha256, plain(question)])
}

const TELLING = /\b(?:chosen|rejected|preferred|dispreferred)\s+(?:answer|response)\b|\bas an ai\b|^\s*\[?(?:good|bad|correct|incorrect|right|wrong)\s+(?:answer|response)\b/i

function leakOf(content: CheckedPair['content'], prompt: string, chosen: string, rejected: string): string | null {
  for (const field of ['chosen', 'rejected'] as const) {
    const match = TELLING.exec(content[field])
    if (match !== null) return `${field} says "${match[0].trim()}"`
  }
  // One word may stand in a prompt by chance ("is it red or blue?" holds both); more words do not.
  const isLong = chosen.split(' ').length >= 3
  return isLong && holdsWords(prompt, chosen) && !holdsWords(prompt, rejected) ? 'the prompt holds the chosen answer' : null
}

/** `words` as a row of whole words of `text`. */
function holdsWords(text: string, words: string): boolean {
  return words !== '' && ` ${text} `.includes(` ${words} `)
}

function plain(text: string): string {
  return plainWords(text.replace(/<image>/g, ' ')).join(' ')
}

function beginning(text: string): string {
  const line = text.replace(/<image>/g, '').replace(/\s+/g, ' ').trim()
  return line.length > 200 ? `${line.slice(0, 199)}…` : line
}

function bounds(successes: number, count: number) {
  const { low, high } = wilsonInterval(successes, count)
  return { low, high }
}
