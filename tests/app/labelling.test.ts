// Labelling in the real window, by keyboard alone: forty pairs with undo, the app killed in the middle, the labels out as
// files and into the project, and a run on them.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { DataTaskRow } from '../../src-main/domain/data-task.ts'
import type { Judgement } from '../../src-main/domain/labelling/judgement.ts'
import { areaOf } from '../../src-main/domain/mask.ts'
import type { QueueRow, Upcoming } from '../../src-main/domain/labelling/queue.ts'
import type { RunView } from '../../src-main/domain/run-view.ts'
import type { Mask } from '../../src-main/domain/sample.ts'
import { quantity } from '../../src-renderer/ui/quantity.ts'
import { seriousFaults } from './accessibility.ts'
import { ask, goTo, makeLabFolder, type LabFolder, type OpenLab } from './open-lab.ts'
import { tinySightTest, tinyStudy } from './tiny-study.ts'

let folder: LabFolder
let lab: OpenLab
let queueId: string

beforeAll(async () => {
  folder = await makeLabFolder()
  lab = await folder.open()
  await ask(lab.page, 'datasets.createSightTest', { settings: tinySightTest })
}, 120_000)
afterAll(() => folder?.remove(), 30_000)

const queueOf = (page: Page) => ask<QueueRow>(page, 'labelling.queue', { queueId })
const judgedOf = async (page: Page) => (await queueOf(page)).labellers.find(({ labeller }) => labeller === 'Ada')?.judged ?? 0
const placeOf = (page: Page) => page.locator('.judge > [aria-live]').innerText()

/** Presses a key and waits until another item (or the end) is on screen. */
async function press(page: Page, key: string): Promise<void> {
  const before = await placeOf(page)
  await page.keyboard.press(key)
  await page.waitForFunction((old) => document.querySelector<HTMLElement>('.judge > [aria-live]')?.innerText !== old, before)
}

async function importPairs(name: string, rows: readonly { readonly prompt: string; readonly chosen: string; readonly rejected: string }[]): Promise<void> {
  const path = join(folder.folder, `${name}.jsonl`)
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  await lab.app.evaluate(({ dialog }, path) => {
    dialog.showOpenDialog = async () => ({ canceled: false, filePaths: [path] })
  }, path)
  await ask(lab.page, 'files.chooseFile', { title: name })
  const { taskId } = await ask<{ taskId: string }>(lab.page, 'datasets.import', { path, name })
  await expect.poll(async () => (await ask<DataTaskRow>(lab.page, 'tasks.get', { taskId })).status, { timeout: 30_000, interval: 100 }).toBe('finished')
}

it('makes a queue of a dataset’s pairs, and asks once who is judging', async () => {
  const { page } = lab
  await goTo(page, '#/labelling')
  await page.getByRole('button', { name: 'Make a queue', exact: true }).click()
  await page.getByLabel('Name', { exact: true }).fill('Forty pairs')
  await page.getByRole('combobox', { name: 'Dataset' }).click()
  await page.getByRole('option', { name: 'sight-test preferences' }).click()
  await page.getByLabel('Most items').fill('40')
  await page.getByRole('button', { name: 'Make the queue' }).click()
  await page.getByRole('button', { name: 'Begin' }).click()
  queueId = (await ask<readonly QueueRow[]>(page, 'labelling.queues'))[0]!.id
  await page.getByLabel('Your name').fill('Ada')
  // A key in a text field is a letter and no verdict.
  await page.getByLabel('Your name').press('1')
  await page.getByLabel('Your name').fill('Ada')
  await page.getByLabel('Your name').press('Enter')
  await page.locator('.stage').waitFor()
  expect(await judgedOf(page)).toBe(0)
  // 5 % repeats of 40 are two more places.
  expect((await queueOf(page)).slots).toBe(42)
})

it('judges by keyboard, takes back as often as asked, and shows what was said', async () => {
  const { page } = lab
  for (const key of ['1', 'ArrowRight', '0', 'x', 'ArrowLeft', '2', 'ArrowDown', '1', '1', '2', '1', '2']) await press(page, key)
  expect(await judgedOf(page)).toBe(12)
  for (let i = 0; i < 5; i++) await press(page, 'Control+z')
  expect(await judgedOf(page)).toBe(7)
  // The eighth was judged with 1: it says so, and another key judges it anew.
  await page.getByText('your choice before').waitFor()
  for (const key of ['2', '1', '2', '1', '2']) await press(page, key)
  expect(await judgedOf(page)).toBe(12)
})

it('keeps reason, flag, edit and region with the verdict, and no key judges while one writes', async () => {
  const { page } = lab
  await page.keyboard.press('f')
  await page.keyboard.press('r')
  await page.getByRole('button', { name: 'count', exact: true }).click()
  await page.getByLabel('Note').fill('1 2 0 x: the left one is hidden')
  await page.keyboard.press('Escape')
  await page.keyboard.press('e')
  await page.getByLabel('Better answer').fill('a better answer')
  await page.keyboard.press('Control+Enter')
  await page.keyboard.press('d')
  const box = (await page.locator('.image-frame').boundingBox())!
  // With Caps Lock, and on a keyboard that prints other letters, the keys do the same.
  await page.evaluate(() => dispatchEvent(new KeyboardEvent('keydown', { key: 'к', code: 'KeyR' })))
  await page.mouse.move(box.x + box.width * 0.25, box.y + box.height * 0.25)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.75, box.y + box.height * 0.5)
  await page.mouse.up()
  // By keys alone: the brush at the middle, down, along, up. Space paints here and skips nothing.
  for (const key of ['b', 'ArrowLeft', ' ', 'ArrowLeft', ' ']) await page.keyboard.press(key)
  expect(await judgedOf(page)).toBe(12)
  await press(page, '1')
  const { item } = await ask<{ item: { earlier: Judgement } }>(page, 'labelling.undo', { queueId, labeller: 'Ada' })
  expect(item.earlier).toMatchObject({
    choice: 'a',
    flagged: true,
    tags: ['count'],
    note: '1 2 0 x: the left one is hidden',
    edit: { side: 'a', text: 'a better answer' },
  })
  const [[x, y, width, height], mask] = item.earlier.region as [[number, number, number, number], Mask]
  // The image is 64 pixels wide: the box was drawn from a quarter of it to three quarters, and to its half.
  for (const [found, drawn] of [[x, 16], [y, 16], [width, 32], [height, 16]] as const) expect(Math.abs(found - drawn)).toBeLessThan(1)
  expect([mask.size, areaOf(mask) > 0]).toEqual([[64, 64], true])
  await page.reload()
  await page.locator('.stage').waitFor()
  await press(page, '1')
})

it('lets Escape close what is open, one thing at a time, and leave last', async () => {
  const { page } = lab
  await page.keyboard.press('d')
  await page.keyboard.press('z')
  for (const _ of ['the drawing', 'the zoom']) {
    await page.keyboard.press('Escape')
    expect(await page.locator('.stage').count()).toBe(1)
  }
  await page.keyboard.press('Escape')
  await page.getByRole('heading', { level: 1, name: 'Labelling' }).waitFor()
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.locator('.stage').waitFor()
})

it('loses nothing when it is killed, and goes on where it was', async () => {
  for (let i = 13; i < 25; i++) await press(lab.page, i % 2 ? '1' : '2')
  const before = await queueOf(lab.page)
  const ended = new Promise((resolve) => lab.app.process().once('exit', resolve))
  lab.app.process().kill('SIGKILL')
  await ended
  lab = await folder.open()
  const { page } = lab
  const after = await queueOf(page)
  expect(after.labellers.map(({ judged }) => judged)).toEqual([25])
  expect(after.labellers).toEqual(before.labellers)
  await goTo(page, `#/labelling/${queueId}/judge`)
  await page.locator('.stage').waitFor()
  expect(await page.locator('.judge .done').innerText()).toMatch(/^25 of 42/)
}, 60_000)

it('judges to the end: all forty and the planted repeats', async () => {
  const { page } = lab
  for (let i = 25; i < 42; i++) await press(page, i % 3 ? 'ArrowLeft' : 'ArrowRight')
  await page.getByRole('heading', { name: 'Everything is judged' }).waitFor()
  expect(await judgedOf(page)).toBe(42)
  await press(page, 'Control+z')
  await press(page, '1')
  await page.getByRole('button', { name: 'How far can the labels be trusted?' }).click()
  await page.getByRole('rowheader', { name: 'Ada' }).waitFor()
})

it('tells from planted repeats and gold items, which look like all others, how steady and how right somebody was', async () => {
  const { page } = lab
  // Forty-one to judge, of which a fifth comes twice, and a twentieth of that many from the pairs that are known.
  await importPairs('plain', Array.from({ length: 41 }, (_, i) => ({ prompt: `Plain question ${i}?`, chosen: `yes, ${i}`, rejected: `no, ${i}` })))
  await importPairs('certain', Array.from({ length: 6 }, (_, i) => ({ prompt: `Certain question ${i}?`, chosen: `right, ${i}`, rejected: `wrong, ${i}` })))
  await goTo(page, '#/labelling/new')
  await page.getByLabel('Name', { exact: true }).fill('Planted')
  for (const [box, dataset] of [['Dataset', 'plain'], ['Gold items', 'certain']] as const) {
    await page.getByRole('combobox', { name: box }).click()
    await page.getByRole('option', { name: dataset }).click()
  }
  await page.getByRole('textbox', { name: 'Planted repeats, %' }).fill('20')
  await page.getByRole('button', { name: 'Make the queue' }).click()
  await page.getByRole('button', { name: 'Begin' }).click()
  await page.locator('.stage').waitFor()

  // Side A of everything, but of a known pair the right answer two times of three, and of a repeat the answer of the first
  // time three times of four.
  const chosen = new Map<string, string>()
  let [sideA, repeats, known, places] = [0, 0, 0, 0]
  while ((await page.locator('.stage').count()) > 0) {
    const prompt = await page.locator('.prompt').innerText()
    const [a, b] = (await page.locator('.answer-text').allInnerTexts()) as [string, string]
    const before = chosen.get(prompt)
    let picked = a
    if (before !== undefined) picked = repeats++ % 4 === 1 ? [a, b].find((text) => text !== before)! : before
    else if (prompt.startsWith('Certain')) picked = [a, b].find((text) => text.startsWith(known % 3 === 1 ? 'wrong' : 'right'))!
    if (prompt.startsWith('Certain')) known += 1
    chosen.set(prompt, picked)
    if (picked === a) sideA += 1
    places += 1
    await press(page, picked === a ? '1' : '2')
  }
  expect([places, repeats, known]).toEqual([52, 8, 3])

  await page.getByRole('button', { name: 'How far can the labels be trusted?' }).click()
  const row = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: 'Ada' }) })
  await row.waitFor()
  const told = await row.locator('td:has(.share), td:has(.faint)').evaluateAll((cells) => cells.map((cell) => [cell.querySelector('.value')?.textContent, /\d+ counted/.exec(cell.querySelector('.share')?.getAttribute('title') ?? '')?.[0]]))
  expect(told).toEqual([
    [quantity(sideA / 52, 'share'), '52 counted'],
    [undefined, undefined],
    [quantity(6 / 8, 'share'), '8 counted'],
    [quantity(2 / 3, 'share'), '3 counted'],
  ])
  // Of what was not planted, side A every time: a share, but no finite preference.
  await row.getByRole('button', { name: 'not identified' }).waitFor()
}, 60_000)

it('can be read by everybody, in both colour schemes', async () => {
  const { page } = lab
  for (const theme of ['light', 'dark']) {
    await ask(page, 'settings.set', { theme })
    await page.reload()
    for (const hash of ['#/labelling', '#/labelling/new', '#/labelling/pairs', ...['judge', 'trust', 'output'].map((each) => `#/labelling/${queueId}/${each}`)]) {
      await goTo(page, hash)
      await page.locator('.room h1').waitFor()
      await page.waitForFunction(() => document.querySelector('.skeleton') === null)
      expect([hash, theme, await seriousFaults(page)]).toEqual([hash, theme, []])
    }
  }
}, 120_000)

it('writes TRL rows with a side file, and a dataset that a run trains on', async () => {
  const { page } = lab
  await goTo(page, `#/labelling/${queueId}/output`)
  await page.getByRole('button', { name: 'Write the files' }).click()
  await page.getByRole('status').filter({ hasText: 'pairs written' }).waitFor()
  const exported = join(folder.folder, 'project', 'exports', 'labels-forty-pairs-trl')
  const lines = (file: string) => readFileSync(join(exported, file), 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  const rows = lines('trl.jsonl')
  expect(rows[0].chosen[0].role).toBe('assistant')
  expect(new Set(lines('labels.jsonl').map(({ labeller }) => labeller))).toEqual(new Set(['Ada']))

  await page.getByRole('button', { name: 'Make the dataset' }).click()
  await page.getByRole('button', { name: 'Start a DPO run on it' }).click()
  await page.getByRole('heading', { level: 1, name: 'New run' }).waitFor()
  await page.locator('[data-field="dataset"]').getByText('Forty pairs, labelled').waitFor()
  const { runId } = await ask<{ runId: string }>(page, 'runs.start', {
    name: 'on my labels',
    dataset: 'Forty pairs, labelled',
    start: { kind: 'scratch', model: tinyStudy.model },
    training: { objective: { kind: 'dpo' }, steps: 2, batchSize: 4 },
  })
  await expect
    .poll(async () => (await ask<RunView>(page, 'runs.get', { runId })).row.status, { timeout: 110_000, interval: 200 })
    .toBe('finished')
  expect((await ask<Upcoming>(page, 'labelling.upcoming', { queueId, labeller: 'Ada' })).items).toEqual([])
  expect(lab.complaints).toEqual([])
}, 120_000)
