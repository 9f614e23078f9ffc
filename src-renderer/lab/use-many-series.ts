// Logged values of several runs at once, each asked again when that run changes and at most every half second.

import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue'
import type { Series } from '../../src-main/domain/run-view.ts'
import { ask } from './client.ts'
import { useAnnouncement } from './use-announcements.ts'

const SPACING_MS = 500

export function useManySeries(
  runIds: () => readonly string[],
  names: readonly string[],
  points = 600,
): ShallowRef<ReadonlyMap<string, readonly Series[]>> {
  const answered = shallowRef<ReadonlyMap<string, readonly Series[]>>(new Map())
  const waiting = new Map<string, ReturnType<typeof setTimeout>>()
  let isGone = false

  async function fetchOne(runId: string) {
    try {
      const series = await ask('metrics.series', { runId, names: [...names], points })
      if (!isGone && runIds().includes(runId)) answered.value = new Map(answered.value).set(runId, series)
    } catch {
      // A run that was deleted meanwhile has no curve; whoever lists the runs says so.
    }
  }

  useAnnouncement('run.changed', ({ runId }) => {
    if (!runIds().includes(runId) || waiting.has(runId)) return
    waiting.set(
      runId,
      setTimeout(() => {
        waiting.delete(runId)
        void fetchOne(runId)
      }, SPACING_MS),
    )
  })
  watch(
    () => runIds().join(' '),
    () => {
      const wanted = new Set(runIds())
      answered.value = new Map([...answered.value].filter(([runId]) => wanted.has(runId)))
      for (const runId of wanted) if (!answered.value.has(runId)) void fetchOne(runId)
    },
    { immediate: true },
  )
  onScopeDispose(() => {
    isGone = true
    waiting.forEach((timer) => clearTimeout(timer))
  })
  return answered
}
