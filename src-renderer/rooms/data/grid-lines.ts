// Which lines of a very long grid are drawn, and where. Lines are all equally high, so that a place is one division away and the
// list may have any length. The cells of a line that left are given to the one that comes.

/** Chromium lays out nothing beyond 2^25 pixels: a longer list is shown shorter, and scrolled through in longer steps. */
const MOST_PIXELS = 30_000_000

export interface GridLines {
  readonly lines: number
  /** Pixels from one line to the next. */
  readonly lineHeight: number
  /** Of what is in sight, pixels. */
  readonly height: number
  /** Above the first line and below the last, pixels. */
  readonly padding: number
}

const wholeOf = ({ lines, lineHeight, padding }: GridLines) => lines * lineHeight + 2 * padding

/** Pixels that the scrolled content takes. */
export const contentHeight = (grid: GridLines): number => Math.min(MOST_PIXELS, wholeOf(grid))

/** Pixels of the list above what is in sight, when so many of the content are. */
export function offsetAt(grid: GridLines, scrollTop: number): number {
  const [shown, whole] = [contentHeight(grid), wholeOf(grid)]
  return whole <= shown ? scrollTop : (scrollTop * (whole - grid.height)) / (shown - grid.height)
}

/** The least move after which a line is wholly in sight; the same place when it is already. */
export function scrollTopFor(grid: GridLines, scrollTop: number, line: number): number {
  const { lineHeight, height, padding } = grid
  const offset = offsetAt(grid, scrollTop)
  const top = padding + line * lineHeight
  // Of a line higher than what is in sight, its top.
  const wanted = Math.min(top - padding, Math.max(offset, top + lineHeight - height))
  const [shown, whole] = [contentHeight(grid), wholeOf(grid)]
  return whole <= shown ? wanted : (wanted * (shown - height)) / (whole - height)
}

/** Lines that are kept drawn: those in sight and a few on either side. */
export const linesDrawn = ({ lines, lineHeight, height }: GridLines, beyond: number): number =>
  Math.min(lines, Math.ceil(height / lineHeight) + 1 + 2 * beyond)

/** The first of them. */
export function firstDrawn(grid: GridLines, offset: number, beyond: number): number {
  const first = Math.floor((offset - grid.padding) / grid.lineHeight) - beyond
  return Math.max(0, Math.min(first, grid.lines - linesDrawn(grid, beyond)))
}

/** The line that the cells of a slot show; of `drawn` slots each shows another, and keeps it for as long as it is drawn. */
export const lineOfSlot = (slot: number, first: number, drawn: number): number => first + ((slot - (first % drawn) + drawn) % drawn)
