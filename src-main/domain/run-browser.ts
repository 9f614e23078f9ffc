// Many runs at once: which are looked at, under which heads, in what their configurations differ, and what a person has noted
// beside them. Pure rules, so that the list of the command line and the one of the window are the same.

import { z } from 'zod'
import { flatConfig } from './flat-config.ts'
import { RUN_STATUSES } from './run.ts'
import type { RunRow } from './run-view.ts'

/** What stands beside a run and decides nothing; a field left out stays as it is. */
export const runNotesSchema = z.strictObject({
  name: z.string().trim().min(1).max(120).exactOptional(),
  note: z.string().max(20_000).exactOptional(),
  tags: z.array(z.string().trim().min(1).max(40)).max(30).exactOptional(),
})
export type RunNotes = z.output<typeof runNotesSchema>

export const RUN_GROUPINGS = ['none', 'study', 'objective', 'dataset', 'tag', 'status'] as const
export type RunGrouping = (typeof RUN_GROUPINGS)[number]

export const runFilterSchema = z.strictObject({
  /** Every word must stand in name, objective, data, tags, note or id. */
  text: z.string().max(200).default(''),
  status: z.enum(RUN_STATUSES).nullable().default(null),
  tag: z.string().nullable().default(null),
})
export type RunFilter = z.output<typeof runFilterSchema>

/** For whom the logs of runs are written. */
export const RUN_LOG_FORMATS = ['tensorboard', 'csv'] as const
export type RunLogFormat = (typeof RUN_LOG_FORMATS)[number]

export function matchesFilter({ name, objective, origin, dataset, tags, note, id, status }: RunRow, filter: RunFilter): boolean {
  const text = [name, objective ?? '', origin ?? '', dataset ?? '', ...tags, note, id].join('\n').toLowerCase()
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean)
  return words.every((word) => text.includes(word)) && (filter.status === null || status === filter.status) && (filter.tag === null || tags.includes(filter.tag))
}

export interface RunGroup {
  /** What its runs share; '' for those that have none, or for all where nothing groups them. */
  readonly key: string
  readonly label: string
  readonly runs: readonly RunRow[]
}

/**
 * Groups in the order of their first run; runs keep theirs. A run with several tags stands in each of their groups.
 * @param nameOfStudy  null: the study is gone
 */
export function groupRuns(runs: readonly RunRow[], by: RunGrouping, nameOfStudy: (studyId: string) => string | null): readonly RunGroup[] {
  const keysOf = (run: RunRow): readonly string[] => {
    switch (by) {
      case 'none':
        return ['']
      case 'study':
        return [run.studyId ?? '']
      case 'objective':
        return [run.objective ?? '']
      case 'dataset':
        return [run.dataset ?? '']
      case 'tag':
        return run.tags.length === 0 ? [''] : run.tags
      case 'status':
        return [run.status]
    }
  }
  const WITHOUT: Readonly<Record<RunGrouping, string>> = { none: 'All runs', study: 'On their own', objective: 'Logged by other programs', dataset: 'Without data', tag: 'Without a tag', status: '' }
  const groups = new Map<string, RunRow[]>()
  for (const run of runs) for (const key of keysOf(run)) groups.set(key, [...(groups.get(key) ?? []), run])
  return [...groups].map(([key, of]) => ({
    key,
    label: key === '' ? WITHOUT[by] : by === 'study' ? (nameOfStudy(key) ?? 'A study that was deleted') : key,
    runs: of,
  }))
}

export const configDifferenceSchema = z.strictObject({
  /** "training.objective.beta" */
  setting: z.string(),
  /** One a run, in the order asked for; "–" where a run has no such setting. */
  values: z.array(z.string()),
})
export type ConfigDifference = z.output<typeof configDifferenceSchema>

/** Settings in which the configurations are not all the same, in the order in which they are declared. */
export function configDifferences(configs: readonly unknown[]): readonly ConfigDifference[] {
  const flat = configs.map((config) => new Map(flatConfig(config)))
  const settings = [...new Set(flat.flatMap((each) => [...each.keys()]))]
  return settings
    .map((setting) => ({ setting, values: flat.map((each) => each.get(setting) ?? '–') }))
    .filter(({ values }) => new Set(values).size > 1)
}
