// What the operations need of the desktop: dialogs, opening a file, the file manager, the theme.

import { app, BrowserWindow, dialog, shell, type OpenDialogOptions } from 'electron'
import { LabError } from '../domain/errors.ts'
import type { Theme } from '../domain/settings.ts'
import { setTheme } from './main-window.ts'

export function createDesktop() {
  async function choose(options: OpenDialogOptions): Promise<string | null> {
    const parent = BrowserWindow.getFocusedWindow() ?? BrowserWindow.getAllWindows()[0]
    const { canceled, filePaths } = await (parent === undefined
      ? dialog.showOpenDialog(options)
      : dialog.showOpenDialog(parent, options))
    return canceled ? null : (filePaths[0] ?? null)
  }
  return {
    version: app.getVersion(),
    chooseFolder: (title: string) => choose({ title, properties: ['openDirectory', 'createDirectory'] }),
    chooseFile: (title: string, extensions: readonly string[]) =>
      choose({
        title,
        properties: ['openFile'],
        filters: extensions.length === 0 ? [] : [{ name: extensions.join(', '), extensions: [...extensions] }],
      }),
    async openFile(path: string): Promise<void> {
      const fault = await shell.openPath(path)
      if (fault !== '')
        throw new LabError('invalid-input', `${path} was written, but no program opened it (${fault}). Open it by hand.`, {
          path,
        })
    },
    showInFolder: (path: string): void => shell.showItemInFolder(path),
    setTheme: (theme: Theme): void => setTheme(theme),
  }
}
