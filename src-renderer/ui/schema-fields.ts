// A form as a flat list of fields, drawn from a JSON schema (draft 2020-12, as main answers 'schema.run' and
// 'schema.study'). Nothing is decided here: ranges and defaults are the schema's, faults are named by main.
// A union of objects told apart by `kind` or `family` becomes a choice, and the fields of the chosen one follow it.

import type { Component } from 'vue'
import { objectiveLabels } from './objective-labels.ts'
import { count } from './quantity.ts'

export type JsonSchema = Readonly<Record<string, unknown>>
export type FormValue = Readonly<Record<string, unknown>>

export interface SchemaField {
  /** From the root, as main names it in a fault: ['training', 'objective', 'beta']. */
  readonly path: readonly string[]
  readonly label: string
  readonly help: string
  readonly unit: string
  /** `presence`: an object that may be left out as a whole; the switch says whether it is there. */
  readonly control: 'number' | 'integer' | 'boolean' | 'choice' | 'several' | 'text' | 'numbers' | 'presence'
  readonly choices: readonly { readonly value: string | number | null; readonly label: string }[]
  /** The choice decides which fields follow it. */
  readonly chooses: boolean
  readonly minimum: number | null
  readonly maximum: number | null
  /** True: the limit itself is not allowed. */
  readonly exclusiveMinimum: boolean
  readonly default: unknown
  /** Of numbers: one alone is a number and not a list. */
  readonly takesOne: boolean
  readonly nullable: boolean
  readonly required: boolean
}

/** Another control for a field, where the schema only says "text"; it takes and gives its value as v-model. */
export interface Picker {
  readonly component: Component
  readonly props?: Readonly<Record<string, unknown>>
}

export interface FieldGroup {
  readonly path: readonly string[]
  readonly label: string
  readonly fields: readonly SchemaField[]
  readonly groups: readonly FieldGroup[]
}

/** The fields for `value`: which fields there are depends on the kinds that it chooses. */
export function fieldsOf(schema: JsonSchema, value: unknown, path: readonly string[] = [], label = ''): FieldGroup {
  const chosen = alternative(schema, value)
  const properties = (chosen['properties'] ?? {}) as Record<string, JsonSchema>
  const required = (chosen['required'] ?? []) as readonly string[]
  const fields: SchemaField[] = []
  const groups: FieldGroup[] = []
  if (isUnion(schema)) fields.push(kindField(schema, path, label))
  for (const [name, property] of Object.entries(properties)) {
    if (!applies(property, value)) continue
    const here = [...path, name]
    const inner = withoutNull(property)
    const present = at(value, [name])
    const title = labelOf(name, property)
    if (isUnion(inner) || inner['properties'] !== undefined) {
      if (inner !== property) fields.push(presenceField(here, title, property))
      if (inner !== property && (present === null || present === undefined)) continue
      const group = fieldsOf(inner, present ?? inner['default'], here, title)
      // An object that only chooses a kind is no group of its own.
      if (isUnion(inner) && group.groups.length === 0) fields.push(...group.fields)
      else if (group.fields.length + group.groups.length > 0) groups.push(group)
      continue
    }
    if ('const' in inner) continue
    const field = scalarField(here, title, property, inner, required.includes(name))
    if (field !== null) fields.push(field)
  }
  return { path, label, fields, groups }
}

export function allFields(group: FieldGroup): readonly SchemaField[] {
  return [...group.fields, ...group.groups.flatMap(allFields)]
}

/** What the schema itself would fill in, so that a form opens with every default visible. */
export function defaultsOf(schema: JsonSchema, value: unknown = undefined): unknown {
  const given = value === undefined ? schema['default'] : value
  if (given === null) return null
  const inner = withoutNull(schema)
  if (!isUnion(inner) && inner['properties'] === undefined) return given
  if (given === undefined && inner !== schema) return null
  const chosen = alternative(inner, given)
  const properties = (chosen['properties'] ?? {}) as Record<string, JsonSchema>
  const entries = Object.entries(properties).map(([name, property]) => {
    if ('const' in property) return [name, property['const']] as const
    return [name, defaultsOf(property, at(given, [name]))] as const
  })
  return Object.fromEntries(entries.filter(([, each]) => each !== undefined))
}

/**
 * The field that a fault's path names. A fault inside a list is shown at the list; a path that begins in the question
 * around the form ("config.seeds.0") is followed from where the form begins.
 */
export function fieldAt(fields: readonly SchemaField[], path: readonly string[]): SchemaField | null {
  for (const within of [path, path.slice(1)]) {
    const found = fields.find(
      (field) => field.path.length <= within.length && field.path.every((key, index) => key === within[index]),
    )
    if (found !== undefined) return found
  }
  return null
}

export function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (here, key) => (typeof here === 'object' && here !== null ? (here as FormValue)[key] : undefined),
    value,
  )
}

/** A copy of `value` with `next` at `path`. */
export function withAt(value: unknown, path: readonly string[], next: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return next
  const object = typeof value === 'object' && value !== null ? (value as FormValue) : {}
  return { ...object, [key]: withAt(object[key], rest, next) }
}

/** A copy of `value` with `next` at the field; settings beside it that then apply no more go back to their defaults. */
export function withField(schema: JsonSchema, value: unknown, field: SchemaField, next: unknown): unknown {
  const path = field.path.slice(0, -1)
  const changed = withAt(value, field.path, next)
  const parent = alternative(withoutNull(schemaAt(schema, changed, path)), at(changed, path))
  return Object.entries((parent['properties'] ?? {}) as Record<string, JsonSchema>).reduce<unknown>(
    (settled, [name, property]) =>
      applies(property, at(settled, path)) ? settled : withAt(settled, [...path, name], property['default']),
    changed,
  )
}

/** Whether a setting is read: `onlyWith` names the settings beside it, and their values, with which it is. */
function applies(property: JsonSchema, parent: unknown): boolean {
  const conditions = Object.entries((property['onlyWith'] ?? {}) as Record<string, readonly unknown[]>)
  return conditions.every(([name, values]) => [at(parent, [name])].flat().some((each) => values.includes(each)))
}

/** A copy of `value` with another `kind` at the union that `field` chooses for; the new kind starts from its defaults. */
export function withKind(schema: JsonSchema, value: unknown, field: SchemaField, kind: string): unknown {
  const path = field.path.slice(0, -1)
  const name = field.path.at(-1)!
  const union = withoutNull(schemaAt(schema, value, path))
  return withAt(value, path, defaultsOf(union, { [name]: kind }))
}

/** A copy of `value` with the optional object of a `presence` field put in, with its defaults, or taken out. */
export function withPresence(schema: JsonSchema, value: unknown, field: SchemaField, isPresent: boolean): unknown {
  return withAt(value, field.path, isPresent ? defaultsOf(withoutNull(schemaAt(schema, value, field.path)), {}) : null)
}

/** "0.001 to 10", "at least 1", "above 0": what a person may enter. */
export function rangeOf(field: SchemaField): string {
  const [low, high] = [field.minimum, field.maximum].map((limit) => (limit === null ? null : limitText(limit)))
  if (field.control === 'numbers' && low !== null && high === null) return `each at least ${low}`
  if (field.takesOne && low === null && high !== null) return `one or more, each at most ${high}`
  if (low !== null && high !== null) return field.exclusiveMinimum ? `above ${low}, up to ${high}` : `${low} to ${high}`
  if (low !== null) return field.exclusiveMinimum ? `above ${low}` : `at least ${low}`
  return high === null ? '' : `at most ${high}`
}

/** What a person typed, as the value main expects; text that is no number is handed on, so that main names the fault. */
export function fromText(field: SchemaField, text: string): unknown {
  const trimmed = text.trim()
  if (trimmed === '' && field.nullable) return null
  if (field.control === 'number' || field.control === 'integer')
    return trimmed !== '' && Number.isFinite(Number(trimmed)) ? Number(trimmed) : text
  if (field.control === 'numbers') {
    const numbers = trimmed
      .split(/[\s,;]+/)
      .filter(Boolean)
      .map((each) => (Number.isFinite(Number(each)) ? Number(each) : each))
    return field.takesOne && numbers.length === 1 ? numbers[0] : numbers
  }
  return text
}

export function toText(value: unknown): string {
  if (value === null || value === undefined) return ''
  return Array.isArray(value) ? value.join(', ') : String(value)
}

function scalarField(
  path: readonly string[],
  label: string,
  property: JsonSchema,
  inner: JsonSchema,
  required: boolean,
): SchemaField | null {
  const list = listOrOne(inner)
  if (list !== null) {
    const field = scalarField(path, label, property, list, required)
    return field && { ...field, takesOne: true, help: String(property['help'] ?? ''), nullable: false }
  }
  const type = inner['type']
  const choices = choicesOf(type === 'array' ? ((inner['items'] ?? {}) as JsonSchema) : inner)
  const control =
    choices.length > 0
      ? type === 'array'
        ? 'several'
        : 'choice'
      : type === 'boolean'
        ? 'boolean'
        : type === 'integer'
          ? 'integer'
          : type === 'number'
            ? 'number'
            : type === 'string'
              ? 'text'
              : type === 'array' && ['integer', 'number'].includes(String((inner['items'] as JsonSchema | undefined)?.['type']))
                ? 'numbers'
                : null
  if (control === null) return null
  const bounds = control === 'numbers' ? (inner['items'] as JsonSchema) : inner
  return {
    path,
    label,
    help: String(property['help'] ?? inner['help'] ?? ''),
    unit: String(property['unit'] ?? inner['unit'] ?? ''),
    control,
    choices,
    chooses: false,
    minimum: numberOrNull(bounds['minimum'] ?? bounds['exclusiveMinimum']),
    maximum: numberOrNull(bounds['maximum']),
    exclusiveMinimum: bounds['exclusiveMinimum'] !== undefined,
    default: property['default'],
    takesOne: false,
    nullable: inner !== property,
    required,
  }
}

/** The list of a setting that is one number or a list of such; null: it is something else. */
function listOrOne(schema: JsonSchema): JsonSchema | null {
  const each = alternatives(schema)
  const list = each.find(({ type }) => type === 'array')
  return each.length === 2 && list !== undefined && each.some(({ type }) => type === at(list, ['items', 'type'])) ? list : null
}

function kindField(union: JsonSchema, path: readonly string[], label: string): SchemaField {
  const name = discriminatorOf(union)!
  const choices = alternatives(union).map((each) => {
    const kind = String(constantOf(each, name))
    return { value: kind, label: String(each['label'] ?? KIND_LABELS[kind] ?? kind) }
  })
  return {
    path: [...path, name],
    label: name === 'kind' ? label : labelOf(name, union),
    help: String(union['help'] ?? ''),
    unit: '',
    control: 'choice',
    choices,
    chooses: true,
    minimum: null,
    maximum: null,
    exclusiveMinimum: false,
    default: at(union['default'], [name]) ?? constantOf(alternatives(union)[0]!, name),
    takesOne: false,
    nullable: false,
    required: true,
  }
}

function presenceField(path: readonly string[], label: string, property: JsonSchema): SchemaField {
  return {
    path,
    label,
    help: String(property['help'] ?? ''),
    unit: '',
    control: 'presence',
    choices: [],
    chooses: false,
    minimum: null,
    maximum: null,
    exclusiveMinimum: false,
    default: property['default'],
    takesOne: false,
    nullable: true,
    required: false,
  }
}

const KIND_LABELS: Readonly<Record<string, string>> = objectiveLabels

function choicesOf(schema: JsonSchema): SchemaField['choices'] {
  const constants = alternatives(schema).filter((each) => 'const' in each)
  const values = (schema['enum'] ?? constants.map((each) => each['const'])) as readonly (string | number)[]
  return values.map((value) => ({ value, label: String(value) }))
}

/** The field by which alternatives are told apart. */
function discriminatorOf(schema: JsonSchema): string | undefined {
  const each = alternatives(schema)
  return each.length > 1 ? ['kind', 'family'].find((name) => each.every((one) => constantOf(one, name) !== undefined)) : undefined
}

function isUnion(schema: JsonSchema): boolean {
  return discriminatorOf(schema) !== undefined
}

function alternatives(schema: JsonSchema): readonly JsonSchema[] {
  return (schema['oneOf'] ?? schema['anyOf'] ?? []) as readonly JsonSchema[]
}

function alternative(schema: JsonSchema, value: unknown): JsonSchema {
  const name = discriminatorOf(schema)
  if (name === undefined) return schema
  const kind = at(value, [name]) ?? at(schema['default'], [name])
  return alternatives(schema).find((each) => constantOf(each, name) === kind) ?? alternatives(schema)[0]!
}

function constantOf(schema: JsonSchema, name: string): unknown {
  return ((schema['properties'] as Record<string, JsonSchema> | undefined)?.[name] ?? {})['const']
}

/** The schema that stands beside null, or the schema itself. */
function withoutNull(schema: JsonSchema): JsonSchema {
  const each = alternatives(schema)
  if (each.length !== 2 || !each.some((one) => one['type'] === 'null')) return schema
  return each.find((one) => one['type'] !== 'null')!
}

function schemaAt(schema: JsonSchema, value: unknown, path: readonly string[]): JsonSchema {
  const [key, ...rest] = path
  if (key === undefined) return schema
  const properties = alternative(withoutNull(schema), value)['properties'] as Record<string, JsonSchema>
  return schemaAt(properties[key]!, at(value, [key]), rest)
}

/** Names whose words alone would read badly. */
const LABELS: Readonly<Record<string, string>> = {
  language: 'Stage 0: language model from nothing',
  pretraining: 'Stage 0: encoder from nothing',
  heldOutPreferences: 'Held-out preferences',
  alignment: 'Stage 1a: projector alignment',
  instruction: 'Stage 1b: instructions, end to end',
  sft: 'Stage 2: SFT arm',
  dpo: 'Stage 2: DPO arm',
  transplant: 'Transplant',
  numHiddenLayers: 'Blocks',
  numAttentionHeads: 'Attention heads',
  numKeyValueHeads: 'Key/value heads',
  intermediateSize: 'MLP width',
  hiddenSize: 'Width',
  vocabSize: 'Vocabulary',
  layerNormEps: 'Layer norm ε',
  rmsNormEps: 'RMS norm ε',
  ropeTheta: 'Rotary θ',
  tieWordEmbeddings: 'Tie embeddings',
  maxPositionEmbeddings: 'Longest context',
  hiddenAct: 'Activation',
  visionUseHead: 'Pooling head',
  visionFeatureSelectStrategy: 'Feature tokens',
  visionFeatureLayer: 'Feature layer',
  maxNewTokens: 'Longest answer',
  perClass: 'Crops per class',
  lambdas: 'λ tried',
  neighbours: 'Neighbours',
}

function labelOf(name: string, schema: JsonSchema): string {
  if (typeof schema['label'] === 'string') return schema['label']
  const known = LABELS[name]
  if (known !== undefined) return known
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase()
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function limitText(limit: number): string {
  return Math.abs(limit) >= 10_000 && Number.isInteger(limit) ? count(limit) : String(limit).replace('-', '−')
}

/** zod bounds every integer by what a double can hold exactly: a limit of the format, not of the setting. */
function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : null
}

/**
 * `value` with the fields that another page asks for in the address (`#/runs/new/{"dataset":"mine"}`): objects are joined,
 * all else replaces. What is no JSON object asks for nothing; whether a field exists, main says.
 */
export function withWanted(value: unknown, wanted: string | null): unknown {
  try {
    return joined(value, JSON.parse(wanted ?? '{}'))
  } catch {
    return value
  }
}

function joined(value: unknown, wanted: unknown): unknown {
  const isObject = (each: unknown): each is Record<string, unknown> => typeof each === 'object' && each !== null && !Array.isArray(each)
  if (!isObject(wanted)) return wanted
  const base = isObject(value) ? value : {}
  // Another kind of thing has other fields: nothing of the old one stays.
  const kept = 'kind' in wanted && wanted['kind'] !== base['kind'] ? {} : base
  return { ...kept, ...Object.fromEntries(Object.entries(wanted).map(([key, each]) => [key, joined(kept[key], each)])) }
}
