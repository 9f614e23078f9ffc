// Electron's entry: paths → compose → ipc → window. No logic. The app's `whenReady` is not awaited at the top level,
// because Electron never becomes ready while the entry module is still loading.

import { join } from 'node:path'
import { app, BrowserWindow, dialog } from 'electron'
import { composeLab, type Lab } from './compose.ts'
import { toFailure } from './domain/errors.ts'
import { createChosenPaths } from './ipc/chosen-paths.ts'
import { createHandlers } from './ipc/handlers.ts'
import { ANNOUNCE_CHANNEL, createPublisher } from './ipc/publish.ts'
import { registerHandlers } from './ipc/register.ts'
import { createUtilityProcessRunner } from './jobs/utility-process.ts'
import { newId, projectFolder } from './place.ts'
import { createDesktop } from './window/desktop.ts'
import { denyPermissions, installMenu, isOurAddress, openMainWindow, setTheme } from './window/main-window.ts'
import { declareSchemes, serveSchemes } from './window/schemes.ts'

const here = import.meta.dirname
const developmentUrl = app.isPackaged ? null : (process.env['ELECTRON_RENDERER_URL'] ?? null)

// Removes --no-sandbox, without which a process of root cannot start: only where it was not asked for.
if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox()
declareSchemes()
if (!app.requestSingleInstanceLock({ project: projectFolder(undefined) })) app.quit()
else void app.whenReady().then(boot).catch(refuse)

function boot(): void {
  const runner = createUtilityProcessRunner(join(here, 'process-entry.js'))
  const dataRunner = createUtilityProcessRunner(join(here, 'data-process-entry.js'))
  const lab = composeLab({
    project: projectFolder(app.commandLine.getSwitchValue('project') || undefined),
    access: 'write',
    program: 'the Pivot Lab window',
    presetFolder: join(app.getAppPath(), 'resources', 'presets'),
    runner: runner.run,
    dataRunner: dataRunner.run,
    diagnose: runner.diagnose,
    now: Date.now,
    newId,
    announce: createPublisher((announcement) => {
      for (const window of BrowserWindow.getAllWindows()) window.webContents.send(ANNOUNCE_CHANNEL, announcement)
    }),
  })
  const paths = createChosenPaths()
  registerHandlers(createHandlers(lab, createDesktop(), paths), paths, isOurAddress(developmentUrl))
  serveSchemes(join(here, '..', 'renderer'), { ofHash: lab.imageFile, ofTask: lab.zeroShot.imageFile })
  denyPermissions()
  installMenu()
  setTheme(lab.settings.get().theme)
  const open = () => openMainWindow({ preload: join(here, '..', 'preload', 'index.cjs'), developmentUrl })
  open()
  app.on('activate', () => {
    if (BrowserWindow.getAllWindows().length === 0) open()
  })
  app.on('second-instance', () => BrowserWindow.getAllWindows()[0]?.focus())
  app.on('window-all-closed', () => app.quit())
  closeBeforeQuitting(lab, () => {
    runner.close()
    dataRunner.close()
  })
}

/** Work under way is paused, so that it can be resumed, before the app goes. */
function closeBeforeQuitting(lab: Lab, closeRunner: () => void): void {
  let isClosed = false
  app.on('before-quit', (event) => {
    if (isClosed) return
    event.preventDefault()
    void lab.close().finally(() => {
      closeRunner()
      isClosed = true
      app.quit()
    })
  })
}

function refuse(thrown: unknown): void {
  dialog.showErrorBox('Pivot Lab cannot start', toFailure(thrown).message)
  app.exit(1)
}
