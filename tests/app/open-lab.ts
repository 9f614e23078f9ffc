// The built app on a project of its own, as a person would have it: real main, real preload, real pages. Everything is
// thrown away at the end. Needs a screen (DISPLAY) and the build in out/; `npm test` provides both.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { _electron, type ElectronApplication, type Page } from 'playwright-core'

const project = resolve(import.meta.dirname, '../..')

export interface OpenLab {
  readonly app: ElectronApplication
  readonly page: Page
  readonly folder: string
  /** What the pages complained about: console errors, exceptions, refused resources. */
  readonly complaints: readonly string[]
}

export interface LabFolder {
  readonly folder: string
  open(size?: { readonly width: number; readonly height: number }): Promise<OpenLab>
  remove(): Promise<void>
}

/**
 * A fresh project folder, in which the lab may be opened, closed and opened again.
 * @param projectFolder  a project that is there already; it is opened as it is and not removed
 */
export async function makeLabFolder(projectFolder: string | null = null): Promise<LabFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'pivot-lab-app-'))
  const apps: ElectronApplication[] = []
  return {
    folder,
    async open(size = { width: 1280, height: 800 }) {
      const app = await _electron.launch({
        // Without executablePath: with one, Playwright leaves out the loader that holds back `ready`.
        args: [
          '.',
          '--disable-gpu',
          `--user-data-dir=${join(folder, 'user-data')}`,
          `--project=${projectFolder ?? join(folder, 'project')}`,
          ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        ],
        cwd: project,
        timeout: 20_000,
        // Playwright would otherwise pretend a light scheme whatever the lab is set to.
        colorScheme: null,
      } as Parameters<typeof _electron.launch>[0])
      apps.push(app)
      const page = await app.firstWindow()
      const complaints: string[] = []
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
      page.on('pageerror', (error) => complaints.push(String(error)))
      await app.evaluate(
        ({ BrowserWindow }, { width, height }) => BrowserWindow.getAllWindows()[0]?.setContentSize(width, height),
        size,
      )
      await page.waitForSelector('.room h1')
      return { app, page, folder, complaints }
    },
    async remove() {
      for (const app of apps) await app.close().catch(() => {})
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Goes to an address of the window, as a link would. */
export async function goTo(page: Page, hash: string): Promise<void> {
  await page.evaluate((next) => (location.hash = next), hash)
}

/** Asks main over the real bridge; fails with main's own message. */
export async function ask<T>(page: Page, name: string, input?: unknown): Promise<T> {
  const reply = await page.evaluate(([name, input]) => (window as any).lab.ask(name, input), [name, input] as const)
  if (!reply.ok) throw new Error(`${name}: ${reply.failure.code}: ${reply.failure.message}`)
  return reply.value as T
}
