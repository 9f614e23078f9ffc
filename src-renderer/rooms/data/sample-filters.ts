// The filter of the Data room as a person sets it: which boxes there are, what they count, and how a filter is said.

import { FACETS, SAMPLE_SORTS, sampleFilterSchema, type Facets, type SampleFilter, type SampleRow, type SampleSort } from '../../../src-main/domain/sample-query.ts'

export type Facet = (typeof FACETS)[number]

export const KIND_LABELS: Readonly<Record<string, string>> = {
  conversations: 'Conversations',
  preferences: 'Preference pairs',
  questions: 'Questions',
  objects: 'Objects with boxes',
}

export const FACET_LABELS: Readonly<Record<Facet, { readonly label: string; readonly meaning: string }>> = {
  kinds: { label: 'Kind', meaning: 'What a sample holds.' },
  splits: { label: 'Split', meaning: 'Train is learnt from, validation and test are measured on.' },
  states: { label: 'State', meaning: 'Excluded samples stay in the dataset and out of its versions. Deleted ones are gone for everything but undo.' },
  tags: { label: 'Tags', meaning: 'Words that you gave to samples. A sample must have all that are ticked.' },
  categories: { label: 'Category', meaning: 'Of the question, of the pair, or of any object in the image.' },
  groups: { label: 'Group', meaning: 'The benchmark group of a question: general, text, vision-centric, knowledge.' },
  imageFormats: { label: 'Image format', meaning: 'As the file’s own header says.' },
}

export const SORT_LABELS: Readonly<Record<SampleSort, string>> = {
  imported: 'Import order',
  textLength: 'Length of text',
  tokens: 'Tokens',
  pixels: 'Pixels',
  imageBytes: 'Size of file',
  source: 'Source',
}
/** By tokens where the filter says whose. */
export const sortChoices = ({ tokens }: SampleFilter) =>
  SAMPLE_SORTS.filter((value) => value !== 'tokens' || tokens !== null).map((value) => ({ value, label: SORT_LABELS[value] }))

/** Its words without the mark that says where the image stands in them; of objects what they are. */
export const captionOf = ({ text, categories }: Pick<SampleRow, 'text' | 'categories'>): string =>
  text.replace('<image>', '').trim() || categories.join(', ')

export const emptyFilter = (datasetId: string | null): SampleFilter => sampleFilterSchema.parse({ datasetId })

/** The filter with a value of one facet added or taken away. Of the states one always stays. */
export function toggled(filter: SampleFilter, facet: Facet, value: string): SampleFilter {
  const before = filter[facet] as readonly string[]
  const after = before.includes(value) ? before.filter((each) => each !== value) : [...before, value]
  if (facet === 'states' && after.length === 0) return { ...filter, states: ['kept'] }
  return { ...filter, [facet]: after }
}

/**
 * Filters whose counts stand beside the boxes: a facet's own ticks are left out of its question, so that its other values
 * say what ticking them would add. Tags must all hold, so theirs are counted within the filter.
 */
export function facetQuestions(filter: SampleFilter): Readonly<Record<Facet, SampleFilter>> {
  const without = (facet: Facet): SampleFilter => {
    if (facet === 'tags') return filter
    if (facet === 'states') return { ...filter, states: ['kept', 'excluded', 'deleted'] }
    return { ...filter, [facet]: [] }
  }
  return Object.fromEntries(FACETS.map((facet) => [facet, without(facet)])) as Record<Facet, SampleFilter>
}

export type Counted = Facets[Facet]

/** Values of a facet with their counts; ticked ones that find nothing are listed with 0, so that they can be unticked. */
export function facetValues(ticked: readonly string[], counted: Counted | undefined): Counted {
  const known = new Set(counted?.map(({ value }) => value))
  return [...(counted ?? []), ...ticked.filter((value) => !known.has(value)).map((value) => ({ value, count: 0 }))]
}

/** Whether anything but dataset and kept samples is asked for. */
export function isNarrowed(filter: SampleFilter): boolean {
  return JSON.stringify(sampleFilterSchema.parse(filter)) !== JSON.stringify(emptyFilter(filter.datasetId))
}
