// What the preload puts on `window`: two functions and nothing else.

import type { Announcement } from '../../src-preload/contract/events.ts'
import type { Reply } from '../../src-preload/contract/reply.ts'

declare global {
  interface Window {
    readonly lab: {
      ask(name: string, input?: unknown): Promise<Reply<unknown>>
      subscribe(listener: (announcement: Announcement) => void): () => void
    }
  }
}
