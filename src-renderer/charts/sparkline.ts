// The path of a small curve, scaled to its own range.

import type { Point } from './smoothing.ts'

/** SVG path data within width × height; empty when there are fewer than two points. */
export function sparkline(points: readonly Point[], width: number, height: number): string {
  if (points.length < 2) return ''
  const [steps, values] = [points.map(([step]) => step), points.map(([, value]) => value)]
  const [left, right, bottom, top] = [Math.min(...steps), Math.max(...steps), Math.min(...values), Math.max(...values)]
  const x = (step: number) => 1 + ((step - left) / (right - left || 1)) * (width - 2)
  const y = (value: number) => height - 1 - ((value - bottom) / (top - bottom || 1)) * (height - 2)
  return points.map(([step, value], index) => `${index === 0 ? 'M' : 'L'}${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join('')
}
