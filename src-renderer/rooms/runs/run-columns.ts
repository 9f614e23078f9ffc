// The columns of the list of runs: which there are, which are shown, and how a value is told as a difference to the pinned run.

import { metricNamed, TRAINING_METRICS } from '../../../src-main/domain/metric.ts'
import { difference, significant } from '../../ui/quantity.ts'

/** Facts of a run, then last values under TRL's names. */
export const FACT_COLUMNS = [
  { key: 'status', label: 'Status' },
  { key: 'name', label: 'Name' },
  { key: 'objective', label: 'Objective' },
  { key: 'dataset', label: 'Data' },
  { key: 'tags', label: 'Tags' },
  { key: 'steps', label: 'Steps' },
  { key: 'curve', label: 'Loss curve' },
  { key: 'duration', label: 'Worked' },
  { key: 'device', label: 'Engine' },
  { key: 'created', label: 'Created' },
] as const
export type FactColumn = (typeof FACT_COLUMNS)[number]['key']

export const METRIC_COLUMNS: readonly { readonly key: string; readonly label: string }[] = TRAINING_METRICS.map(({ name, label }) => ({ key: name, label }))

/** The name is what a row is: it is always shown. */
export const FIRST_COLUMNS: readonly string[] = ['status', 'name', 'objective', 'dataset', 'tags', 'steps', 'curve', 'loss', 'duration', 'created']

/** As text that was stored; what is no list of known columns is the list to begin with. */
export function columnsFrom(stored: string | null): readonly string[] {
  try {
    const found = JSON.parse(stored ?? 'null') as unknown
    if (!Array.isArray(found)) return FIRST_COLUMNS
    const known = [...FACT_COLUMNS, ...METRIC_COLUMNS].map(({ key }) => key as string).filter((key) => found.includes(key))
    return known.includes('name') ? known : ['name', ...known]
  } catch {
    return FIRST_COLUMNS
  }
}

/** The value, or what it is above (or below) the pinned run's. */
export function valueText(value: number | undefined, baseline: number | undefined, metric: string): string {
  if (value === undefined) return '–'
  const { unit } = metricNamed(metric)
  return baseline === undefined ? significant(value, 4) : difference(value - baseline, unit)
}
