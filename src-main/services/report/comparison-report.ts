// A comparison as one HTML document that opens offline: verdict in words, every number with its interval, differences drawn
// around zero, and how it was tested. No script, no address; charts are inline SVG.

import { rowLabel, type ComparedPair, type ComparedRow, type Comparison } from '../../domain/comparison.ts'
import type { EncoderRow } from '../../domain/encoder.ts'
import { formatDifference, formatInterval, formatPValue, formatValue } from '../number-text.ts'
import { dumbbell, forest, mark, radar } from './comparison-charts.ts'
import { itemSection, type ShownItems } from './comparison-items.ts'
import { html, Markup } from './html.ts'
import { REPORT_STYLE } from './style.ts'

/** @param shown  items to be looked at, of the last two encoders */
export function comparisonReport(comparison: Comparison, shown: readonly ShownItems[], writtenAtMs: number): string {
  const { encoders, rows, confidence, tests, verdict } = comparison
  const families = [...Map.groupBy(rows, ({ family }) => family)]
  const percent = Math.round(100 * confidence)
  const [a, b] = [encoders.at(-2)!, encoders.at(-1)!]
  const sections = shown.map((each, i) => itemSection(each, encoders, i)).filter((each) => each !== null)
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'" />
        <title>Which encoder sees better? ${encoders.map(({ name }) => name).join(', ')}</title>
        <style>
          ${new Markup(REPORT_STYLE)}${new Markup(MARKS)} th.number { white-space: normal; min-width: 110px; } td:first-child { min-width: 190px; } .best { font-weight: 700; } .tied { text-decoration: underline; } .mark { width: 10px; height: 10px; margin-right: 6px; } h3 { margin: 28px 0 10px; } .hull { fill: none; } .hollow { fill: var(--panel); stroke: currentColor; stroke-width: 1.6; } .span { stroke: var(--line); stroke-width: 4; } .thin { stroke-width: 1.2; opacity: 0.7; } .right { color: var(--good); } .wrong { color: var(--heat); } figure + figure { margin-top: 16px; }
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
          ${families.map(([family, of]) => html`<h3>${family}</h3><div class="scroll">${valueTable(of, rows, encoders)}</div>${dumbbell(of, rows, encoders)}`)}
          ${radar(rows, encoders)}
          <h2>How large are the differences?</h2>
          ${forest(rows, a, b)}
          <div class="scroll">${pairTable(rows, encoders)}</div>
          ${sections.length === 0 ? null : html`<h2>What does it look like?</h2><p class="soft">Items that weigh most for ${b.shortName}: examples, chosen by their gain, and no evidence by themselves.</p>${sections}`}
          <h2>Under which conditions</h2>
          <details>
            <summary>Data and settings of every measurement</summary>
            <dl>${rows.map((row) => html`<dt>${rowLabel(row, rows)}</dt><dd>${row.dataset ?? 'a dataset that is gone'}: ${row.conditions.map(({ name, value }) => `${name} ${value}`).join('; ') || 'no settings'}. ${row.meaning}</dd>`)}</dl>
          </details>
        </main>
      </body>
    </html> `.text
}

/** The window's palette, in light, in dark, and on paper. */
const MARKS = `
:root { --e0: #66707c; --e1: #b4530a; --e2: #0a66b5; --e3: #00785a; --e4: #a02c86; --e5: #7a6a00; --e6: #4b3a9c; --e7: #0b7f95; --e8: #7c2a24; }
@media screen and (prefers-color-scheme: dark) {
  :root { --e0: #9aa4b0; --e1: #f0994a; --e2: #5fb2f7; --e3: #3ccf9e; --e4: #ea8fd3; --e5: #dcc83f; --e6: #b9abff; --e7: #4fd0e6; --e8: #e79b8f; }
}
`

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
          <td title="${row.meaning}">${rowLabel(row, rows)}</td>
          ${row.cells.map((cell) => (cell === null ? html`<td class="number">–</td>` : html`<td class="number"><span class="${cell.isBest ? 'best' : cell.isTied ? 'tied' : ''}">${formatValue(cell.value, row.unit)}</span><small>${formatInterval(cell.low, cell.high, row.unit)}</small></td>`))}
        </tr>`,
      )}
    </tbody>
  </table>`
}

function pairTable(rows: readonly ComparedRow[], encoders: readonly EncoderRow[]): Markup {
  const name = (id: string) => encoders.find((each) => each.id === id)!.shortName
  return html`<table>
    <thead><tr><th>Measure</th><th>Between</th><th class="number">Difference</th><th></th><th class="number">p</th><th class="number">p (Holm)</th><th>Effect size</th><th>In words</th></tr></thead>
    <tbody>
      ${rows.flatMap((row) =>
        row.pairs.map(
          (pair) => html`<tr>
            <td>${rowLabel(row, rows)}</td>
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
