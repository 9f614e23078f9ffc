// A SampleFilter as SQL: a condition on `samples s`, with named parameters. Values never enter the text.

import { boundsOf } from '../domain/feature-map.ts'
import { SAMPLE_STATES, sampleFilterSchema, type SampleFilter } from '../domain/sample-query.ts'

/** The tokenizer whose identity is bound to `parameter`. */
export const tokenizerId = (parameter: '@tokenizer' | '@counter'): string => `(SELECT id FROM tokenizers WHERE identity = ${parameter})`

/** Of a sample s, as the tokenizer counted them that the filter names. */
export const TOKENS = `(SELECT tokens FROM token_counts WHERE row = s.row AND tokenizer_id = ${tokenizerId('@tokenizer')})`

export interface Condition {
  readonly sql: string
  readonly parameters: Readonly<Record<string, string | number>>
}

/** Everything of the lab's own that full-text search takes for syntax is quoted away. */
export function searchWords(text: string): string | null {
  const words = text.match(/[\p{L}\p{N}\p{M}]+/gu)
  if (words === null) return null
  const last = /[\p{L}\p{N}\p{M}]$/u.test(text) ? '*' : ''
  return words.map((word, i) => `"${word}"${i === words.length - 1 ? last : ''}`).join(' ')
}

export function conditionOf(filter: SampleFilter): Condition {
  return joined(partsOf(filter))
}

/** More parts than this are read as one: SQLite takes at most 500 selects in one statement. */
const MOST_PLACES = 200

/**
 * The filter as conditions of which a sample fulfils at most one, each within one dataset, and in import order within one state:
 * an index holds those in any order asked for, so that lists of several are merged and need no sorting. They share their parameters.
 * @param datasetIds  all datasets of the project
 */
export function placesOf(filter: SampleFilter, datasetIds: readonly string[], order: 'imported' | 'by value'): { readonly sqls: readonly string[]; readonly parameters: Condition['parameters'] } {
  const ids = filter.datasetId === null ? datasetIds : [filter.datasetId]
  const whole = conditionOf(filter)
  const states = order === 'imported' ? filter.states : [null]
  if (ids.length * states.length > MOST_PLACES || ids.length === 0) return { sqls: [whole.sql], parameters: whole.parameters }
  const { parts, parameters } = partsOf({ ...filter, datasetId: null, states: order === 'imported' ? [] : filter.states })
  return {
    sqls: ids.flatMap((_, i) => states.map((state, j) => [`s.dataset_id = @d${i}`, ...(state === null ? [] : [`s.state = @s${j}`]), ...parts].join(' AND '))),
    parameters: {
      ...parameters,
      ...Object.fromEntries(ids.map((id, i) => [`d${i}`, id])),
      ...Object.fromEntries(states.flatMap((state, j) => (state === null ? [] : [[`s${j}`, state]]))),
    },
  }
}

interface Parts {
  readonly parts: readonly string[]
  readonly parameters: Readonly<Record<string, string | number>>
}

const joined = ({ parts, parameters }: Parts): Condition => ({ sql: parts.length === 0 ? '1' : parts.join(' AND '), parameters })

function partsOf(filter: SampleFilter): Parts {
  const parts: string[] = []
  const parameters: Record<string, string | number> = {}
  const bind = (value: string | number): string => {
    const name = `f${Object.keys(parameters).length}`
    parameters[name] = value
    return `@${name}`
  }
  const oneOf = (column: string, values: readonly string[]) => {
    if (values.length === 1) parts.push(`${column} = ${bind(values[0]!)}`)
    // One parameter however many values there are: SQLite's limit on parameters is far below a selection's length.
    else if (values.length > 1) parts.push(`${column} IN (SELECT value FROM json_each(${bind(JSON.stringify(values))}))`)
  }
  const within = (column: string, { from, to }: { readonly from: number | null; readonly to: number | null }) => {
    if (from !== null) parts.push(`${column} >= ${bind(from)}`)
    if (to !== null) parts.push(`${column} <= ${bind(to)}`)
  }

  if (filter.datasetId !== null) parts.push(`s.dataset_id = ${bind(filter.datasetId)}`)
  if (new Set(filter.states).size < SAMPLE_STATES.length) oneOf('s.state', filter.states)
  oneOf('s.kind', filter.kinds)
  oneOf('s.split', filter.splits)
  // As the index has it: a key must not be null.
  oneOf("COALESCE(s.source, '')", filter.sources)
  oneOf('s.question_group', filter.groups)
  oneOf('s.image_format', filter.imageFormats)
  within('s.width', filter.width)
  within('s.height', filter.height)
  // The plus keeps the planner from the index by length: it would look up each sample's state, where the index of facets holds both.
  within('+s.text_length', filter.textLength)
  if (filter.tokens !== null) {
    const { tokenizer, count } = filter.tokens
    // Named, because an order by tokens asks for it too.
    parameters['tokenizer'] = tokenizer
    parts.push(
      `s.row IN (SELECT row FROM token_counts WHERE tokenizer_id = ${tokenizerId('@tokenizer')}` +
        `${count.from === null ? '' : ` AND tokens >= ${bind(count.from)}`}${count.to === null ? '' : ` AND tokens <= ${bind(count.to)}`})`,
    )
  }
  if (filter.ids !== null) {
    if (filter.ids.length === 0) parts.push('0')
    else oneOf('s.id', filter.ids)
  }
  if (filter.hasImage !== null) parts.push(`s.width IS ${filter.hasImage ? 'NOT NULL' : 'NULL'}`)
  if (filter.hasMask !== null) parts.push(`s.has_mask = ${filter.hasMask ? 1 : 0}`)
  if (filter.hasPair !== null) parts.push(`s.has_pair = ${filter.hasPair ? 1 : 0}`)
  if (filter.imageSha256 !== null) parts.push(`s.image_sha256 = ${bind(filter.imageSha256)}`)
  for (const tag of filter.tags) parts.push(`s.row IN (SELECT row FROM sample_tags WHERE tag = ${bind(tag)})`)
  for (const tag of filter.withoutTags) parts.push(`s.row NOT IN (SELECT row FROM sample_tags WHERE tag = ${bind(tag)})`)
  if (filter.categories.length > 0)
    parts.push(
      `s.row IN (SELECT row FROM sample_categories
        WHERE category IN (SELECT value FROM json_each(${bind(JSON.stringify(filter.categories))})))`,
    )
  if (filter.text.trim() !== '') {
    const words = searchWords(filter.text)
    parts.push(words === null ? '0' : `s.row IN (SELECT rowid FROM sample_text WHERE sample_text MATCH ${bind(words)})`)
  }
  if (filter.finding !== null) {
    const { taskId, cluster, which } = filter.finding
    parts.push(
      `s.row IN (SELECT row FROM findings WHERE task_id = ${bind(taskId)}` +
        `${cluster === null ? '' : ` AND cluster = ${bind(cluster)}`}` +
        `${which === 'all' ? '' : ` AND is_best = ${which === 'best' ? 1 : 0}`})`,
    )
  }
  if (filter.region !== null) {
    const { taskId, outline } = filter.region
    const { left, right, top, bottom } = boundsOf(outline)
    parts.push(
      `s.image_sha256 IN (SELECT sha256 FROM map_points WHERE task_id = ${bind(taskId)}
        AND x BETWEEN ${bind(left)} AND ${bind(right)} AND y BETWEEN ${bind(top)} AND ${bind(bottom)}
        AND is_inside(${bind(JSON.stringify(outline))}, x, y))`,
    )
  }
  if (filter.measured !== null) {
    const { evaluationId, metric, value } = filter.measured
    parts.push(
      `s.id IN (SELECT item_id FROM item_results WHERE evaluation_id = ${bind(evaluationId)} AND metric = ${bind(metric)}` +
        `${value.from === null ? '' : ` AND value >= ${bind(value.from)}`}${value.to === null ? '' : ` AND value <= ${bind(value.to)}`})`,
    )
  }
  return { parts, parameters }
}

/** Whether the kept counts, of samples and of categories, know how many it finds. */
export function isOfCounts(filter: SampleFilter): boolean {
  const { datasetId, kinds, splits, states, groups, imageFormats, hasImage, hasMask, hasPair, ...rest } = filter
  return JSON.stringify(rest) === EVERYTHING_ELSE && ![...groups, ...imageFormats].includes('')
}

/** What of a filter the kept counts can answer: it finds all that the filter finds, and more. */
export function partOfCounts({ datasetId, kinds, splits, states, groups, imageFormats, hasImage, hasMask, hasPair }: SampleFilter): SampleFilter {
  const withoutNone = (values: readonly string[]) => (values.includes('') ? [] : [...values])
  return { ...ASKS_NOTHING, datasetId, kinds, splits, states, groups: withoutNone(groups), imageFormats: withoutNone(imageFormats), hasImage, hasMask, hasPair }
}

const ASKS_NOTHING = sampleFilterSchema.parse({})

/** What a filter says of the rest when it asks for nothing of it. */
const EVERYTHING_ELSE = (() => {
  const { datasetId, kinds, splits, states, groups, imageFormats, hasImage, hasMask, hasPair, ...rest } = ASKS_NOTHING
  return JSON.stringify(rest)
})()
