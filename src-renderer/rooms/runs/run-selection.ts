// Which runs are looked at together. It outlives the pages of the room, so that opening one run and coming back keeps it.
// A run keeps its mark while it is selected, whatever is selected or dropped beside it; where it can, an arm of a study has the mark
// that its encoder has everywhere.

import { ref } from 'vue'
import type { RunRow } from '../../../src-main/domain/run-view.ts'
import { ENCODERS } from '../../../src-main/domain/study.ts'

export type Selectable = Pick<RunRow, 'id' | 'phaseId'>

/** By run, its place among the marks (ui/encoder-marks.ts). */
const places = ref<ReadonlyMap<string, number>>(new Map())

/** As many as there are marks that cannot be mistaken for each other. */
export const MOST_SELECTED = 9

export function useRunSelection() {
  function toggle(run: Selectable): void {
    const next = new Map(places.value)
    if (!next.delete(run.id) && next.size < MOST_SELECTED) next.set(run.id, placeFor(run, next))
    places.value = next
  }
  return {
    places,
    toggle,
    clear: () => void (places.value = new Map()),
    set: (runs: readonly Selectable[]) => {
      const next = new Map<string, number>()
      for (const run of runs.slice(0, MOST_SELECTED)) next.set(run.id, placeFor(run, next))
      places.value = next
    },
    /** Those that are gone are dropped. */
    keepOnly: (known: ReadonlySet<string>): void => {
      if ([...places.value.keys()].some((runId) => !known.has(runId))) places.value = new Map([...places.value].filter(([runId]) => known.has(runId)))
    },
  }
}

/** Its encoder's own mark, else one that no encoder of a study has, else any that is free. */
function placeFor({ phaseId }: Selectable, taken: ReadonlyMap<string, number>): number {
  const used = new Set(taken.values())
  const stage = phaseId?.split('/').at(-1)
  const own = ENCODERS.findIndex((encoder) => encoder === (stage === 'instruction' ? 'stage-1' : stage))
  const others = Array.from({ length: MOST_SELECTED - ENCODERS.length }, (_, index) => ENCODERS.length + index)
  return [...(own < 0 ? [] : [own]), ...others, ...ENCODERS.keys()].find((place) => !used.has(place))!
}
