// Announcements to the window are few, and the last of them is the truth.

import { describe, expect, it } from 'vitest'
import { createPublisher } from '../../src-main/ipc/publish.ts'
import type { Announcement } from '../../src-preload/contract/events.ts'

const changed = (runId: string): Announcement => ({ name: 'run.changed', value: { runId } })
const progress = (done: number): Announcement => ({
  name: 'job.progress',
  value: {
    studyId: 's',
    runId: 'r',
    phaseId: null,
    title: '',
    part: '',
    done,
    of: 9,
    elapsedMs: 0,
    leftMs: null,
    share: 0,
    totalLeftMs: null,
  },
})

function aPublisher() {
  const clock = { ms: 0 }
  const sent: Announcement[] = []
  const timers: { readonly at: number; readonly work: () => void }[] = []
  const publish = createPublisher((announcement) => void sent.push(announcement), {
    now: () => clock.ms,
    later: (work, ms) => void timers.push({ at: clock.ms + ms, work }),
  })
  const passTo = (ms: number) => {
    clock.ms = ms
    for (const timer of timers.splice(0)) timer.at <= ms ? timer.work() : timers.push(timer)
  }
  return { publish, sent, passTo }
}

describe('the publisher', () => {
  it('sends the first at once, then at most ten a second for each run', () => {
    const { publish, sent, passTo } = aPublisher()
    for (let ms = 0; ms < 1000; ms += 5) {
      passTo(ms)
      publish(changed('a'))
    }
    expect(sent.length).toBeGreaterThanOrEqual(9)
    expect(sent.length).toBeLessThanOrEqual(11)
  })

  it('always sends the last one, with what it last said', () => {
    const { publish, sent, passTo } = aPublisher()
    for (const done of [1, 2, 3]) publish(progress(done))
    passTo(100)
    expect(sent).toEqual([progress(1), progress(3)])
    passTo(1000)
    expect(sent).toHaveLength(2)
  })

  it('holds nothing back for another run', () => {
    const { publish, sent } = aPublisher()
    publish(changed('a'))
    publish(changed('b'))
    expect(sent).toEqual([changed('a'), changed('b')])
  })
})
