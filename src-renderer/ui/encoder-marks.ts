// How an encoder is marked wherever it appears: a colour and a shape, so that nobody needs to tell colours apart. The
// first three are those of the stages (grey circle, orange square, blue diamond); an arm of another study has its stage's
// colour and another shape. The index is the encoder's own and never changes (domain/encoder.ts). Colours repeat after nine,
// shapes after seven: a pair of the two comes again only after 63.

import { armId, markShape, nextColour } from '../../src-main/domain/encoder.ts'
import { ENCODERS, type EncoderName } from '../../src-main/domain/study.ts'

export interface EncoderMark {
  /** Of style/tokens.css. */
  readonly token: string
  /** SVG path data within a square of 10 by 10. */
  readonly path: string
}

export const MARK_TOKENS = [
  '--encoder-stage-1',
  '--encoder-sft',
  '--encoder-dpo',
  '--encoder-4',
  '--encoder-5',
  '--encoder-6',
  '--encoder-7',
  '--encoder-8',
  '--encoder-9',
] as const

/** @param index  of the encoder, from 0 */
export function encoderMark(index: number): EncoderMark {
  return { token: MARK_TOKENS[index % MARK_TOKENS.length]!, path: markShape(index) }
}

/** The shape as ECharts wants it. */
export function markSymbol(index: number): string {
  return `path://${encoderMark(index).path}`
}

/** Lines of one colour differ in their dash. */
export function markDash(index: number): 'solid' | 'dashed' | 'dotted' {
  return (['solid', 'dashed', 'dotted'] as const)[Math.floor(index / MARK_TOKENS.length) % 3]!
}

/** Indices of the marks of a study's encoders. */
export type StudyMarks = Readonly<Record<EncoderName, number>>

/** An arm has its mark with its first checkpoint; until then it is shown with the one that it will be given. */
export function studyMarks(studyId: string, known: readonly { readonly id: string; readonly colour: number }[]): StudyMarks {
  const taken = new Set(known.map(({ colour }) => colour))
  const markOf = (arm: EncoderName) => known.find(({ id }) => id === armId(studyId, arm))?.colour ?? nextColour(arm, taken)
  return Object.fromEntries(ENCODERS.map((arm) => [arm, markOf(arm)])) as Record<EncoderName, number>
}
