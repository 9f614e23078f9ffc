// The bridge: two functions on one channel each, for the names of the contract and no others, and one for files that were
// dropped: their paths are read here, from files that only a person's own drop can make. Electron's event object never
// reaches the window.

import './jitless.ts'
import { contextBridge, ipcRenderer, webUtils, type IpcRendererEvent } from 'electron'
import type { Announcement } from './contract/events.ts'
import { operations } from './contract/operations.ts'
import type { Reply } from './contract/reply.ts'

contextBridge.exposeInMainWorld('lab', {
  async ask(name: string, input?: unknown): Promise<Reply<unknown>> {
    if (!Object.hasOwn(operations, name))
      return { ok: false, failure: { code: 'internal', message: `unknown operation '${name}'`, details: {} } }
    return ipcRenderer.invoke('lab:ask', name, input)
  },
  /** Lets main know a dropped file or folder as chosen by the person; answers its path, null where it has none. */
  async drop(file: File): Promise<Reply<{ readonly path: string } | null>> {
    const path = webUtils.getPathForFile(file)
    return path === '' ? { ok: true, value: null } : ipcRenderer.invoke('lab:drop', path)
  },
  subscribe(listener: (announcement: Announcement) => void): () => void {
    const relay = (_event: IpcRendererEvent, announcement: Announcement) => listener(announcement)
    ipcRenderer.on('lab:announce', relay)
    return () => ipcRenderer.off('lab:announce', relay)
  },
})
