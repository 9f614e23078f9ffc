import { expect, it } from 'vitest'
import { createDataTaskService, type TaskWork } from '../../src-main/services/data-tasks.ts'
import type { Parts } from '../../src-main/services/parts.ts'
import { createWorkQueue } from '../../src-main/services/work-queue.ts'
import { openForWriting } from '../../src-main/store/database.ts'
import { createStore } from '../../src-main/store/store.ts'

it('tells the time left of all the pieces of a task, not of its present part, once one has ended', async () => {
  let [clock, ids] = [1000, 0]
  const store = createStore(openForWriting(':memory:', 'a test'))
  const tasks = createDataTaskService({ store, queue: createWorkQueue(), now: () => clock, newId: (kind: string) => `${kind}-${++ids}`, announce: () => {} } as unknown as Parts)
  const left: (number | null)[] = []
  tasks.define('benchmark', () => ({
    title: 'four pieces',
    work: async ({ taskId, piece, progress }: TaskWork) => {
      const told = (elapsedMs: number) => {
        clock += elapsedMs
        left.push(tasks.get(taskId).leftMs)
      }
      piece(1, 4)
      progress('training', 1, 2)
      told(60)
      clock += 40
      piece(2, 4)
      progress('training', 1, 100)
      told(30)
      // Found done already.
      clock += 70
      piece(3, 4)
      clock += 1
      piece(4, 4)
      told(0)
      told(250)
      return { kind: 'benchmark', evaluations: 4, reused: 0, failures: [] }
    },
  }))
  const { taskId } = tasks.start({ kind: 'benchmark', encoders: ['a'], datasets: ['b'], settings: { suffix: null, maxNewTokens: 8, limit: null, seed: 0, batchSize: 1 } })
  await tasks.ended(taskId)
  // Each takes 100: of four, 270 are left 30 after the second began.
  expect(left).toEqual([null, 270, 100, 0])
  expect(tasks.get(taskId)).toMatchObject({ status: 'finished', leftMs: null })
})
