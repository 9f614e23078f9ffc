// The form is drawn from the schemas that main really answers with, so a setting added to the domain appears here.

import { expect, it } from 'vitest'
import { z } from 'zod'
import { parse } from '../../../src-main/domain/parse.ts'
import { runRequestSchema } from '../../../src-main/domain/run-view.ts'
import { studyConfigSchema } from '../../../src-main/domain/study.ts'
import {
  allFields,
  at,
  defaultsOf,
  fieldAt,
  fieldsOf,
  fromText,
  rangeOf,
  toText,
  withAt,
  withField,
  withKind,
  withPresence,
  withWanted,
  type JsonSchema,
  type SchemaField,
} from '../../../src-renderer/ui/schema-fields.ts'
import { aStudy } from '../a-study.ts'

const runSchema = z.toJSONSchema(runRequestSchema, { io: 'input' }) as JsonSchema
const studySchema = z.toJSONSchema(studyConfigSchema, { io: 'input' }) as JsonSchema
const named = (fields: readonly SchemaField[], path: string) => fields.find((field) => field.path.join('.') === path)
const runFields = (value: unknown) => allFields(fieldsOf(runSchema, value))

it('opens with every default of the schema, so that main fills in nothing that was not seen', () => {
  const value = { ...(defaultsOf(runSchema) as object), name: 'a', dataset: 'b' }
  expect(parse(runRequestSchema, value)).toEqual(parse(runRequestSchema, { name: 'a', dataset: 'b' }))
  expect(parse(runRequestSchema, value)).toEqual(value)
})

it('gives every scalar setting a field with its label, help and range', () => {
  const beta = named(
    runFields(withAt(defaultsOf(runSchema), ['training', 'objective'], { kind: 'dpo' })),
    'training.objective.beta',
  )!
  expect(beta).toMatchObject({ label: 'β', control: 'number', minimum: 0.001, maximum: 10, default: 0.1 })
  expect(beta.help).toContain('arXiv')
  expect(rangeOf(beta)).toBe('0.001 to 10')
})

it('shows the settings of the chosen kind only, and starts a new kind from its defaults', () => {
  const start = defaultsOf(runSchema)
  const kind = named(runFields(start), 'training.objective.kind')!
  expect(kind.choices.map((choice) => choice.value)).toEqual(expect.arrayContaining(['sft', 'dpo']))
  expect(named(runFields(start), 'training.objective.beta')).toBeUndefined()
  const changed = withKind(runSchema, start, kind, 'dpo')
  expect(at(changed, ['training', 'objective'])).toMatchObject({ kind: 'dpo', lossType: 'sigmoid', beta: 0.1, labelSmoothing: 0 })
  expect(at(changed, ['training', 'steps'])).toBe(at(start, ['training', 'steps']))
})

it('shows the sizes of the chosen family of encoders only', () => {
  const studyFields = (value: unknown) => allFields(fieldsOf(studySchema, value))
  const start = defaultsOf(studySchema)
  const family = named(studyFields(start), 'model.visionEncoder.family')!
  expect(family.choices.map(({ value }) => value)).toEqual(expect.arrayContaining(['siglip', 'clip', 'dinov2', 'vit']))
  expect(named(studyFields(start), 'model.visionEncoder.mlpRatio')).toBeUndefined()
  expect(named(studyFields(start), 'model.visionEncoder.patchSize')).toBeDefined()
  const changed = withKind(studySchema, start, family, 'dinov2')
  expect(named(studyFields(changed), 'model.visionEncoder.mlpRatio')).toBeDefined()
  expect(at(changed, ['model', 'visionEncoder'])).toMatchObject({ family: 'dinov2', useSwigluFfn: false })
})

it('shows a setting only where it is read, and puts it back to its default where it no longer is', () => {
  const kind = named(runFields(defaultsOf(runSchema)), 'training.objective.kind')!
  const dpo = withKind(runSchema, defaultsOf(runSchema), kind, 'dpo')
  const path = (setting: string) => `training.objective.${setting}`
  const field = (value: unknown, setting: string) => named(runFields(value), path(setting))
  expect([field(dpo, 'labelSmoothing'), field(dpo, 'fDivergenceType')].every(Boolean)).toBe(true)
  expect([field(dpo, 'discopopTau'), field(dpo, 'fAlphaDivergenceCoef')]).toEqual([undefined, undefined])
  const loss = field(dpo, 'lossType')!
  const smoothed = withField(runSchema, dpo, field(dpo, 'labelSmoothing')!, 0.2)
  const alpha = withField(runSchema, smoothed, field(dpo, 'fDivergenceType')!, 'alpha_divergence')
  expect(field(alpha, 'fAlphaDivergenceCoef')).toBeDefined()
  const bco = withField(runSchema, alpha, loss, 'bco_pair')
  expect(at(bco, ['training', 'objective'])).toEqual({ ...(at(dpo, ['training', 'objective']) as object), lossType: 'bco_pair' })
  expect(field(bco, 'labelSmoothing')).toBeUndefined()
  expect(field(withField(runSchema, dpo, loss, 'discopop'), 'discopopTau')).toBeDefined()
})

it('draws a list of choices as such, and asks any of them what applies', () => {
  const kind = named(runFields(defaultsOf(runSchema)), 'training.objective.kind')!
  const mpo = withKind(runSchema, defaultsOf(runSchema), kind, 'mpo')
  const losses = named(runFields(mpo), 'training.objective.lossType')!
  expect(losses).toMatchObject({ control: 'several', default: ['sigmoid', 'bco_pair', 'sft'] })
  expect(losses.choices.map(({ value }) => value)).toEqual(expect.arrayContaining(['sigmoid', 'ipo', 'sft']))
  expect(named(runFields(mpo), 'training.objective.lossWeights')).toMatchObject({ control: 'numbers' })
  expect(named(runFields(mpo), 'training.objective.labelSmoothing')).toBeDefined()
  const hinge = withField(runSchema, mpo, losses, ['hinge', 'sft'])
  expect(named(runFields(hinge), 'training.objective.labelSmoothing')).toBeUndefined()
})

it('puts an optional object in with its defaults, and takes it out as a whole', () => {
  const start = defaultsOf(studySchema)
  const field = named(allFields(fieldsOf(studySchema, start)), 'transplant')!
  expect(field.control).toBe('presence')
  const present = withPresence(studySchema, start, field, true)
  expect(at(present, ['transplant', 'training', 'steps'])).toBe(100)
  expect(named(allFields(fieldsOf(studySchema, present)), 'transplant.training.steps')).toBeDefined()
  expect(at(withPresence(studySchema, present, field, false), ['transplant'])).toBeNull()
})

it('calls no limit of the number format a limit of the setting', () => {
  expect(rangeOf(named(runFields(defaultsOf(runSchema)), 'training.seed')!)).toBe('at least 0')
  expect(rangeOf(named(runFields(defaultsOf(runSchema)), 'training.adamEpsilon')!)).toBe('above 0')
})

it('hands on what is no number as it was typed, so that main names the fault', () => {
  const steps = named(runFields(defaultsOf(runSchema)), 'training.steps')!
  expect(fromText(steps, ' 250 ')).toBe(250)
  expect(fromText(steps, 'many')).toBe('many')
  const bad = withAt({ ...(defaultsOf(runSchema) as object), name: 'a', dataset: 'b' }, ['training', 'steps'], 'many')
  expect(() => parse(runRequestSchema, bad)).toThrow(/training\.steps/)
})

it('reads an empty field of a setting that may be left out as left out', () => {
  const rate = named(runFields(defaultsOf(runSchema)), 'training.modules.projector.learningRate')!
  expect(rate.nullable).toBe(true)
  expect(fromText(rate, '')).toBeNull()
  expect(toText(null)).toBe('')
})

it('reads a list of numbers in any usual writing', () => {
  const seeds = named(allFields(fieldsOf(studySchema, {})), 'seeds')!
  expect(fromText(seeds, '0, 1;2  3')).toEqual([0, 1, 2, 3])
  expect(toText([0, 1, 2])).toBe('0, 1, 2')
})

it('finds the field that a fault names: inside a list, and below the question around the form', () => {
  const fields = allFields(fieldsOf(studySchema, defaultsOf(studySchema)))
  expect(fieldAt(fields, ['seeds', '1'])?.path).toEqual(['seeds'])
  expect(fieldAt(fields, ['config', 'seeds', '1'])?.path).toEqual(['seeds'])
  expect(fieldAt(fields, ['config', 'stages', 'sft', 'learningRate'])?.path).toEqual(['stages', 'sft', 'learningRate'])
  expect(fieldAt(fields, ['config', 'nothing'])).toBeNull()
})

it('changes one place and leaves the value it came from untouched', () => {
  const before = { a: { b: 1, c: 2 } }
  expect(withAt(before, ['a', 'b'], 5)).toEqual({ a: { b: 5, c: 2 } })
  expect(before).toEqual({ a: { b: 1, c: 2 } })
})

it('leaves no numeric setting of a study without a field', () => {
  const config = aStudy()
  const fields = new Set(allFields(fieldsOf(studySchema, config)).map((field) => field.path.join('.')))
  const numbers = (value: unknown, path: readonly string[]): readonly string[] =>
    typeof value === 'number'
      ? [path.join('.')]
      : typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.entries(value).flatMap(([key, each]) => numbers(each, [...path, key]))
        : []
  // The number of colour channels is fixed by the schema itself; two settings are of losses that the study has not.
  const hidden = ['model.visionEncoder.numChannels', ...['fAlphaDivergenceCoef', 'discopopTau'].map((setting) => `stages.dpo.objective.${setting}`)]
  expect(numbers(config, []).filter((path) => !fields.has(path))).toEqual(hidden)
})

it('takes what another page asks for in the address, joined field by field, and nothing from what is no JSON', () => {
  const value = { name: '', training: { steps: 10, objective: { kind: 'sft' } }, tags: ['a'] }
  const wanted = JSON.stringify({ name: 'mine', training: { objective: { kind: 'dpo', beta: 0.2 } }, tags: [] })
  expect(withWanted(value, wanted)).toEqual({ name: 'mine', training: { steps: 10, objective: { kind: 'dpo', beta: 0.2 } }, tags: [] })
  // Another kind has other fields: what belonged to the old one is gone.
  expect(withWanted({ objective: { kind: 'dpo', beta: 0.1 } }, '{"objective":{"kind":"sft"}}')).toEqual({ objective: { kind: 'sft' } })
  for (const none of [null, '', '{', 'undefined']) expect(withWanted(value, none)).toEqual(value)
})

it('takes one number, or several, where a setting may be either', () => {
  const field = named(runFields(defaultsOf(runSchema)), 'start.model.visionFeatureLayer')!
  expect(field).toMatchObject({ control: 'numbers', default: -2 })
  expect(rangeOf(field)).toBe('one or more, each at most −1')
  expect(['-2', '-2, -5', ' -1 -3 ', 'x'].map((text) => fromText(field, text))).toEqual([-2, [-2, -5], [-1, -3], 'x'])
  expect([-2, [-2, -5]].map(toText)).toEqual(['-2', '-2, -5'])
})

it('offers what a study measures while it trains: a switch, and behind it how often and what', () => {
  const schema = z.toJSONSchema(studyConfigSchema, { io: 'input' }) as JsonSchema
  const without = aStudy()
  const fields = (value: unknown) => allFields(fieldsOf(schema, value)).filter(({ path }) => path[0] === 'watch')
  expect(fields(without).map(({ path, control }) => [path.join('.'), control])).toEqual([['watch', 'presence']])
  const asked = withPresence(schema, without, fields(without)[0]!, true)
  expect(fields(asked).map(({ path, control }) => [path.join('.'), control])).toEqual([
    ['watch', 'presence'],
    ['watch.everyCheckpoints', 'integer'],
    ['watch.evaluators', 'several'],
    ['watch.probes', 'presence'],
  ])
  expect(parse(studyConfigSchema, asked, 'invalid-input', 'study').watch).toEqual({ everyCheckpoints: 1, evaluators: ['probe'], probes: null })
})
