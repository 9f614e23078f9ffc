// A comparison as one HTML document that opens offline: verdict in words, every number with its interval, differences drawn
// around zero, and how it was tested. No script, no address; charts are inline SVG.

import type { ComparedPair, ComparedRow, Comparison } from '../../domain/comparison.ts'
import type { EncoderRow } from '../../domain/encoder.ts'
import { labelOf } from '../comparison/export-text.ts'
import { formatDifference, formatInterval, formatPValue, formatValue } from '../number-text.ts'
import { roundTicks } from './curves.ts'
import { html, Markup } from './html.ts'
import { REPORT_STYLE } from './style.ts'

/** Okabe and Ito's colours, which the colour-blind tell apart, behind the window's three for the arms of a study. */
const PALETTE = ['#6b7280', '#b45309', '#1d4ed8', '#009e73', '#cc79a7', '#56b4e9', '#a16207', '#7c3aed', '#be123c']
const colourOf = ({ colour }: EncoderRow) => PALETTE[colour % PALETTE.length]!

export function comparisonReport(comparison: Comparison, writtenAtMs: number): string {
  const { encoders, rows, confidence, tests, verdict } = comparison
  const families = [...Map.groupBy(rows, ({ family }) => family)]
  const percent = Math.round(100 * confidence)
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'" />
        <title>Which encoder sees better? ${encoders.map(({ name }) => name).join(', ')}</title>
        <style>
          ${new Markup(REPORT_STYLE)} th.number { white-space: normal; min-width: 110px; } td:first-child { min-width: 190px; } .best { font-weight: 700; } .tied { text-decoration: underline; } .mark { display: inline-block; width: 10px; height: 10px; border-radius: 5px; margin-right: 6px; }
        </style>
      </head>
      <body>
        <main>
          <h1>Which encoder sees better?</h1>
          <p class="soft">Written ${new Date(writtenAtMs).toISOString().slice(0, 16).replace('T', ' ')} UTC.</p>
          <div class="verdict">${verdict.map((line) => html`<p>${line}</p>`)}</div>
          <h2>The encoders</h2>
          ${encoderTable(encoders)}
          <h2>What was measured</h2>
          <p class="soft">
            Means over seeds with ${percent} % intervals. Bold: best; underlined: not told apart from the best, after Holm’s correction over
            ${tests} tests.
          </p>
          ${families.map(([family, of]) => html`<h3>${family}</h3><div class="scroll">${valueTable(of, rows, encoders)}</div>${dots(of, rows, encoders)}`)}
          <h2>How large are the differences?</h2>
          <div class="scroll">${pairTable(rows, encoders)}</div>
          <h2>Under which conditions</h2>
          <details>
            <summary>Data and settings of every measurement</summary>
            <dl>${rows.map((row) => html`<dt>${labelOf(row, rows)}</dt><dd>${row.dataset ?? 'a dataset that is gone'}: ${row.conditions.map(({ name, value }) => `${name} ${value}`).join('; ') || 'no settings'}. ${row.meaning}</dd>`)}</dl>
          </details>
        </main>
      </body>
    </html> `.text
}

const mark = (encoder: EncoderRow) => html`<span class="mark" style="background:${colourOf(encoder)}"></span>`

function encoderTable(encoders: readonly EncoderRow[]): Markup {
  return html`<table>
    <thead><tr><th>Encoder</th><th>Seeds</th><th>Weights (SHA-256)</th><th>Preprocessing</th></tr></thead>
    <tbody>
      ${encoders.map((each) => html`<tr><td>${mark(each)}${each.name}</td><td>${each.seeds.join(', ') || '–'}</td><td><code>${each.sha256?.slice(0, 16) ?? `${each.members.length} checkpoints`}</code></td><td>${each.preprocessing?.join('; ') ?? '–'}</td></tr>`)}
    </tbody>
  </table>`
}

function valueTable(of: readonly ComparedRow[], rows: readonly ComparedRow[], encoders: readonly EncoderRow[]): Markup {
  return html`<table>
    <thead><tr><th>Measure</th>${encoders.map((each) => html`<th class="number">${mark(each)}${each.name}</th>`)}</tr></thead>
    <tbody>
      ${of.map(
        (row) => html`<tr>
          <td title="${row.meaning}">${labelOf(row, rows)}</td>
          ${row.cells.map((cell) => (cell === null ? html`<td class="number">–</td>` : html`<td class="number"><span class="${cell.isBest ? 'best' : cell.isTied ? 'tied' : ''}">${formatValue(cell.value, row.unit)}</span><small>${formatInterval(cell.low, cell.high, row.unit)}</small></td>`))}
        </tr>`,
      )}
    </tbody>
  </table>`
}

const LEFT = 250
const WIDTH = 900
const LINE = 26

/** Shares of one family on one scale: a dot an encoder with its interval. */
function dots(of: readonly ComparedRow[], rows: readonly ComparedRow[], encoders: readonly EncoderRow[]): Markup | null {
  const shares = of.filter(({ unit }) => unit === 'share')
  if (shares.length === 0) return null
  const values = shares.flatMap(({ cells }) => cells.flatMap((cell) => (cell === null ? [] : [cell.value, cell.low ?? cell.value, cell.high ?? cell.value])))
  const ticks = roundTicks(Math.min(...values) * 100, Math.max(...values) * 100, 6)
  const [low, high] = [ticks[0]!, ticks.at(-1)!]
  const x = (share: number) => (LEFT + ((100 * share - low) / (high - low || 1)) * (WIDTH - LEFT - 20)).toFixed(1)
  const height = shares.length * LINE + 30
  const offset = (e: number) => (encoders.length === 1 ? 0 : (e / (encoders.length - 1) - 0.5) * (LINE - 10))
  return html`<figure>
    <figcaption>Who is ahead, in % with intervals?</figcaption>
    <svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="values of every encoder">
      ${ticks.map((tick) => html`<line class="grid" x1="${x(tick / 100)}" x2="${x(tick / 100)}" y1="4" y2="${height - 22}" /><text x="${x(tick / 100)}" y="${height - 6}" text-anchor="middle">${tick}</text>`)}
      ${shares.map((row, r) => {
        const y = r * LINE + LINE / 2 + 4
        return html`<text x="${LEFT - 10}" y="${y + 4}" text-anchor="end">${labelOf(row, rows)}</text>${row.cells.map((cell, e) =>
          cell === null
            ? null
            : html`<g style="color:${colourOf(encoders[e]!)}"><title>${encoders[e]!.name}: ${formatValue(cell.value, row.unit)} ${formatInterval(cell.low, cell.high, row.unit)}</title>${cell.low === null || cell.high === null ? null : html`<line class="whisker" x1="${x(cell.low)}" x2="${x(cell.high)}" y1="${(y + offset(e)).toFixed(1)}" y2="${(y + offset(e)).toFixed(1)}" />`}<circle class="point" cx="${x(cell.value)}" cy="${(y + offset(e)).toFixed(1)}" r="3.5" /></g>`,
        )}`
      })}
    </svg>
  </figure>`
}

function pairTable(rows: readonly ComparedRow[], encoders: readonly EncoderRow[]): Markup {
  const name = (id: string) => encoders.find((each) => each.id === id)!.shortName
  return html`<table>
    <thead><tr><th>Measure</th><th>Between</th><th class="number">Difference</th><th></th><th class="number">p</th><th class="number">p (Holm)</th><th>Effect size</th><th>In words</th></tr></thead>
    <tbody>
      ${rows.flatMap((row) =>
        row.pairs.map(
          (pair) => html`<tr>
            <td>${labelOf(row, rows)}</td>
            <td>${name(pair.b)} − ${name(pair.a)}</td>
            <td class="number">${formatDifference(pair.difference, row.unit)}<small>${formatInterval(pair.low, pair.high, row.unit)}</small></td>
            <td>${whisker(pair)}</td>
            <td class="number">${formatPValue(pair.pValue)}</td>
            <td class="number">${formatPValue(pair.holmPValue)}</td>
            <td>${pair.effects.map((effect) => html`${effect.name} ${effect.value.toFixed(2)}<small>${effect.size}</small>`)}</td>
            <td class="${pair.winner === 'neither' ? '' : 'winner'}" title="${pair.method}">${pair.words}<small>${pair.basis}</small></td>
          </tr>`,
        ),
      )}
    </tbody>
  </table>`
}

/** The difference's interval around zero, on a scale of its own row. */
function whisker({ difference, low, high }: ComparedPair): Markup | null {
  if (low === null || high === null) return null
  const reach = Math.max(Math.abs(low), Math.abs(high), 1e-12)
  const x = (value: number) => (60 + (value / reach) * 54).toFixed(1)
  return html`<svg width="120" height="18" viewBox="0 0 120 18" role="img" aria-label="interval of the difference">
    <line class="axis" x1="60" x2="60" y1="0" y2="18" /><line class="whisker" x1="${x(low)}" x2="${x(high)}" y1="9" y2="9" /><circle class="point" cx="${x(difference)}" cy="9" r="3.5" />
  </svg>`
}
