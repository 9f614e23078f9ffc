// Under which conditions a number was measured: its data and the settings that decide it. Two numbers of one metric stand in
// one row of a comparison where these are equal, and nowhere else. What only decides speed (batch sizes, paths) is left out.

import { createHash } from 'node:crypto'
import type { EvaluationHead } from '../../store/evaluations.ts'

export interface Conditions {
  /** SHA-256 of the snapshot; null: the measurement names none. */
  readonly snapshot: string | null
  readonly settings: Readonly<Record<string, unknown>>
  readonly protocol: string | null
}

/** By the first word of a metric: which part of an evaluation's settings and data decide it. */
const PARTS: Readonly<Record<string, { readonly settings: string; readonly data: string }>> = {
  vqa: { settings: 'questions', data: 'questions' },
  transplant: { settings: 'questions', data: 'questions' },
  preference: { settings: 'preferences', data: 'preferences' },
  probe: { settings: 'probe', data: 'objects' },
  segmentation: { settings: 'segmentation', data: 'objects' },
  localisation: { settings: 'localisation', data: 'preferences' },
  alignment: { settings: 'alignment', data: 'captions' },
  change: { settings: 'alignment', data: 'captions' },
}

export function conditionsOf({ job, protocol }: Pick<EvaluationHead, 'job' | 'protocol'>, metric: string): Conditions {
  const settings = recordOf(job['settings'])
  const part = job['kind'] === 'evaluate' ? PARTS[metric.slice(0, metric.indexOf('/'))] : undefined
  if (part !== undefined) {
    const snapshot = recordOf(job['snapshots'])[part.data]
    return { snapshot: typeof snapshot === 'string' ? snapshot : null, settings: { ...recordOf(settings[part.settings]), seed: settings['seed'] }, protocol }
  }
  // Which other maps were scored beside this one decides nothing.
  const { batchSize: _, methods: __, ...deciding } = settings
  const snapshot = job['snapshot']
  return { snapshot: typeof snapshot === 'string' ? snapshot : null, settings: deciding, protocol }
}

/** A row's id: the metric, and a hash of what it was measured under. */
export function rowIdOf(metric: string, conditions: Conditions): string {
  const text = JSON.stringify([conditions.snapshot, conditions.protocol, flat(conditions.settings)])
  return `${metric}#${createHash('sha256').update(text).digest('hex').slice(0, 12)}`
}

export const metricOfRow = (row: string): string => row.slice(0, row.lastIndexOf('#'))

/** Settings as name and value, in the order of their names. */
export function flat(settings: Readonly<Record<string, unknown>>, path = ''): readonly { readonly name: string; readonly value: string }[] {
  return Object.entries(settings)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, value]) => {
      const name = path === '' ? key : `${path}.${key}`
      if (value === undefined) return []
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return flat(value as Record<string, unknown>, name)
      return [{ name, value: Array.isArray(value) ? value.join(', ') : value === null ? '–' : String(value) }]
    })
}

/** A setting's stored name in words: "questions.maxNewTokens" is "questions: max new tokens". */
export function settingWords(name: string): string {
  return name.replaceAll('.', ': ').replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}
