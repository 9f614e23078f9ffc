// From a dropped file of pairs to a model trained on them, in the real window: import, curate, check, divide, freeze, export
// to TRL, train from the Runs room. And the lab killed in mid-import: what is in stays valid, and the import goes on.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { DataTaskRow } from '../../src-main/domain/data-task.ts'
import type { DatasetRow } from '../../src-main/domain/dataset-view.ts'
import type { RunView } from '../../src-main/domain/run-view.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { seriousFaults } from './accessibility.ts'
import { ask, goTo, makeLabFolder, type LabFolder, type OpenLab } from './open-lab.ts'
import { tinyStudy } from './tiny-study.ts'

let folder: LabFolder
let lab: OpenLab
let source: string
let datasetId: string
const PAIRS = 40

/** Forty pairs about twenty pictures. Pictures 0 and 1 look alike; of lines 41 and 42 one is cut off and one has no answer. */
beforeAll(async () => {
  folder = await makeLabFolder()
  source = join(folder.folder, 'source')
  mkdirSync(source)
  for (let i = 0; i < 20; i++) {
    const shift = i === 1 ? 2 : 0
    const wave = i === 1 ? 0 : i
    const data = Uint8Array.from({ length: 64 * 48 * 3 }, (_, at) => {
      const [x, y] = [Math.floor(at / 3) % 64, Math.floor(at / 3 / 64)]
      return Math.min(255, Math.max(0, Math.round(128 + 90 * Math.sin(x / (3 + wave) + (y * (1 + wave)) / 9 + wave)) + shift))
    })
    writeFileSync(join(source, `${i}.png`), encodePng({ width: 64, height: 48, data }))
  }
  const pair = (i: number) => ({ image: `${i % 20}.png`, prompt: `<image>\nHow many in ${i}?`, chosen: `There are ${i}.`, rejected: 'None.' })
  const rows = Array.from({ length: PAIRS }, (_, i) => JSON.stringify(pair(i)))
  writeFileSync(join(source, 'pairs.jsonl'), [...rows, '{"image": "3.png", "prompt', JSON.stringify({ ...pair(1), rejected: 7 })].join('\n'))
  lab = await folder.open()
}, 60_000)
afterAll(() => folder?.remove(), 30_000)

const tasks = (page: Page) => ask<readonly DataTaskRow[]>(page, 'tasks.list', {})
const counted = (page: Page, filter: object) => ask<number>(page, 'samples.count', { filter: { datasetId, ...filter } })

/** As a file manager would: only a real drop has files with paths. */
async function drop(page: Page, path: string) {
  const session = await page.context().newCDPSession(page)
  const data = { items: [], files: [path], dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) await session.send('Input.dispatchDragEvent', { type, x: 600, y: 400, data })
  await session.detach()
}

it('a dropped file is shown first, then imported, and what was left out can be had as a file', async () => {
  const { page } = lab
  await goTo(page, '#/data')
  await page.getByRole('heading', { level: 1, name: 'Data' }).waitFor()
  await drop(page, join(source, 'pairs.jsonl'))
  const dialog = page.getByRole('dialog', { name: 'Import' })
  await dialog.getByText('Preference pairs').first().waitFor()
  expect(await ask<readonly DatasetRow[]>(page, 'datasets.list')).toEqual([])
  await dialog.getByLabel('Name').fill('Pairs')
  await dialog.getByRole('button', { name: 'Import', exact: true }).click()
  const told = page.getByRole('status').filter({ hasText: 'samples added to Pairs' })
  await told.waitFor()
  await told.getByRole('button', { name: 'Write all of them to a file' }).click()
  await expect.poll(async () => (await tasks(page)).some(({ result }) => result?.kind === 'import' && result.faults === 2)).toBe(true)
  await told.getByText('left-out.jsonl').waitFor()
  datasetId = (await ask<readonly DatasetRow[]>(page, 'datasets.list'))[0]!.id
  // What main did not see dropped or chosen stays closed to the window.
  await expect(ask(page, 'datasets.previewImport', { path: join(source, '0.png') })).rejects.toThrow('was not chosen')
})

it('a check finds what looks alike, shows it side by side, and the best is kept; undo brings the others back', async () => {
  const { page } = lab
  await goTo(page, `#/data/${datasetId}/quality:near-duplicates`)
  await page.getByRole('button', { name: 'Check', exact: true }).click()
  await page.getByText('samples found in').waitFor()
  await page.getByRole('list', { name: 'Clusters' }).getByRole('listitem').first().waitFor()
  await page.locator('.actions').getByRole('button', { name: 'Exclude' }).click()
  await expect.poll(() => counted(page, {})).toBeLessThan(PAIRS)
  await page.keyboard.press('Control+z')
  await expect.poll(() => counted(page, {})).toBe(PAIRS)
  await page.getByRole('button', { name: 'Show in the grid' }).click()
  await page.getByText('Found by a check').waitFor()
  await page.getByRole('button', { name: 'Show all' }).click()
})

it('splits are previewed, drawn and frozen, and two versions are compared', async () => {
  const { page } = lab
  await goTo(page, `#/data/${datasetId}/versions`)
  const shares = page.locator('[data-field="shares.validation"] input')
  await shares.fill('0')
  await shares.press('Enter')
  const row = page.getByRole('table', { name: 'Splits as they are and as they would be' }).getByRole('row').filter({ hasText: 'test' })
  await expect.poll(async () => Number((await row.locator('td').nth(1).innerText()).replace(/\D/g, '')), { timeout: 5000 }).toBeGreaterThan(0)
  const wanted = Number(await row.locator('td').nth(1).innerText())
  await page.getByRole('button', { name: /^Divide/ }).click()
  await expect.poll(() => counted(page, { splits: ['test'] })).toBe(wanted)
  await page.getByRole('button', { name: 'Freeze this state' }).click()
  const moved = page.getByRole('table', { name: 'Difference' }).getByRole('row').filter({ hasText: 'In another split' })
  await expect.poll(() => moved.getByRole('cell').first().innerText()).toBe(String(wanted))
})

it('what the filter finds leaves as TRL rows with its images', async () => {
  const { page } = lab
  await goTo(page, `#/data/${datasetId}/browse`)
  await page.getByRole('checkbox', { name: /^train/ }).check()
  await page.keyboard.press('Control+e')
  const dialog = page.getByRole('dialog', { name: 'Export' })
  await dialog.getByRole('radio', { name: /^TRL Messages/ }).check()
  await dialog.getByRole('button', { name: 'Export', exact: true }).click()
  await dialog.getByText('samples written').waitFor()
  const result = (await tasks(page)).find(({ request }) => request.kind === 'export')!.result
  if (result?.kind !== 'export') throw new Error('the export ended without a result')
  const rows = readFileSync(join(result.folder, 'trl.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  expect(rows.length).toBe(await counted(page, { splits: ['train'] }))
  for (const { images } of rows) expect(existsSync(join(result.folder, images[0]))).toBe(true)
  await dialog.getByRole('button', { name: 'Close' }).last().click()
})

it('a run started in the Runs room trains on them, and names the version', async () => {
  const { page } = lab
  const wanted = {
    name: 'on curated pairs',
    dataset: 'Pairs',
    start: { kind: 'scratch', model: tinyStudy.model },
    training: { objective: { kind: 'dpo' }, steps: 2, batchSize: 4 },
  }
  await goTo(page, `#/runs/new/${encodeURIComponent(JSON.stringify(wanted))}`)
  await page.locator('[data-field="dataset"]').getByText('Pairs').waitFor()
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await page.getByRole('heading', { level: 1, name: 'on curated pairs' }).waitFor()
  const runId = decodeURIComponent(new URL(page.url()).hash.split('/')[2]!)
  await expect
    .poll(async () => (await ask<RunView>(page, 'runs.get', { runId })).row.status, { timeout: 110_000, interval: 200 })
    .toBe('finished')
  await goTo(page, `#/data/${datasetId}/versions`)
  await page.getByRole('table', { name: 'Versions, the newest first' }).getByText('on curated pairs').waitFor()
}, 120_000)

it('a map of what its encoder sees filters the grid, and finds similar images', async () => {
  const { page } = lab
  await goTo(page, `#/data/${datasetId}/map`)
  await page.getByRole('button', { name: 'Make a map' }).click()
  const dialog = page.getByRole('dialog', { name: 'Make a map' })
  await dialog.getByText('PCA', { exact: true }).click()
  await dialog.getByRole('button', { name: 'Make the map' }).click()
  const map = page.getByRole('group', { name: /^The map/ })
  await map.waitFor({ timeout: 60_000 })
  await page.getByText('20 images').waitFor()
  const { x, y, width, height } = (await map.boundingBox())!
  // Around the left half.
  await page.keyboard.press('l')
  const corners = [[0, 0], [0, 1], [0.5, 1], [0.5, 0]] as const
  const at = ([a, b]: readonly [number, number]) => [x + 3 + a * (width - 6), y + 3 + b * (height - 6)] as const
  await page.mouse.move(x + 100, y + 3)
  await page.mouse.down()
  for (const corner of corners) await page.mouse.move(...at(corner), { steps: 6 })
  await page.mouse.up()
  await page.getByRole('button', { name: 'Without the line' }).waitFor()
  const inside = Number(await page.locator('.right .tools strong').innerText())
  expect(inside).toBeGreaterThan(0)
  expect(inside).toBeLessThan(PAIRS)
  await page.keyboard.press('Escape')
  await goTo(page, `#/data/${datasetId}/browse`)
  await page.getByRole('option').first().click()
  await page.getByRole('button', { name: 'Find (S)' }).click()
  const similar = page.getByRole('complementary', { name: 'The sample' }).locator('.images li')
  await similar.first().waitFor({ timeout: 60_000 })
  expect(await similar.count()).toBe(19)
}, 120_000)

it('can be read by everybody, on every page of a dataset', async () => {
  const { page } = lab
  // Every colour of these pages is on one of each pair.
  for (const [theme, sections] of [['light', ['quality:near-duplicates', 'versions']], ['dark', ['quality', 'map']]] as const) {
    await ask(page, 'settings.set', { theme })
    await page.reload()
    for (const section of sections) {
      await goTo(page, `#/data/${datasetId}/${section}`)
      await page.locator('.chart, .map, .both, .actions').first().waitFor()
      expect([section, theme, await seriousFaults(page)]).toEqual([section, theme, []])
    }
  }
  expect(lab.complaints).toEqual([])
}, 60_000)

it('killed in mid-import, the lab keeps what is in, says so, and goes on where it was', async () => {
  const rows = 30_000
  const line = (i: number) => JSON.stringify({ image: `${i % 20}.png`, question: `What is number ${i}?`, answer: `It is ${i}.` })
  writeFileSync(join(source, 'many.jsonl'), Array.from({ length: rows }, (_, i) => line(i)).join('\n'))
  await goTo(lab.page, '#/data')
  await drop(lab.page, join(source, 'many.jsonl'))
  const dialog = lab.page.getByRole('dialog', { name: 'Import' })
  await dialog.getByRole('switch', { name: 'Look at every image' }).click()
  await dialog.getByRole('button', { name: 'Import', exact: true }).click()
  const samples = (page: Page) => ask<number>(page, 'samples.count', { filter: { kinds: ['questions'] } })
  await expect.poll(() => samples(lab.page), { interval: 20, timeout: 20_000 }).toBeGreaterThan(0)
  lab.app.process().kill('SIGKILL')
  await new Promise((resolve) => lab.app.process().once('exit', resolve))

  lab = await folder.open()
  const { page } = lab
  const before = await samples(page)
  expect(before).toBeGreaterThan(0)
  expect(before).toBeLessThan(rows)
  await goTo(page, '#/data')
  const broken = page.getByRole('status').filter({ hasText: 'import of many.jsonl' })
  await broken.getByText('the lab was closed while this was under way').waitFor()
  await broken.getByRole('button', { name: 'Resume' }).click()
  await page.getByRole('status').filter({ hasText: 'samples added to many' }).waitFor({ timeout: 60_000 })
  expect(await samples(page)).toBe(rows)
}, 120_000)
