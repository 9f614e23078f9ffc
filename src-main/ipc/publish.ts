// Announcements to the windows, at most ten a second for each thing they are about. The last one always arrives, so that
// a window that asks on every nudge ends up with the truth.

import type { Announce, Announcement } from '../../src-preload/contract/events.ts'

export const ANNOUNCE_CHANNEL = 'lab:announce'
const MIN_MS_BETWEEN = 100

export interface Timers {
  readonly now: () => number
  readonly later: (work: () => void, ms: number) => void
}

/** `send` posts to every window that is open. */
export function createPublisher(
  send: Announce,
  { now, later }: Timers = { now: Date.now, later: (work, ms) => void setTimeout(work, ms) },
): Announce {
  const lastSent = new Map<string, number>()
  const waiting = new Map<string, Announcement>()
  return (announcement) => {
    const key = keyOf(announcement)
    const isWaiting = waiting.has(key)
    const sinceLast = now() - (lastSent.get(key) ?? -Infinity)
    if (!isWaiting && sinceLast >= MIN_MS_BETWEEN) {
      lastSent.set(key, now())
      return send(announcement)
    }
    waiting.set(key, announcement)
    if (isWaiting) return
    later(() => {
      const last = waiting.get(key)!
      waiting.delete(key)
      lastSent.set(key, now())
      send(last)
    }, MIN_MS_BETWEEN - sinceLast)
  }
}

function keyOf(announcement: Announcement): string {
  switch (announcement.name) {
    case 'run.changed':
      return `${announcement.name} ${announcement.value.runId}`
    case 'study.changed':
      return `${announcement.name} ${announcement.value.studyId}`
    case 'dataset.changed':
      return `${announcement.name} ${announcement.value.datasetId}`
    case 'samples.changing':
      return announcement.name
    case 'labelling.changed':
      return `${announcement.name} ${announcement.value.queueId}`
    case 'answer.changed':
      return `${announcement.name} ${announcement.value.answerId}`
    case 'task.changed':
      return `${announcement.name} ${announcement.value.taskId}`
    case 'maps.changed':
      return announcement.name
    case 'job.progress':
      return `${announcement.name} ${announcement.value.studyId} ${announcement.value.runId}`
  }
}
