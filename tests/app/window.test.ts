// The window itself, on a project that holds nothing: it opens, is reached by keys, keeps its policy, and can be read by
// everybody in both colour schemes.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { seriousFaults } from './accessibility.ts'
import { ask, goTo, makeLabFolder, type LabFolder, type OpenLab } from './open-lab.ts'

let folder: LabFolder
let lab: OpenLab

beforeAll(async () => {
  folder = await makeLabFolder()
  lab = await folder.open()
}, 60_000)
afterAll(() => folder?.remove(), 30_000)

it('opens, says what it is for, and lists what the project holds: nothing yet', async () => {
  const { page } = lab
  await page.getByRole('heading', { name: /which training teaches/i }).waitFor()
  for (const preset of await ask<readonly { title: string }[]>(page, 'presets.list'))
    expect(await page.getByRole('heading', { name: preset.title, exact: true }).count()).toBe(1)
  await goTo(page, '#/runs')
  await page.getByRole('heading', { name: 'No runs yet' }).waitFor()
  await goTo(page, '#/data')
  await page.getByRole('heading', { name: 'No data yet' }).waitFor()
})

it('goes to every room by its key', async () => {
  const { page } = lab
  for (const [key, room] of [
    ['2', 'Compare'],
    ['3', 'Runs'],
    ['4', 'Models'],
    ['5', 'Data'],
    ['6', 'Labelling'],
    ['7', 'Doctor'],
    ['1', 'Study'],
  ] as const) {
    await page.keyboard.press(`Control+${key}`)
    await page.getByRole('heading', { level: 1, name: room }).waitFor()
  }
})

it('finds a room from a few typed letters, and lets go of the keyboard again', async () => {
  const { page } = lab
  await page.keyboard.press('Control+k')
  await page.getByPlaceholder('A room, a study, a run, an action').fill('doct')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'Doctor' }).waitFor()
  expect(await page.getByRole('dialog').count()).toBe(0)
})

it('shows its keys on a question mark, but not while a text field has the focus', async () => {
  const { page } = lab
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keys' }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await goTo(page, '#/study/new')
  await page.getByLabel('Name').first().click()
  await page.keyboard.type('?')
  expect(await page.getByRole('dialog').count()).toBe(0)
})

it('tells what the machine offers, each fault with a remedy that can be copied', async () => {
  const { page } = lab
  await goTo(page, '#/doctor')
  await page.locator('.check').first().waitFor({ timeout: 60_000 })
  const report = await ask<{ checks: readonly { id: string; title: string; found: string; remedy: string | null }[] }>(page, 'doctor.run')
  const found = (id: string) => report.checks.find((check) => check.id === id)!.found
  // Tried there and then, in the process that the app forks for jobs.
  expect(found('steps')).toMatch(found('engine').startsWith('TensorFlow 2') ? /^compile as TensorFlow graphs, and by XLA/ : /^run eagerly/)
  for (const check of report.checks) await page.getByRole('heading', { name: check.title, exact: true }).waitFor()
  expect(await page.getByRole('button', { name: 'Copy the remedy' }).count()).toBe(
    report.checks.filter((check) => check.remedy !== null).length,
  )
}, 120_000)

it('copies the doctor’s report to the clipboard', async () => {
  const { page, app } = lab
  await page.getByRole('button', { name: 'Copy the whole report' }).click()
  await page.getByRole('status').filter({ hasText: 'Copied' }).first().waitFor({ state: 'attached' })
  const first = await page.locator('.check h3').first().innerText()
  expect(await app.evaluate(({ clipboard }) => clipboard.readText())).toContain(first)
})

it('names the wrong field of a study at that field, with the range that is allowed', async () => {
  const { page } = lab
  await goTo(page, '#/study/new')
  await page.getByLabel('Name').first().fill('wrong seeds')
  const seeds = page.locator('[data-field="seeds"]')
  await seeds.locator('input').fill('-1')
  await page.keyboard.press('Tab')
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await seeds.getByRole('alert').waitFor()
  expect(await seeds.getByRole('alert').innerText()).toMatch(/seeds.*(-1|>=\s*0)/)
  expect(await ask(page, 'studies.list')).toEqual([])
})

it('keeps the chosen colours in the database: another start shows the same', async () => {
  await lab.page.getByRole('button', { name: /^Colours/ }).click()
  await lab.page.getByRole('button', { name: /^Colours: light/ }).waitFor()
  await lab.page.getByRole('button', { name: /^Colours/ }).click()
  await lab.page.getByRole('button', { name: /^Colours: dark/ }).waitFor()
  await lab.app.close()
  lab = await folder.open()
  await lab.page.getByRole('button', { name: /^Colours: dark/ }).waitFor()
  expect(await lab.page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)).toBe('dark')
}, 60_000)

it('refuses code from text, foreign scripts and foreign pages', async () => {
  const { page } = lab
  // page.evaluate itself stands above the policy; a timer in the page does not.
  const verdict = await page.evaluate(
    () =>
      new Promise<string>((resolve) =>
        setTimeout(() => {
          try {
            resolve(String(new Function('return 1')()))
          } catch (error) {
            resolve((error as Error).name)
          }
        }),
      ),
  )
  expect(verdict).toBe('EvalError')
  expect(await page.evaluate(() => Object.keys((window as any).lab).sort())).toEqual(['ask', 'drop', 'subscribe'])
  expect(await page.evaluate(() => typeof (window as any).require + typeof (window as any).process)).toBe('undefinedundefined')
  const address = page.url()
  await page.evaluate(() => location.assign('https://example.invalid/'))
  await page.waitForTimeout(300)
  expect(page.url()).toBe(address)
})

it.each(['light', 'dark'] as const)(
  'has no serious fault of accessibility in any room, in %s',
  async (scheme) => {
    const { page } = lab
    await ask(page, 'settings.set', { theme: scheme })
    await page.reload()
    const found: string[] = []
    for (const hash of ['#/study', '#/study/new', '#/runs', '#/runs/new', '#/data', '#/doctor']) {
      await goTo(page, hash)
      await page.waitForSelector('.room h1')
      await page.waitForTimeout(400)
      found.push(...(await seriousFaults(page)).map((fault) => `${hash} ${fault}`))
    }
    expect(found).toEqual([])
  },
  120_000,
)

it('is never so narrow that something is cut off sideways', async () => {
  const { page, app } = lab
  await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.setContentSize(1280, 800))
  for (const hash of ['#/study', '#/study/new', '#/runs', '#/runs/new', '#/data', '#/doctor']) {
    await goTo(page, hash)
    await page.waitForSelector('.room h1')
    expect(
      await page.evaluate(
        () =>
          document.documentElement.scrollWidth <= innerWidth &&
          document.querySelector('.room')!.scrollWidth <= document.querySelector('.room')!.clientWidth,
      ),
      hash,
    ).toBe(true)
  }
})

it('has said nothing on the console that a person would have to look into', () => {
  // The attempts of the policy test above are meant to be refused, and Chromium says so.
  expect(lab.complaints.filter((text) => !/Content Security Policy|EvalError|net::ERR_|Not allowed to load/.test(text))).toEqual(
    [],
  )
})
