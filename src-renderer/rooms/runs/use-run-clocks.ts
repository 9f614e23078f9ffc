// How long each run had worked at each of its steps, in minutes; asked once a run, and again while it trains.

import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue'
import type { Point } from '../../charts/smoothing.ts'
import { ask } from '../../lab/client.ts'
import { useAnnouncement } from '../../lab/use-announcements.ts'

const SPACING_MS = 1000

export function useRunClocks(runIds: () => readonly string[]): ShallowRef<ReadonlyMap<string, readonly Point[]>> {
  const clocks = shallowRef<ReadonlyMap<string, readonly Point[]>>(new Map())
  const waiting = new Map<string, ReturnType<typeof setTimeout>>()
  async function fetchOne(runId: string) {
    // A run that was deleted meanwhile has no clock; whoever lists the runs says so.
    const clock = await ask('metrics.clock', { runId }).catch(() => [])
    clocks.value = new Map(clocks.value).set(runId, clock.map(([step, seconds]): Point => [step, seconds / 60]))
  }
  watch(() => runIds().join(' '), () => runIds().forEach((runId) => clocks.value.has(runId) || void fetchOne(runId)), { immediate: true })
  useAnnouncement('run.changed', ({ runId }) => {
    if (!runIds().includes(runId) || waiting.has(runId)) return
    waiting.set(runId, setTimeout(() => (waiting.delete(runId), void fetchOne(runId)), SPACING_MS))
  })
  onScopeDispose(() => waiting.forEach((timer) => clearTimeout(timer)))
  return clocks
}
