// The samples of a filter: their order at once, as plain numbers, and what is shown of each as it comes into sight.

import { onScopeDispose, shallowRef, watch } from 'vue'
import type { SampleRow } from '../../../src-main/domain/sample-query.ts'
import type { Question } from '../../../src-preload/contract/operations.ts'
import { ask } from '../../lab/client.ts'
import { useAnnouncement } from '../../lab/use-announcements.ts'
import { useOperation } from '../../lab/use-operation.ts'

/** Rows asked for at once, and kept at most: a few screens. */
const BLOCK = 120
const KEPT = 6000
/** Who scrolls past stays shorter in one place: only what one stops at is asked for. */
const REST_MS = 30

export function useSamples(query: () => Question<'samples.order'>) {
  const order = useOperation('samples.order', query)
  /** A list that is asked for anew stays on screen until the answer is there. */
  const rows = shallowRef<readonly number[]>([])
  const seen = shallowRef<ReadonlyMap<number, SampleRow>>(new Map())
  const asked = new Set<number>()
  let generation = 0
  let sight: readonly [from: number, to: number] = [0, 0]

  watch(order.value, (next) => {
    if (next === null) return
    rows.value = next
    want(...sight)
  })
  useAnnouncement('dataset.changed', () => {
    order.refresh()
    // What is in sight is asked again and replaced when it comes; nothing flickers.
    generation++
    asked.clear()
    want(...sight)
  })
  let resting: ReturnType<typeof setTimeout> | null = null
  onScopeDispose(() => {
    generation++
    if (resting !== null) clearTimeout(resting)
  })

  /** Says which places are in sight. */
  function want(from: number, to: number): void {
    sight = [from, to]
    resting ??= setTimeout(askForSight, REST_MS)
  }
  /** Asks for what is in sight in whole blocks, so that the lines which come next are there before they are seen. */
  function askForSight(): void {
    resting = null
    const [from, to] = [Math.floor(sight[0] / BLOCK) * BLOCK, Math.ceil(sight[1] / BLOCK) * BLOCK]
    for (let at = from; at < to; at += BLOCK) {
      const missing = rows.value.slice(at, at + BLOCK).filter((row) => !asked.has(row))
      if (missing.length > 0) void load(missing)
    }
  }

  async function load(block: readonly number[]) {
    const turn = generation
    block.forEach((row) => asked.add(row))
    try {
      const found = await ask('samples.list', { rows: [...block] })
      if (turn !== generation) return
      // A new map, not the old one changed: the grid is given it as a property and draws when that is another.
      const isForgotten = seen.value.size > KEPT
      const next = new Map(isForgotten ? [] : seen.value)
      for (const each of found) next.set(each.row, each)
      seen.value = next
      if (isForgotten) {
        asked.clear()
        found.forEach(({ row }) => asked.add(row))
        want(...sight)
      }
    } catch {
      // Asked again when it next comes into sight; the list itself says what is wrong with the project.
      block.forEach((row) => asked.delete(row))
    }
  }

  return { rows, seen, error: order.error, pending: order.pending, want }
}
