import { expect, it } from 'vitest'
import { emptyFilter, facetQuestions, facetValues, isNarrowed, toggled } from '../../../src-renderer/rooms/data/sample-filters.ts'

it('a box ticked and unticked leaves the filter as it was; of the states one always stays', () => {
  const filter = emptyFilter('mine')
  const ticked = toggled(filter, 'splits', 'test')
  expect(isNarrowed(filter)).toBe(false)
  expect(isNarrowed(ticked)).toBe(true)
  expect(toggled(ticked, 'splits', 'test')).toEqual(filter)
  expect(toggled(filter, 'states', 'kept').states).toEqual(['kept'])
})

it('a facet is counted without its own ticks, and tags within them', () => {
  const filter = toggled(toggled(toggled(emptyFilter(null), 'splits', 'test'), 'tags', 'odd'), 'kinds', 'questions')
  const questions = facetQuestions(filter)
  expect(questions.splits).toEqual({ ...filter, splits: [] })
  expect(questions.kinds).toEqual({ ...filter, kinds: [] })
  expect(questions.tags).toEqual(filter)
})

it('a ticked value that finds nothing is listed, so that it can be unticked', () => {
  const filter = toggled(emptyFilter(null), 'categories', 'gone')
  expect(facetValues(filter.categories, undefined)).toEqual([{ value: 'gone', count: 0 }])
})
