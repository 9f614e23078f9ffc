// Where the person is: a room, a thing in it, and a section of that thing, written in the address after '#', so that a
// reload comes back to the same place. `#/study/<id>/results`.

import { ref } from 'vue'

export const ROOMS = ['study', 'compare', 'runs', 'models', 'data', 'labelling', 'doctor'] as const
export type Room = (typeof ROOMS)[number]

export interface Route {
  readonly room: Room
  readonly id: string | null
  readonly section: string | null
}

export function parseRoute(hash: string): Route {
  const [room, id, section] = hash
    .replace(/^#?\/?/, '')
    .split('/')
    .map(decodeURIComponent)
  return { room: ROOMS.find((each) => each === room) ?? 'study', id: id || null, section: section || null }
}

export function toHash(room: Room, id: string | null = null, section: string | null = null): string {
  return `#/${[room, id, section]
    .filter((part) => part !== null)
    .map(encodeURIComponent)
    .join('/')}`
}

export const route = ref<Route>(parseRoute(globalThis.location?.hash ?? ''))

export function goTo(room: Room, id: string | null = null, section: string | null = null): void {
  location.hash = toHash(room, id, section)
}

export function followAddress(): void {
  addEventListener('hashchange', () => {
    route.value = parseRoute(location.hash)
  })
}
