// One piece of long work at a time: the machine has one engine, and two trainings at once would halve both and spoil
// every time that is left.

export interface WorkQueue {
  /** Runs `work` when all that came before has ended; the promise ends with it. */
  add(work: () => Promise<void>): Promise<void>
  /** Resolves when nothing is left to do. */
  idle(): Promise<void>
}

/** What `work` gives, once its turn has come. */
export async function inTurn<T>(queue: WorkQueue, work: () => Promise<T>): Promise<T> {
  let result: { readonly value: T } | undefined
  await queue.add(async () => {
    result = { value: await work() }
  })
  return result!.value
}

export function createWorkQueue(): WorkQueue {
  let last: Promise<unknown> = Promise.resolve()
  return {
    add(work) {
      const mine = last.then(work)
      // A failed piece must not stop the next; its own promise still tells.
      last = mine.catch(() => {})
      return mine
    },
    async idle() {
      await last
    },
  }
}
