// The only use of ipcMain. Answers the top frame of our own windows and nobody else.

import { ipcMain, type IpcMainInvokeEvent } from 'electron'
import type { Handlers } from '../../src-preload/contract/operations.ts'
import type { Reply } from '../../src-preload/contract/reply.ts'
import { answer } from './answer.ts'

export const ASK_CHANNEL = 'lab:ask'

/** `isOurs` says whether an origin is one that our own pages have. */
export function registerHandlers(handlers: Handlers, isOurs: (url: string) => boolean): void {
  ipcMain.handle(ASK_CHANNEL, async (event, name: unknown, input: unknown): Promise<Reply<unknown>> => {
    if (!isTopFrameOfOurs(event, isOurs))
      return { ok: false, failure: { code: 'internal', message: 'asked from a page that is not the lab’s', details: {} } }
    return answer(handlers, name, input)
  })
}

function isTopFrameOfOurs(event: IpcMainInvokeEvent, isOurs: (url: string) => boolean): boolean {
  const frame = event.senderFrame
  return frame !== null && frame.parent === null && isOurs(frame.url)
}
