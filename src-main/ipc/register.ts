// The only use of ipcMain. Answers the top frame of our own windows and nobody else.

import { ipcMain, type IpcMainInvokeEvent } from 'electron'
import type { Handlers } from '../../src-preload/contract/operations.ts'
import type { Reply } from '../../src-preload/contract/reply.ts'
import { answer } from './answer.ts'
import type { ChosenPaths } from './chosen-paths.ts'

export const ASK_CHANNEL = 'lab:ask'
/** Not in the contract: only the preload, which reads the path off a dropped file, may speak on it. */
export const DROP_CHANNEL = 'lab:drop'

/** `isOurs` says whether an origin is one that our own pages have. */
export function registerHandlers(handlers: Handlers, paths: ChosenPaths, isOurs: (url: string) => boolean): void {
  ipcMain.handle(ASK_CHANNEL, async (event, name: unknown, input: unknown): Promise<Reply<unknown>> => {
    return isTopFrameOfOurs(event, isOurs) ? answer(handlers, name, input) : notOurs
  })
  ipcMain.handle(DROP_CHANNEL, (event, path: unknown): Reply<unknown> => {
    return isTopFrameOfOurs(event, isOurs) ? { ok: true, value: paths.remember(String(path)) } : notOurs
  })
}

const notOurs: Reply<unknown> = {
  ok: false,
  failure: { code: 'internal', message: 'asked from a page that is not the lab’s', details: {} },
}

function isTopFrameOfOurs(event: IpcMainInvokeEvent, isOurs: (url: string) => boolean): boolean {
  const frame = event.senderFrame
  return frame !== null && frame.parent === null && isOurs(frame.url)
}
