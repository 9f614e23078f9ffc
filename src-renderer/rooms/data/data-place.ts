// What the pages of a dataset share while one works on it: filter, order, what is selected, and the last change with its
// way back.

import { inject, provide, ref, shallowRef, type InjectionKey, type Ref, type ShallowRef } from 'vue'
import type { CurationChange, JournalEntry, Selection } from '../../../src-main/domain/curation.ts'
import type { SampleFilter, SampleSort, SavedView } from '../../../src-main/domain/sample-query.ts'
import { ask } from '../../lab/client.ts'
import { useAction } from '../../lab/use-operation.ts'
import { count } from '../../ui/quantity.ts'
import { goTo } from '../../lab/route.ts'
import { emptyFilter } from './sample-filters.ts'
import { nothingSelected, type SampleSelection } from './sample-selection.ts'

export interface DataPlace {
  readonly datasetId: string | null
  readonly filter: ShallowRef<SampleFilter>
  readonly sort: Ref<SampleSort>
  readonly direction: Ref<'ascending' | 'descending'>
  /** Of the samples that the filter finds, in its order. */
  readonly selection: ShallowRef<SampleSelection>
  /** What was done last, as a sentence; '' when nothing was. */
  readonly said: Ref<string>
  readonly doing: ReturnType<typeof useAction>
  /** Opens the grid with other conditions on what is kept in the dataset. */
  show(conditions: Partial<SampleFilter>): void
  /** The filter and the order of a saved view. */
  showView(view: Pick<SavedView, 'filter' | 'sort' | 'direction'>): void
  change(selection: Selection, change: CurationChange): Promise<void>
  undo(): Promise<void>
  redo(): Promise<void>
}
const key: InjectionKey<DataPlace> = Symbol('data place')

export function provideDataPlace(datasetId: string | null): DataPlace {
  const said = ref('')
  const doing = useAction()
  const samples = (entry: JournalEntry) => `${count(entry.samples)} ${entry.samples === 1 ? 'sample' : 'samples'}`
  /** A change that was stopped is no fault. */
  const changing = async <T>(work: () => Promise<T>) => {
    const entry = await doing.act(work)
    if (doing.error.value?.code !== 'cancelled') return entry
    doing.error.value = null
    said.value = 'Stopped: nothing is changed.'
    return undefined
  }
  const place: DataPlace = {
    datasetId,
    filter: shallowRef(emptyFilter(datasetId)),
    sort: ref('imported'),
    direction: ref('ascending'),
    selection: shallowRef(nothingSelected),
    said,
    doing,
    show(conditions) {
      place.filter.value = { ...emptyFilter(datasetId), ...conditions }
      goTo('data', datasetId ?? 'all', 'browse')
    },
    showView({ filter, sort, direction }) {
      place.filter.value = filter
      place.sort.value = sort
      place.direction.value = direction
    },
    async change(selection, change) {
      const entry = await changing(() => ask('samples.change', { selection, change }))
      if (entry !== undefined) said.value = entry === null ? 'Nothing to change: the samples are so already.' : `Done: ${entry.label}, ${samples(entry)}.`
    },
    async undo() {
      const entry = await changing(() => ask('samples.undo'))
      if (entry !== undefined) said.value = entry === null ? 'Nothing is left to undo.' : `Undone: ${entry.label}, ${samples(entry)}.`
    },
    async redo() {
      const entry = await changing(() => ask('samples.redo'))
      if (entry !== undefined) said.value = entry === null ? 'Nothing is left to redo.' : `Done again: ${entry.label}, ${samples(entry)}.`
    },
  }
  provide(key, place)
  return place
}

export function useDataPlace(): DataPlace {
  const place = inject(key)
  if (place === undefined) throw new Error('useDataPlace is called outside a dataset page')
  return place
}
