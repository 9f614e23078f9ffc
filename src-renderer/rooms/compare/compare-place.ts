// Where one is in this room, written in the address: the page, the encoders that are compared in their order, and on some
// pages the number and the item that are looked at. A reload, or an address kept in a note, comes back to the same view.

import { computed } from 'vue'
import { goTo, route } from '../../lab/route.ts'

export const PAGES = ['result', 'items', 'maps', 'representation', 'transplant', 'gradients', 'sweeps', 'benchmarks'] as const
export type Page = (typeof PAGES)[number]
export const PAGE_LABELS: Readonly<Record<Page, string>> = {
  result: 'Result',
  items: 'Who sees better',
  maps: 'Maps',
  representation: 'Representation',
  transplant: 'Transplant',
  gradients: 'Gradients',
  sweeps: 'Sweeps',
  benchmarks: 'Benchmarks',
}

export interface ComparePlace {
  readonly page: Page
  /** null: the address says nothing of them, and those compared last are taken. */
  readonly encoders: readonly string[] | null
  /** A row of the table (`ComparedRow.id`). */
  readonly row: string | null
  readonly item: string | null
}

export function parsePlace(id: string | null, section: string | null): ComparePlace {
  const fields = new URLSearchParams(section ?? '')
  const encoders = [...new Set(fields.getAll('e'))]
  return {
    page: PAGES.find((page) => page === id) ?? 'result',
    encoders: encoders.length === 0 ? null : encoders,
    row: fields.get('row'),
    item: fields.get('item'),
  }
}

export function placeSection({ encoders, row, item }: Omit<ComparePlace, 'page'>): string | null {
  const fields = new URLSearchParams((encoders ?? []).map((id) => ['e', id]))
  if (row !== null) fields.set('row', row)
  if (item !== null) fields.set('item', item)
  return fields.size === 0 ? null : fields.toString()
}

/** Those to begin with: the ones compared last, else the arms of the newest study with results, the start first. */
export function firstEncoders(
  known: readonly { readonly id: string; readonly kind: string; readonly studyId: string | null; readonly results: number; readonly createdAtMs: number }[],
  last: readonly string[],
): readonly string[] {
  const kept = last.filter((id) => known.some((encoder) => encoder.id === id))
  if (kept.length >= 2) return kept
  const arms = known.filter(({ kind, results }) => kind === 'arm' && results > 0)
  const newest = arms.toSorted((a, b) => b.createdAtMs - a.createdAtMs)[0]
  return arms.filter(({ studyId }) => studyId === newest?.studyId).map(({ id }) => id)
}

export const place = computed(() => parsePlace(route.value.id, route.value.section))

/** What is not given stays as it is; a new page forgets the item, which is another page's. */
export function goToPlace(next: Partial<ComparePlace>): void {
  const kept = next.page === undefined || next.page === place.value.page ? place.value : { ...place.value, item: null }
  const { page, ...rest } = { ...kept, ...next }
  goTo('compare', page, placeSection(rest))
}

const KEPT = 'compare: encoders'

export function keepEncoders(ids: readonly string[]): void {
  localStorage.setItem(KEPT, JSON.stringify(ids))
}

export function keptEncoders(): readonly string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEPT) ?? '[]')
    return Array.isArray(kept) ? kept.filter((id) => typeof id === 'string') : []
  } catch {
    return []
  }
}
