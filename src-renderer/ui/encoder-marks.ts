// How an encoder is marked wherever it appears: a colour and a shape, so that nobody needs to tell colours apart. The
// first three are those of the stages (grey circle, orange square, blue diamond); an arm of another study has its stage's
// colour and another shape. The index is the encoder's own and never changes (domain/encoder.ts). Colours repeat after nine,
// shapes after seven: a pair of the two comes again only after 63.

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

const SHAPES = [
  // circle, square, diamond
  'M5 .5a4.5 4.5 0 0 1 0 9a4.5 4.5 0 0 1 0-9Z',
  'M1 1h8v8h-8Z',
  'M5 0L10 5L5 10L0 5Z',
  // triangle, triangle on its head, cross, hexagon
  'M5 .5L10 9.2H0Z',
  'M5 9.5L0 .8H10Z',
  'M3.4 0h3.2v3.4H10v3.2H6.6V10H3.4V6.6H0V3.4h3.4Z',
  'M2.5 .7h5L10 5L7.5 9.3h-5L0 5Z',
] as const

/** @param index  of the encoder, from 0 */
export function encoderMark(index: number): EncoderMark {
  return { token: MARK_TOKENS[index % MARK_TOKENS.length]!, path: SHAPES[index % SHAPES.length]! }
}

/** The shape as ECharts wants it. */
export function markSymbol(index: number): string {
  return `path://${encoderMark(index).path}`
}

/** Lines of one colour differ in their dash. */
export function markDash(index: number): 'solid' | 'dashed' | 'dotted' {
  return (['solid', 'dashed', 'dotted'] as const)[Math.floor(index / MARK_TOKENS.length) % 3]!
}
