// The three pictures of a comparison as inline SVG: who differs (forest), how far apart they are (dumbbell), and what each is good
// at (radar). Shares only where one axis must serve all; colour and shape tell encoders apart, in dark and in print as well.

import { pairOf, rowLabel, type ComparedRow } from '../../domain/comparison.ts'
import { markShape, PALETTE_SIZE, type EncoderRow } from '../../domain/encoder.ts'
import { formatDifference, formatInterval, formatPValue, formatValue } from '../number-text.ts'
import { roundTicks } from './curves.ts'
import { html, type Markup } from './html.ts'

const LEFT = 290
const WIDTH = 900
const LINE = 26

const colour = ({ colour: index }: EncoderRow) => `color:var(--e${index % PALETTE_SIZE})`
const fixed = (value: number) => value.toFixed(1)

/** An encoder's mark at a place of a chart. */
const markAt = (encoder: EncoderRow, x: number, y: number, size = 9) =>
  html`<path class="point" d="${markShape(encoder.colour)}" transform="translate(${fixed(x - size / 2)} ${fixed(y - size / 2)}) scale(${size / 10})" />`

export const mark = (encoder: EncoderRow): Markup => html`<svg class="mark" viewBox="0 0 10 10" style="${colour(encoder)}" aria-hidden="true"><path class="point" d="${markShape(encoder.colour)}" /></svg>`

const legend = (encoders: readonly EncoderRow[]) => html`<p class="legend">${encoders.map((encoder) => html`<span>${mark(encoder)}${encoder.shortName}</span>`)}</p>`

interface Axis {
  readonly x: (value: number) => number
  readonly grid: Markup
}

/** Round numbers over all values, drawn as lines from top to bottom. */
function axisOf(values: readonly number[], height: number): Axis {
  const ticks = roundTicks(Math.min(...values), Math.max(...values), 6)
  const [low, high] = [ticks[0]!, ticks.at(-1)!]
  const x = (value: number) => LEFT + ((value - low) / (high - low || 1)) * (WIDTH - LEFT - 20)
  const grid = html`${ticks.map((tick) => html`<line class="grid" x1="${fixed(x(tick))}" x2="${fixed(x(tick))}" y1="4" y2="${height - 22}" /><text x="${fixed(x(tick))}" y="${height - 6}" text-anchor="middle">${String(tick).replace('-', '−')}</text>`)}`
  return { x, grid }
}

const rowTitle = (row: ComparedRow, rows: readonly ComparedRow[], y: number) => html`<text x="${LEFT - 10}" y="${fixed(y + 4)}" text-anchor="end"><title>${row.meaning}</title>${rowLabel(row, rows)}</text>`

/** b − a with intervals, in percentage points. */
export function forest(rows: readonly ComparedRow[], a: EncoderRow, b: EncoderRow): Markup | null {
  const drawn = rows.flatMap((row) => {
    const pair = row.unit === 'share' && row.better !== 'neither' ? pairOf(row, a.id, b.id) : null
    return pair === null ? [] : [{ row, pair, sign: row.better === 'lower' ? -1 : 1 }]
  })
  if (drawn.length === 0) return null
  const height = drawn.length * LINE + 30
  const { x, grid } = axisOf([0, ...drawn.flatMap(({ pair, sign }) => [pair.difference, pair.low ?? 0, pair.high ?? 0].map((value) => 100 * sign * value))], height)
  return html`<figure>
    <figcaption>In which measures does ${b.shortName} differ from ${a.shortName}? Percentage points; right of the line ${b.shortName} is better</figcaption>
    <svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="paired differences with intervals">
      ${grid}<line class="axis" x1="${fixed(x(0))}" x2="${fixed(x(0))}" y1="4" y2="${height - 22}" />
      ${drawn.map(({ row, pair, sign }, r) => {
        const y = r * LINE + LINE / 2 + 4
        const favoured = pair.winner === 'neither' ? null : pair.winner === 'b' ? b : a
        const at = (value: number) => fixed(x(100 * sign * value))
        return html`${rowTitle(row, rows, y)}<g style="${favoured === null ? 'color:var(--soft)' : colour(favoured)}"><title>${formatDifference(pair.difference, row.unit)} ${formatInterval(pair.low, pair.high, row.unit)}, p (Holm) ${formatPValue(pair.holmPValue)}: ${pair.words}</title>${pair.low === null || pair.high === null ? null : html`<line class="whisker" x1="${at(pair.low)}" x2="${at(pair.high)}" y1="${fixed(y)}" y2="${fixed(y)}" />`}${favoured === null ? html`<circle class="hollow" cx="${at(pair.difference)}" cy="${fixed(y)}" r="4" />` : markAt(favoured, x(100 * sign * pair.difference), y)}</g>`
      })}
    </svg>
    <p class="soft">Filled: the difference stands after Holm’s correction, in the mark of the better one. Hollow: statistically tied. Measures of which less is better are drawn with their sign turned.</p>
  </figure>`
}

/** Shares of one family on one scale: the mark of every encoder with its interval, and a line from the least to the greatest. */
export function dumbbell(of: readonly ComparedRow[], rows: readonly ComparedRow[], encoders: readonly EncoderRow[]): Markup | null {
  const shares = of.filter(({ unit }) => unit === 'share')
  if (shares.length === 0) return null
  const height = shares.length * LINE + 30
  const { x, grid } = axisOf(shares.flatMap(({ cells }) => cells.flatMap((cell) => (cell === null ? [] : [cell.value, cell.low ?? cell.value, cell.high ?? cell.value].map((value) => 100 * value)))), height)
  const offset = (e: number) => (encoders.length === 1 ? 0 : (e / (encoders.length - 1) - 0.5) * (LINE - 12))
  return html`<figure>
    <figcaption>How far apart are they? In %, with intervals</figcaption>
    ${legend(encoders)}
    <svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="values of every encoder">
      ${grid}
      ${shares.map((row, r) => {
        const y = r * LINE + LINE / 2 + 4
        const known = row.cells.flatMap((cell) => (cell === null ? [] : [100 * cell.value]))
        const span = known.length < 2 ? null : html`<line class="span" x1="${fixed(x(Math.min(...known)))}" x2="${fixed(x(Math.max(...known)))}" y1="${fixed(y)}" y2="${fixed(y)}" />`
        return html`${rowTitle(row, rows, y)}${span}${row.cells.map((cell, e) =>
          cell === null
            ? null
            : html`<g style="${colour(encoders[e]!)}"><title>${encoders[e]!.name}: ${formatValue(cell.value, row.unit)} ${formatInterval(cell.low, cell.high, row.unit)}</title>${cell.low === null || cell.high === null ? null : html`<line class="whisker thin" x1="${fixed(x(100 * cell.low))}" x2="${fixed(x(100 * cell.high))}" y1="${fixed(y + offset(e))}" y2="${fixed(y + offset(e))}" />`}${markAt(encoders[e]!, x(100 * cell.value), y + offset(e), 8)}</g>`,
        )}`
      })}
    </svg>
  </figure>`
}

const MOST_SPOKES = 16
const FEWEST_SPOKES = 3

/** One spoke a measure of which more is better and that all have, from 0 to the greatest value on it. */
export function radar(rows: readonly ComparedRow[], encoders: readonly EncoderRow[]): Markup | null {
  const spokes = rows
    .filter(({ better, cells }) => better === 'higher' && cells.every((cell) => cell !== null && cell.value >= 0) && cells.some((cell) => cell!.value > 0))
    .slice(0, MOST_SPOKES)
  if (spokes.length < FEWEST_SPOKES) return null
  const [centreX, centreY, radius] = [WIDTH / 2, 230, 165]
  const point = (s: number, share: number) => {
    const angle = (2 * Math.PI * s) / spokes.length - Math.PI / 2
    return [centreX + radius * share * Math.cos(angle), centreY + radius * share * Math.sin(angle)] as const
  }
  const outline = (shareOf: (s: number) => number) => spokes.map((_, s) => point(s, shareOf(s)).map(fixed).join(',')).join(' ')
  const tops = spokes.map(({ cells }) => Math.max(...cells.map((cell) => cell!.value)))
  return html`<figure>
    <figcaption>What is each encoder good at?</figcaption>
    ${legend(encoders)}
    <svg viewBox="0 0 ${WIDTH} 470" role="img" aria-label="profile of every encoder">
      ${[0.25, 0.5, 0.75, 1].map((share) => html`<polygon class="grid hull" points="${outline(() => share)}" />`)}
      ${spokes.map((row, s) => {
        const [x, y] = point(s, 1)
        const [labelX, labelY] = point(s, 1.1)
        const anchor = Math.abs(labelX - centreX) < 12 ? 'middle' : labelX > centreX ? 'start' : 'end'
        return html`<line class="grid" x1="${centreX}" y1="${centreY}" x2="${fixed(x)}" y2="${fixed(y)}" /><text x="${fixed(labelX)}" y="${fixed(labelY + 4)}" text-anchor="${anchor}">${rowLabel(row, rows)} (${formatValue(tops[s]!, row.unit)})</text>`
      })}
      ${encoders.map((encoder, e) => {
        const share = (s: number) => spokes[s]!.cells[e]!.value / tops[s]!
        return html`<g style="${colour(encoder)}"><title>${encoder.name}: ${spokes.map((row) => `${rowLabel(row, rows)} ${formatValue(row.cells[e]!.value, row.unit)}`).join('; ')}</title><polygon class="line hull" points="${outline(share)}" />${spokes.map((_, s) => markAt(encoder, ...point(s, share(s)), 8))}</g>`
      })}
    </svg>
    <p class="soft">Each spoke runs from 0 to the greatest value on it, which stands beside its name. Read where an outline bulges; the area means nothing.</p>
  </figure>`
}
