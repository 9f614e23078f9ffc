// The bridge: two functions on one channel each, for the names of the contract and no others. Electron's event object
// never reaches the window.

import './jitless.ts'
import { contextBridge, ipcRenderer, type IpcRendererEvent } from 'electron'
import type { Announcement } from './contract/events.ts'
import { operations } from './contract/operations.ts'
import type { Reply } from './contract/reply.ts'

contextBridge.exposeInMainWorld('lab', {
  async ask(name: string, input?: unknown): Promise<Reply<unknown>> {
    if (!Object.hasOwn(operations, name))
      return { ok: false, failure: { code: 'internal', message: `unknown operation '${name}'`, details: {} } }
    return ipcRenderer.invoke('lab:ask', name, input)
  },
  subscribe(listener: (announcement: Announcement) => void): () => void {
    const relay = (_event: IpcRendererEvent, announcement: Announcement) => listener(announcement)
    ipcRenderer.on('lab:announce', relay)
    return () => ipcRenderer.off('lab:announce', relay)
  },
})
