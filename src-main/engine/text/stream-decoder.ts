// Tokens to text as they come. A token may end in the middle of a character, and where a word begins is known only beside
// the token before; so text is handed out when nothing that follows can change it. A stop string ends the answer before it.

import type { ChatTokenizer } from './tokenizer.ts'

export interface StreamDecoder {
  /** The text that a further token makes certain; often none. Nothing more once `hasStopped`. */
  push(id: number): string
  /** What was held back, when no token follows. */
  end(): string
  /** A stop string came. */
  readonly hasStopped: boolean
}

/** What decoding makes of bytes that are no whole character. */
const REPLACEMENT = '\uFFFD'

/** @param stops  each ends the answer, and is not part of it */
export function createStreamDecoder(tokenizer: Pick<ChatTokenizer, 'decode'>, stops: readonly string[] = []): StreamDecoder {
  const ids: number[] = []
  // Tokens from `context` are decoded together; the text of those before `done` was taken already.
  let [context, done] = [0, 0]
  let held = ''
  let hasStopped = false

  /** Takes `text` in and hands out what no stop string can begin in. */
  function release(text: string, isLast: boolean): string {
    held += text
    const at = Math.min(...stops.map((stop) => held.indexOf(stop)).filter((index) => index >= 0))
    if (Number.isFinite(at)) {
      hasStopped = true
      return held.slice(0, at)
    }
    const keep = isLast ? 0 : Math.max(0, ...stops.map((stop) => overlap(held, stop)))
    const out = held.slice(0, held.length - keep)
    held = held.slice(held.length - keep)
    return out
  }

  function take(isLast: boolean): string {
    const before = tokenizer.decode(ids.slice(context, done))
    const all = tokenizer.decode(ids.slice(context))
    if (!isLast && all.endsWith(REPLACEMENT)) return ''
    ;[context, done] = [done, ids.length]
    return all.slice(before.length)
  }

  return {
    push(id) {
      if (hasStopped) return ''
      ids.push(id)
      return release(take(false), false)
    },
    end: () => (hasStopped ? '' : release(take(true), true)),
    get hasStopped() {
      return hasStopped
    },
  }
}

/** Length of the longest end of `text` that `stop` begins with. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) if (text.endsWith(stop.slice(0, length))) return length
  return 0
}
