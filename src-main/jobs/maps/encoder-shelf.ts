// Encoders that stay loaded between looks at pictures: whoever goes from one picture to the next waits for maps and not for weights.
// Of all together at most so many bytes are held, the longest unused goes first; one that is larger alone goes when its look is over.

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { openEncoder, type OpenedEncoder } from './open-encoder.ts'

export interface EncoderShelf {
  /**
   * The shelf's to dispose: it is valid until another is opened, or `trim`.
   * @param identity  of the folder's content: a folder that was written anew is opened anew
   * @throws LabError 'not-found', 'corrupt-artifact', 'invalid-input' for a folder that holds no encoder
   */
  open(project: string, folder: string, identity: string): Promise<OpenedEncoder>
  /** After a look: what does not fit is let go. */
  trim(): void
  /** Lets go of all, for work that needs the memory. */
  clear(): void
}

interface Held {
  readonly key: string
  readonly bytes: number
  readonly opened: OpenedEncoder
}

export function createEncoderShelf(mostBytes: number): EncoderShelf {
  /** The longest unused first. */
  let held: Held[] = []

  function letGo(until: number): void {
    while (held.length > 0 && held.reduce((sum, { bytes }) => sum + bytes, 0) > until) held.shift()!.opened.measured.dispose()
  }

  return {
    async open(project, folder, identity) {
      const key = JSON.stringify([project, folder, identity])
      const known = held.find((each) => each.key === key)
      if (known !== undefined) {
        held = [...held.filter((each) => each !== known), known]
        return known.opened
      }
      const bytes = await weightBytes(folder)
      letGo(Math.max(0, mostBytes - bytes))
      const opened = await openEncoder(project, folder)
      held.push({ key, bytes, opened })
      return opened
    },
    trim: () => letGo(mostBytes),
    clear: () => letGo(0),
  }
}

/** Of the files that hold a folder's weights; at least 1, so that nothing is held for nothing. */
async function weightBytes(folder: string): Promise<number> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.safetensors'))
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size))
  return sizes.reduce((sum, size) => sum + size, 1)
}
