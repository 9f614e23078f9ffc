// The Data room in the real window: a LLaVA file with faults in it is shown, imported, searched, tagged, excluded and taken
// back; what the window shows is compared with what the database says.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { DatasetRow } from '../../src-main/domain/dataset-view.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { seriousFaults } from './accessibility.ts'
import { ask, goTo, makeLabFolder, type LabFolder, type OpenLab } from './open-lab.ts'

let folder: LabFolder
let lab: OpenLab
let file: string
let datasetId: string

/** Sixty conversations about twelve pictures; of lines 61 to 63 one is broken, one names no picture, one has no turns. */
beforeAll(async () => {
  folder = await makeLabFolder()
  const source = join(folder.folder, 'source')
  mkdirSync(source)
  for (let i = 0; i < 12; i++) {
    const data = Uint8Array.from({ length: 48 * 40 * 3 }, (_, at) => (at * (i + 3) * 7 + i * 31) % 256)
    writeFileSync(join(source, `${i}.png`), encodePng({ width: 48, height: 40, data }))
  }
  const turns = (i: number) => [
    { from: 'human', value: `<image>\nWhat is number ${i}?` },
    { from: 'gpt', value: i % 6 === 0 ? `A zebra, number ${i}.` : `A horse, number ${i}.` },
  ]
  const rows = Array.from({ length: 60 }, (_, i) => JSON.stringify({ id: `row-${i}`, image: `${i % 12}.png`, conversations: turns(i) }))
  const faulty = ['{"id": "cut off', JSON.stringify({ id: 'lost', image: 'gone.png', conversations: turns(1) }), JSON.stringify({ id: 'mute', image: '1.png', conversations: [] })]
  file = join(source, 'horses.jsonl')
  writeFileSync(file, [...rows, ...faulty].join('\n'))
  lab = await folder.open()
}, 60_000)
afterAll(() => folder?.remove(), 30_000)

const options = (page: Page) => page.getByRole('option')
const counted = (filter: object) => ask<number>(lab.page, 'samples.count', { filter: { datasetId, ...filter } })

it('shows what a file would bring before anything is written, and then imports it, listing what it left out', async () => {
  const { page, app } = lab
  await app.evaluate(({ dialog }, path) => {
    dialog.showOpenDialog = async () => ({ canceled: false, filePaths: [path] })
  }, file)
  await goTo(page, '#/data')
  await page.getByRole('button', { name: 'Import a file' }).click()
  const dialog = page.getByRole('dialog', { name: 'Import' })
  await dialog.getByText('LLaVA conversations').waitFor()
  expect(await dialog.getByRole('row').count()).toBe(11)
  expect(await ask<readonly DatasetRow[]>(page, 'datasets.list')).toEqual([])
  await dialog.getByLabel('Name').fill('Horses')
  await dialog.getByRole('button', { name: 'Import', exact: true }).click()
  await page.getByRole('status').filter({ hasText: 'samples added to Horses' }).waitFor()
  const listed = await page.locator('.problems li').allInnerTexts()
  expect(listed.map((each) => /line (\d+)/.exec(each)?.[1])).toEqual(['61', '62', '63'])
  const [row] = await ask<readonly DatasetRow[]>(page, 'datasets.list')
  datasetId = row!.id
  expect(await counted({})).toBe(60)
})

it('opens the dataset from the list, shows its pictures, and finds words', async () => {
  const { page } = lab
  await page.getByRole('row').filter({ hasText: 'Horses' }).click()
  await page.getByRole('heading', { level: 1, name: 'Horses' }).waitFor()
  await options(page).first().waitFor()
  await page.waitForFunction(() => [...document.querySelectorAll<HTMLImageElement>('[role="option"] img')].some((image) => image.naturalWidth > 0))
  await page.keyboard.press('/')
  await page.keyboard.type('zebra')
  await page.waitForFunction(() => document.querySelectorAll('[role="option"]').length === 10)
  expect(await counted({ text: 'zebra' })).toBe(10)
})

it('selects by keys, tags, excludes, moves, and takes everything back', async () => {
  const { page } = lab
  await options(page).first().click()
  await page.getByRole('complementary', { name: 'The sample' }).getByText('A zebra, number 0.').waitFor()
  await page.keyboard.press('Shift+ArrowRight')
  await page.keyboard.press('Shift+ArrowRight')
  await page.getByText('3', { exact: true }).first().waitFor()
  await page.keyboard.press('t')
  await page.keyboard.type('striped')
  await page.keyboard.press('Enter')
  await expect.poll(() => counted({ tags: ['striped'] })).toBe(3)
  await page.getByRole('listbox', { name: 'Samples' }).focus()
  await page.keyboard.press('Control+a')
  await page.keyboard.press('e')
  await expect.poll(() => counted({ states: ['excluded'] })).toBe(10)
  await page.getByRole('heading', { name: 'No sample is like that' }).waitFor()
  await page.keyboard.press('Control+z')
  await expect.poll(() => counted({ states: ['excluded'] })).toBe(0)
  await page.keyboard.press('Control+z')
  await expect.poll(() => counted({ tags: ['striped'] })).toBe(0)
  await page.keyboard.press('Control+y')
  await expect.poll(() => counted({ tags: ['striped'] })).toBe(3)
  await page.waitForFunction(() => document.querySelectorAll('[role="option"]').length === 10)
  await page.getByRole('checkbox', { name: /^striped/ }).check()
  await page.waitForFunction(() => document.querySelectorAll('[role="option"]').length === 3)
})

it('keeps a filter under a name and shows it again', async () => {
  const { page } = lab
  await page.getByLabel('Name of the view').fill('striped zebras')
  await page.getByLabel('Name of the view').press('Enter')
  await page.getByRole('button', { name: 'striped zebras', exact: true }).waitFor()
  await page.getByRole('button', { name: 'Show all' }).click()
  await page.waitForFunction(() => document.querySelector('[role="option"]')?.getAttribute('aria-setsize') === '60')
  await page.getByRole('button', { name: 'striped zebras', exact: true }).click()
  await page.waitForFunction(() => document.querySelectorAll('[role="option"]').length === 3)
})

it('can be read by everybody, in both colour schemes', async () => {
  const { page } = lab
  for (const theme of ['light', 'dark']) {
    await ask(page, 'settings.set', { theme })
    await page.reload()
    for (const hash of ['#/data', `#/data/${datasetId}`]) {
      await goTo(page, hash)
      await page.locator('.room h1').waitFor()
      await page.locator('[role="option"], .list tbody tr').first().waitFor()
      if (hash !== '#/data') await options(page).first().click()
      expect([hash, theme, await seriousFaults(page)]).toEqual([hash, theme, []])
    }
  }
  expect(lab.complaints).toEqual([])
}, 120_000)
