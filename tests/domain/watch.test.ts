// What may be measured while a run trains: something, and nothing twice under one name.

import { expect, it } from 'vitest'
import { parse } from '../../src-main/domain/parse.ts'
import { runWatchSchema, watchSchema } from '../../src-main/domain/watch.ts'
import { faultOf } from '../support/fault-of.ts'

const probes = (...names: readonly string[]) => ({ dataset: 'pictures', settings: { probes: names } })

it('by default the evaluation’s own probes are measured at every checkpoint', () => {
  expect(parse(watchSchema, {})).toEqual({ everyCheckpoints: 1, evaluators: ['probe'], probes: null })
  expect(parse(runWatchSchema, {}).data).toEqual({ questions: null, preferences: null, objects: null, captions: null })
})

it('nothing to measure is refused, and so is what would stand under one name twice', () => {
  expect(faultOf(() => parse(watchSchema, { evaluators: [] }))).toMatchObject({ message: expect.stringContaining('something to measure') })
  expect(parse(watchSchema, { evaluators: [], probes: probes('linear') }).probes!.settings.probes).toEqual(['linear'])
  const twice = expect.stringContaining('leave out "probe"')
  expect(faultOf(() => parse(watchSchema, { evaluators: ['probe'], probes: probes('linear') }))).toMatchObject({ code: 'invalid-input', message: twice })
  expect(faultOf(() => parse(runWatchSchema, { evaluators: ['segmentation'], probes: probes('knn', 'segmentation') }))).toMatchObject({ message: twice })
  expect(parse(watchSchema, { evaluators: ['segmentation'], probes: probes('knn') }).evaluators).toEqual(['segmentation'])
  expect(parse(watchSchema, { evaluators: ['probe'], probes: probes('segmentation') }).evaluators).toEqual(['probe'])
})
