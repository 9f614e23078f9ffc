// What the preload puts on `window`: three functions and nothing else.

import type { Announcement } from '../../src-preload/contract/events.ts'
import type { Reply } from '../../src-preload/contract/reply.ts'

declare global {
  interface Window {
    readonly lab: {
      ask(name: string, input?: unknown): Promise<Reply<unknown>>
      drop(file: File): Promise<Reply<{ readonly path: string } | null>>
      subscribe(listener: (announcement: Announcement) => void): () => void
    }
  }
}
