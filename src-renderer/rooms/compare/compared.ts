// The encoders that are compared, for every page of the room: the list of the project, those chosen, and the two of them that
// are set against each other where only two can be.

import { computed, inject, provide, ref, watch, type InjectionKey } from 'vue'
import type { EncoderRow } from '../../../src-main/domain/encoder.ts'
import { useAnnouncement } from '../../lab/use-announcements.ts'
import { useOperation } from '../../lab/use-operation.ts'
import { firstEncoders, goToPlace, keepEncoders, keptEncoders, place } from './compare-place.ts'

export type Compared = ReturnType<typeof createCompared>
const key: InjectionKey<Compared> = Symbol('compared encoders')

function createCompared() {
  const list = useOperation('encoders.list', () => undefined)
  // Encoders appear, and are measured, as runs and studies go on.
  useAnnouncement('study.changed', () => list.refresh())
  useAnnouncement('run.changed', () => list.refresh())

  const known = computed((): readonly EncoderRow[] => list.value.value ?? [])
  const last = ref(keptEncoders())
  const ids = computed(() => {
    const wanted = place.value.encoders ?? firstEncoders(known.value, last.value)
    return wanted.filter((id) => known.value.some((encoder) => encoder.id === id))
  })
  const encoders = computed(() => ids.value.map((id) => known.value.find((encoder) => encoder.id === id)!))
  const byId = (id: string): EncoderRow | null => known.value.find((encoder) => encoder.id === id) ?? null

  function choose(next: readonly string[]) {
    last.value = [...next]
    keepEncoders(next)
    goToPlace({ encoders: next })
  }

  // The last two of the list: of a study's three, the arms.
  const a = ref<string | null>(null)
  const b = ref<string | null>(null)
  watch(
    ids,
    (now) => {
      if (a.value === null || !now.includes(a.value) || b.value === null || !now.includes(b.value)) {
        a.value = now.at(-2) ?? null
        b.value = now.at(-1) ?? null
      }
    },
    { immediate: true },
  )
  /** The pair with its sides changed over. */
  const swap = () => ([a.value, b.value] = [b.value, a.value])
  const sideA = computed(() => (a.value === null ? null : byId(a.value)))
  const sideB = computed(() => (b.value === null ? null : byId(b.value)))

  /** Seeds that any of the compared encoders stands for, in order. */
  const seeds = computed(() => [...new Set(encoders.value.flatMap((encoder) => encoder.seeds))].sort((x, y) => x - y))
  const seed = ref<number | null>(null)
  watch(seeds, (now) => (seed.value = seed.value !== null && now.includes(seed.value) ? seed.value : (now[0] ?? null)), { immediate: true })
  /** The one set of weights that an encoder is looked at with: of an arm, that of the chosen seed. */
  function memberOf(encoder: EncoderRow): EncoderRow | null {
    if (encoder.kind !== 'arm') return encoder
    const members = encoder.members.flatMap((id) => byId(id) ?? [])
    return members.find((member) => member.seeds.includes(seed.value ?? NaN)) ?? members[0] ?? null
  }

  /** An encoder as it is shown: one of an arm's sets of weights has the arm's mark. */
  function shownAs(id: string): EncoderRow | null {
    const own = byId(id)
    const arm = known.value.find(({ kind, members }) => kind === 'arm' && members.includes(id))
    return own === null || arm === undefined ? own : { ...own, colour: arm.colour }
  }

  return { seeds, seed, memberOf, shownAs, list, known, ids, encoders, byId, choose, a, b, sideA, sideB, swap }
}

export function provideCompared(): Compared {
  const compared = createCompared()
  provide(key, compared)
  return compared
}

export function useCompared(): Compared {
  const compared = inject(key)
  if (compared === undefined) throw new Error('useCompared is called outside the Compare room')
  return compared
}
