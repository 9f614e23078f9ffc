// Announcements of main, for as long as a component lives.

import { onScopeDispose } from 'vue'
import type { EventName } from '../../src-preload/contract/events.ts'
import { subscribe, type Announced } from './client.ts'

export function useAnnouncement<Name extends EventName>(name: Name, listener: (value: Announced<Name>) => void): void {
  onScopeDispose(subscribe(name, listener))
}
