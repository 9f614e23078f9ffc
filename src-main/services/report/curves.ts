// Learning curves as inline SVG: one line a run, axes with a few round numbers, no script.

import type { Series } from '../../domain/run-view.ts'
import { html, type Markup } from './html.ts'

export interface Line {
  readonly label: string
  /** CSS class that gives the colour: the arm's. */
  readonly tone: string
  readonly points: Series['points']
}

const WIDTH = 360
const HEIGHT = 190
const MARGIN = { left: 52, right: 10, top: 10, bottom: 26 }

export function curve(title: string, lines: readonly Line[], isLogarithmic = false): Markup {
  const drawn = lines.filter(({ points }) => points.length > 0)
  if (drawn.length === 0) return html``
  const scale = (value: number) => (isLogarithmic ? Math.log10(Math.max(value, 1e-12)) : value)
  const xs = drawn.flatMap(({ points }) => points.map(([step]) => step))
  const ys = drawn.flatMap(({ points }) => points.map(([, value]) => scale(value)))
  const [left, right] = [Math.min(...xs), Math.max(...xs, Math.min(...xs) + 1)]
  const ticks = roundTicks(Math.min(...ys), Math.max(...ys), 4)
  const [bottom, top] = [Math.min(...ys, ticks[0]!), Math.max(...ys, ticks.at(-1)!)]
  const x = (step: number) => MARGIN.left + ((step - left) / (right - left)) * (WIDTH - MARGIN.left - MARGIN.right)
  const y = (value: number) =>
    HEIGHT - MARGIN.bottom - ((value - bottom) / (top - bottom || 1)) * (HEIGHT - MARGIN.top - MARGIN.bottom)
  const tickText = (tick: number) => (isLogarithmic ? `10^${Number(tick.toFixed(2))}` : tickLabel(tick))
  return html`<figure class="curve">
    <figcaption>${title}</figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">
      ${ticks.map((tick) => html`<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${fixed(y(tick))}" y2="${fixed(y(tick))}" /><text x="${MARGIN.left - 6}" y="${fixed(y(tick) + 4)}" text-anchor="end">${tickText(tick)}</text>`)}
      ${roundTicks(left, right, 4)
        .filter((tick) => tick >= left && tick <= right)
        .map((tick) => html`<text x="${fixed(x(tick))}" y="${HEIGHT - 8}" text-anchor="middle">${tickLabel(tick)}</text>`)}
      ${drawn.map(
        ({ label, tone, points }) =>
          html`<polyline
            class="line ${tone}"
            points="${points.map(([step, value]) => `${fixed(x(step))},${fixed(y(scale(value)))}`).join(' ')}"
            ><title>${label}</title></polyline
          >`,
      )}
    </svg>
  </figure>`
}

/** Round numbers that span [low, high], about `count` of them. */
export function roundTicks(low: number, high: number, count: number): readonly number[] {
  const span = high - low || Math.abs(high) || 1
  const rough = span / count
  const magnitude = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((each) => each * magnitude).find((each) => each >= rough)!
  const first = Math.floor(low / step)
  const last = Math.ceil(high / step)
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

function tickLabel(tick: number): string {
  const size = Math.abs(tick)
  return size !== 0 && (size < 0.001 || size >= 100_000) ? tick.toExponential(0) : String(tick)
}

function fixed(value: number): string {
  return value.toFixed(1)
}
