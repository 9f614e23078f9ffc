// The lab's window: sandboxed, isolated, unable to go anywhere or to open anything.

import { BrowserWindow, Menu, nativeTheme, session, type MenuItemConstructorOptions } from 'electron'
import type { Theme } from '../domain/settings.ts'
import { APP_ORIGIN } from './policy.ts'

export interface WindowParts {
  readonly preload: string
  /** Development server; null: the built pages. */
  readonly developmentUrl: string | null
}

export function isOurAddress(developmentUrl: string | null): (url: string) => boolean {
  return (url) => url.startsWith(`${APP_ORIGIN}/`) || (developmentUrl !== null && url.startsWith(developmentUrl))
}

export function openMainWindow({ preload, developmentUrl }: WindowParts): BrowserWindow {
  const window = new BrowserWindow({
    width: 1440,
    height: 900,
    minWidth: 960,
    minHeight: 640,
    show: false,
    title: 'Pivot Lab',
    backgroundColor: nativeTheme.shouldUseDarkColors ? '#14171c' : '#ffffff',
    webPreferences: {
      preload,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webSecurity: true,
      spellcheck: false,
    },
  })
  const isOurs = isOurAddress(developmentUrl)
  window.webContents.setWindowOpenHandler(() => ({ action: 'deny' }))
  window.webContents.on('will-navigate', (event, url) => {
    if (!isOurs(url)) event.preventDefault()
  })
  window.webContents.on('will-attach-webview', (event) => event.preventDefault())
  window.once('ready-to-show', () => window.show())
  void window.loadURL(developmentUrl ?? `${APP_ORIGIN}/index.html`)
  return window
}

/** Denies every permission but writing text to the clipboard: the lab needs no camera, place, clipboard reading or notification. */
export function denyPermissions(): void {
  const isAllowed = (permission: string) => permission === 'clipboard-sanitized-write'
  session.defaultSession.setPermissionRequestHandler((_contents, permission, decide) => decide(isAllowed(permission)))
  session.defaultSession.setPermissionCheckHandler((_contents, permission) => isAllowed(permission))
}

export function setTheme(theme: Theme): void {
  nativeTheme.themeSource = theme
}

export function installMenu(): void {
  const template: MenuItemConstructorOptions[] = [
    ...(process.platform === 'darwin' ? [{ role: 'appMenu' } as const] : []),
    { label: 'File', submenu: [{ role: process.platform === 'darwin' ? 'close' : 'quit' }] },
    { role: 'editMenu' },
    {
      label: 'View',
      submenu: [
        { role: 'reload' },
        { role: 'toggleDevTools' },
        { type: 'separator' },
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { role: 'togglefullscreen' },
      ],
    },
    { role: 'windowMenu' },
  ]
  Menu.setApplicationMenu(Menu.buildFromTemplate(template))
}
