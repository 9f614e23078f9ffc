// The samples of a filter: how many there are and the first of them at once, then their order as plain numbers, and what is shown of
// each as it comes into sight.

import { onScopeDispose, ref, shallowRef, watch } from 'vue'
import type { SampleRow } from '../../../src-main/domain/sample-query.ts'
import type { Question } from '../../../src-preload/contract/operations.ts'
import { ask } from '../../lab/client.ts'
import { useAnnouncement } from '../../lab/use-announcements.ts'
import { useOperation } from '../../lab/use-operation.ts'
import { UNKNOWN, type SampleOrder } from './sample-selection.ts'

/** Rows asked for at once, and kept at most. */
const BLOCK = 60
const KEPT = 6000
/** Who passes a screen in less time sees nothing of it: only what one stops at is asked for, this long after the last move. */
const SCREEN_MS = 400
const REST_MS = 60

export function useSamples(query: () => Question<'samples.order'>) {
  let sight: readonly [from: number, to: number] = [0, 0]
  /** As many as the grid draws: on a large screen that is more than a block. */
  const first = useOperation('samples.first', () => ({ ...query(), limit: Math.min(1000, Math.max(BLOCK, sight[1] - sight[0])) }))
  /** The question whose first samples are on screen: only then main is asked for what takes longer. */
  const drawn = ref('')
  const order = useOperation('samples.order', () => (JSON.stringify(query()) === drawn.value ? query() : null))
  /** A list that is asked for anew stays on screen until the answer is there. Places that are not known yet hold UNKNOWN. */
  const rows = shallowRef<SampleOrder>([])
  const seen = shallowRef<ReadonlyMap<number, SampleRow>>(new Map())
  /** Counts questions whose first samples were answered. */
  const answered = ref(0)
  /** Counts orders of all that were answered, and questions that were refused: main is free for what stands beside the samples. */
  const settled = ref(0)
  const asked = new Set<number>()
  let generation = 0
  let isForward = true
  let movedAt = -Infinity
  let isAsking = false
  let isGone = false
  let resting: ReturnType<typeof setTimeout> | null = null
  let settling: ReturnType<typeof setTimeout> | null = null
  const stopTimers = () => [resting, settling].forEach((timer) => timer !== null && clearTimeout(timer))

  watch([first.value, first.error], ([found, error]) => {
    if (settling !== null) clearTimeout(settling)
    if (error !== null) settled.value++
    if (found === null) return
    const places = new Uint32Array(found.total)
    found.rows.slice(0, found.total).forEach(({ row }, place) => (places[place] = row))
    rows.value = places
    keep(found.rows)
    answered.value++
    const question = JSON.stringify(query())
    settling = setTimeout(() => (drawn.value = question), REST_MS)
  })
  watch(order.value, (next) => {
    if (next === null) return
    rows.value = next
    settled.value++
    askForSight()
  })
  useAnnouncement('dataset.changed', () => {
    order.refresh()
    // What is in sight is asked again and replaced when it comes; nothing flickers.
    generation++
    asked.clear()
    askForSight()
  })
  onScopeDispose(() => {
    isGone = true
    stopTimers()
  })

  /** Says which places are in sight. */
  function want(from: number, to: number): void {
    const [moved, ms] = [Math.abs(from - sight[0]), performance.now() - movedAt]
    isForward = from >= sight[0]
    sight = [from, to]
    movedAt += ms
    if (resting !== null) clearTimeout(resting)
    resting = null
    if (moved * SCREEN_MS > (to - from) * ms) resting = setTimeout(askForSight, REST_MS)
    else askForSight()
  }

  /** One question at a time: of what is in sight first, then of the screen that comes next. */
  function askForSight(): void {
    resting = null
    if (isAsking || isGone) return
    const [from, to] = sight
    const screen = to - from
    const inSight = missing(from, to)
    const ahead = isForward ? missing(to, to + screen) : missing(from - screen, from).toReversed()
    if (inSight.length > 0 || ahead.length >= Math.min(BLOCK, screen) / 2) void load([...inSight, ...ahead].slice(0, BLOCK))
  }

  function missing(from: number, to: number): number[] {
    const found: number[] = []
    for (let place = Math.max(0, from); place < Math.min(to, rows.value.length); place++) {
      const row = rows.value[place]!
      if (row !== UNKNOWN && !asked.has(row)) found.push(row)
    }
    return found
  }

  async function load(block: readonly number[]) {
    const turn = generation
    isAsking = true
    block.forEach((row) => asked.add(row))
    try {
      const found = await ask('samples.list', { rows: [...block] })
      if (turn === generation) keep(found)
    } catch {
      // Asked again when it next comes into sight; the list itself says what is wrong with the project.
      block.forEach((row) => asked.delete(row))
      return
    } finally {
      isAsking = false
    }
    askForSight()
  }

  /** A new map, not the old one changed: the grid is given it as a property and draws when that is another. */
  function keep(found: readonly SampleRow[]) {
    const isForgotten = seen.value.size > KEPT
    if (isForgotten) asked.clear()
    const next = new Map(isForgotten ? [] : seen.value)
    for (const each of found) {
      next.set(each.row, each)
      asked.add(each.row)
    }
    seen.value = next
  }

  return { rows, seen, answered, settled, error: first.error, pending: first.pending, want }
}
