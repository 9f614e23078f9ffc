// Numbers as a person reads them, the same on the terminal and in the report.

import type { MetricResult } from '../domain/study-results.ts'

export type Unit = MetricResult['unit']

/** A share as percent with one decimal; everything else with three. */
export function formatValue(value: number, unit: Unit): string {
  return unit === 'share' ? `${(100 * value).toFixed(1)} %` : value.toFixed(3)
}

/** With its sign; a difference of shares is in percentage points. */
export function formatDifference(value: number, unit: Unit): string {
  const text = unit === 'share' ? (100 * value).toFixed(1) : value.toFixed(3)
  const sign = value > 0 && Number(text) !== 0 ? '+' : ''
  return `${sign}${Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−')}${unit === 'share' ? ' pp' : ''}`
}

export function formatInterval(low: number | null, high: number | null, unit: Unit): string {
  if (low === null || high === null) return '–'
  const text = (value: number) => (unit === 'share' ? (100 * value).toFixed(1) : value.toFixed(3)).replace('-', '−')
  return `[${text(low)}, ${text(high)}]`
}

export function formatPValue(p: number | null): string {
  if (p === null) return '–'
  return p < 0.001 ? '< 0.001' : p.toFixed(3)
}

/** "1 h 05 min", "3 min 20 s", "12 s". */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, '0')} s`
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}

/** "1.41 GB", "730 MB": decimal units, as tools of the system print them. */
export function formatBytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${Math.round(bytes / 1e6)} MB`
}
