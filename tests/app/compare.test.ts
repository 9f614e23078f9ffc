// The Compare room in the real window, from a finished tiny study: the verdict, an item behind a number, where the encoders look,
// a transplant, and the report in a page of its own. What is shown is compared with what main answers.

import { existsSync, readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ComparedItems, Comparison } from '../../src-main/domain/comparison.ts'
import type { DataTaskRow } from '../../src-main/domain/data-task.ts'
import type { EncoderRow } from '../../src-main/domain/encoder.ts'
import type { StudyView } from '../../src-main/domain/study-view.ts'
import { seriousFaults } from './accessibility.ts'
import { ask, goTo, makeLabFolder, type LabFolder, type OpenLab } from './open-lab.ts'
import { tinySightTest, tinyStudy } from './tiny-study.ts'

let folder: LabFolder
let lab: OpenLab
let comparison: Comparison
const minutes = (number: number) => number * 60_000

beforeAll(async () => {
  folder = await makeLabFolder()
  lab = await folder.open()
  const { page } = lab
  await ask(page, 'datasets.createSightTest', { settings: tinySightTest })
  const { studyId } = await ask<{ studyId: string }>(page, 'studies.start', { kind: 'config', config: tinyStudy })
  for (;;) {
    const { row } = await ask<StudyView>(page, 'studies.get', { studyId })
    if (row.status === 'finished') return
    if (row.status === 'failed') throw new Error(`the study failed: ${JSON.stringify(row.failure)}`)
    await page.waitForTimeout(200)
  }
}, minutes(6))
afterAll(() => folder?.remove(), 30_000)

const words = (text: string) => text.replace(/\s+/g, ' ').trim()

it('sets the arms of the newest study side by side by itself, the verdict in words first', async () => {
  const { page } = lab
  await goTo(page, '#/compare')
  await page.locator('.headline').waitFor()
  const known = await ask<readonly EncoderRow[]>(page, 'encoders.list')
  const arms = known.filter(({ kind }) => kind === 'arm')
  comparison = await ask<Comparison>(page, 'compare.table', { encoders: arms.map(({ id }) => id) })
  expect(await page.locator('.headline').innerText()).toBe(comparison.verdict[0])
  expect(await page.locator('.compared tbody tr:not(.family)').count()).toBe(comparison.rows.length)
  // Every number is there, and no other: one a measured cell.
  expect(await page.locator('.compared .value').count()).toBe(comparison.rows.flatMap(({ cells }) => cells).filter((cell) => cell !== null).length)
  expect(await page.locator('.frame canvas').count()).toBeGreaterThanOrEqual(2)
})

it('keeps in the address what is compared, and takes it from there', async () => {
  const { page } = lab
  await page.getByRole('button', { name: /^Leave out Stage 1/ }).click()
  await page.waitForFunction(() => document.querySelectorAll('.chosen .chip').length === 2)
  await page.reload()
  await page.locator('.headline').waitFor()
  expect((await page.locator('.chosen').innerText()).split('\n').map(words).filter(Boolean)).toEqual(['SFT', 'DPO'])
  await page.keyboard.press('e')
  await page.getByRole('option', { name: /^Stage 1/ }).first().click()
  await page.getByRole('dialog').getByRole('button', { name: 'Compare' }).click()
  await page.waitForFunction(() => document.querySelectorAll('.chosen .chip').length === 3)
})

it('opens the items behind a number, and walks through them by key', async () => {
  const { page } = lab
  await page.locator('.compared .value.opens').first().click()
  await page.getByRole('navigation', { name: 'Items' }).waitFor()
  await page.getByRole('button', { name: 'All', exact: true }).click()
  const items = page.getByRole('navigation', { name: 'Items' }).getByRole('button')
  await items.nth(1).waitFor()
  const opened = comparison.rows.find(({ hasItems }) => hasItems)!
  const [, sft, dpo] = comparison.encoders.map(({ id }) => id)
  const answer = await ask<ComparedItems>(page, 'compare.items', { encoders: [sft, dpo], row: opened.id, slicing: 'group', order: 'gain' })
  expect(await items.count()).toBe(Math.min(50, answer.total))
  const asked = await page.locator('.asked').first().innerText()
  for (let i = 0; i < 3 && (await page.locator('.asked').first().innerText()) === asked; i++) await page.keyboard.press('j')
  expect(new URLSearchParams(decodeURIComponent((await page.evaluate(() => location.hash)).split('/')[3]!)).get('item')).not.toBeNull()
})

const isDrawn = (selector: string) =>
  lab.page.waitForFunction(
    (selector) =>
      [...document.querySelectorAll<HTMLCanvasElement>(selector)].every((canvas) => {
        const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
        return new Set(new Uint32Array(data.buffer)).size > 1
      }) && document.querySelectorAll(selector).length,
    selector,
    { timeout: 60_000, polling: 200 },
  )

it(
  'shows where the encoders look, and A − B, zoomed together',
  async () => {
    const { page } = lab
    await page.locator('.stage figcaption', { hasText: 'A − B' }).waitFor()
    await page.waitForFunction(() => document.querySelectorAll('.stage .map canvas').length === 4, undefined, { timeout: 60_000 })
    await isDrawn('.stage .map canvas')
    await page.locator('.stage .map').first().hover()
    await page.mouse.wheel(0, -300)
    await page.waitForFunction(() => {
      const zooms = [...document.querySelectorAll<HTMLElement>('.stage .picture')].map(({ style }) => style.transform)
      return new Set(zooms).size === 1 && !zooms[0]!.startsWith('scale(1)')
    })
    await page.keyboard.press('d')
    await page.waitForFunction(() => document.querySelectorAll('.stage .map').length === 3)
    await page.keyboard.press('d')
    // A click on a patch asks what is like it.
    await page.locator('.stage .map').first().click()
    await page.getByRole('combobox', { name: 'Map', exact: true }).getByText('Similarity').waitFor()
    await isDrawn('.stage .map canvas')
  },
  minutes(2),
)

it(
  'says how sure both models were of every token',
  async () => {
    const { page } = lab
    await page.getByRole('button', { name: 'How sure were they?' }).click()
    await page.waitForFunction(() => document.querySelectorAll('.asked .tokens').length === 2, undefined, { timeout: 60_000 })
    expect(await page.locator('.asked .token').count()).toBeGreaterThan(1)
  },
  minutes(2),
)

it(
  'transplants all of them by one button, and shows the table',
  async () => {
    const { page } = lab
    await goTo(page, '#/compare/transplant')
    await page.getByLabel('Steps', { exact: true }).fill('4')
    await page.getByLabel('Steps', { exact: true }).blur()
    await page.getByText('3 trainings of 4 steps').waitFor()
    await page.getByRole('button', { name: 'Start the transplant' }).click()
    await page.getByRole('region', { name: 'Transplants' }).getByRole('progressbar').waitFor()
    await page.locator('.compared').waitFor({ timeout: minutes(3) })
    const task = (await ask<readonly DataTaskRow[]>(page, 'tasks.list', { limit: 100 })).find(({ request }) => request.kind === 'transplant')!
    const found = await ask<Comparison>(page, 'experiments.table', { taskId: task.id })
    expect(await page.locator('.compared tbody tr:not(.family)').count()).toBe(found.rows.length)
    // In the order in which they were picked: Stage 1 came last.
    expect(words(await page.locator('.compared thead').innerText())).toContain('SFT DPO Stage 1')
  },
  minutes(5),
)

it('writes a report that stands alone in a page of its own', async () => {
  const { page, app } = lab
  const encoders = comparison.encoders.map(({ id }) => id)
  // The transplant has added its numbers.
  const { verdict, rows } = await ask<Comparison>(page, 'compare.table', { encoders })
  const artifact = await ask<{ path: string }>(page, 'compare.export', { encoders, format: 'html', open: false })
  const opened = await app.evaluate(async ({ BrowserWindow, session }, address) => {
    const outside: string[] = []
    const alone = session.fromPartition('report')
    alone.webRequest.onBeforeRequest((request, answer) => {
      if (!/^(file|data):/.test(request.url)) outside.push(request.url)
      answer({})
    })
    const window = new BrowserWindow({ show: false, webPreferences: { session: alone, sandbox: true } })
    await window.loadURL(address)
    const text: string = await window.webContents.executeJavaScript('document.body.innerText')
    const cells: number = await window.webContents.executeJavaScript('document.querySelectorAll("table tbody td.number > span").length')
    // A chart is one that has room and holds marks of encoders.
    const charts: number = await window.webContents.executeJavaScript(
      '[...document.querySelectorAll("svg")].filter((svg) => svg.getBoundingClientRect().height > 100 && svg.querySelector("path.point") !== null).length',
    )
    window.destroy()
    return { text, cells, charts, outside }
  }, pathToFileURL(artifact.path).href)
  expect(words(opened.text)).toContain(words(verdict[0]!))
  for (const { name } of comparison.encoders) expect(opened.text).toContain(name)
  expect(opened.outside).toEqual([])
  expect(opened.cells).toBeGreaterThanOrEqual(rows.flatMap(({ cells }) => cells).filter((cell) => cell !== null).length)
  expect(opened.charts).toBeGreaterThanOrEqual(2)
  for (const format of ['csv', 'latex']) {
    const { path } = await ask<{ path: string }>(page, 'compare.export', { encoders, format })
    expect(existsSync(path)).toBe(true)
    expect(readFileSync(path, 'utf8').length).toBeGreaterThan(200)
  }
})

it.each(['light', 'dark'] as const)(
  'can be read by everybody, in %s',
  async (theme) => {
    const { page } = lab
    await ask(page, 'settings.set', { theme })
    await page.reload()
    const found: string[] = []
    for (const name of ['result', 'items', 'maps', 'representation', 'transplant', 'gradients', 'sweeps', 'benchmarks']) {
      await goTo(page, `#/compare/${name}`)
      await page.getByRole('tab', { selected: true }).waitFor()
      await page.waitForFunction(() => document.querySelector('.skeleton:not(.absent)') === null, undefined, { timeout: 30_000 })
      found.push(...(await seriousFaults(page)).map((fault) => `${name} ${fault}`))
    }
    expect(found).toEqual([])
  },
  minutes(3),
)

it('has said nothing on the console', () => {
  expect(lab.complaints).toEqual([])
})
