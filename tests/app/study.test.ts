// A study in the real window, from the first click to its result: the real engine trains real, very small models on a
// very small sight test. What is shown is compared with what the database says.

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { executionWords } from '../../src-main/domain/device.ts'
import type { AnswerView } from '../../src-main/domain/model-view.ts'
import type { RunView } from '../../src-main/domain/run-view.ts'
import type { StudyResults } from '../../src-main/domain/study-results.ts'
import type { StudyView } from '../../src-main/domain/study-view.ts'
import { seriousFaults } from './accessibility.ts'
import { ask, goTo, makeLabFolder, type LabFolder, type OpenLab } from './open-lab.ts'
import { tinySightTest, tinyStudy } from './tiny-study.ts'

let folder: LabFolder
let lab: OpenLab
let studyId: string
const minutes = (number: number) => number * 60_000

beforeAll(async () => {
  folder = await makeLabFolder()
  lab = await folder.open()
  await ask(lab.page, 'datasets.createSightTest', { settings: tinySightTest })
}, minutes(2))
afterAll(() => folder?.remove(), 30_000)

const viewOf = (page: Page) => ask<StudyView>(page, 'studies.get', { studyId })
const shareOf = async (page: Page) =>
  Number(await page.getByRole('progressbar', { name: 'Progress of the study' }).getAttribute('aria-valuenow'))

/** Waits until what the database says of the study is as wanted. */
async function until(page: Page, wanted: (view: StudyView) => boolean, patience = minutes(3)): Promise<StudyView> {
  const end = Date.now() + patience
  for (;;) {
    const view = await viewOf(page)
    if (wanted(view)) return view
    if (view.row.status === 'failed') throw new Error(`the study failed: ${JSON.stringify(view.row.failure)}`)
    if (Date.now() > end)
      throw new Error(`still ${view.row.status} after ${patience} ms: ${view.row.phasesDone} of ${view.row.phases} phases`)
    await page.waitForTimeout(100)
  }
}

/** True when something was drawn: not every pixel is the same. */
const isDrawn = (page: Page, selector: string) =>
  page
    .locator(selector)
    .first()
    .evaluate((element) => {
      const canvas = element as HTMLCanvasElement
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
      const pixels = new Set(new Uint32Array(data.buffer))
      return pixels.size > 1
    })

it(
  'begins a study of one’s own from a preset, and makes the data that the preset names',
  async () => {
    const { page } = lab
    const quick = (await ask<readonly { name: string; quick: boolean }[]>(page, 'presets.list')).find((preset) => preset.quick)
    await goTo(page, `#/study/new/${quick!.name}`)
    await page.getByLabel('Name').first().fill('My own')
    await page.getByRole('button', { name: 'Start', exact: true }).click()
    await page.getByRole('heading', { level: 1, name: 'My own' }).waitFor()
    studyId = (await ask<readonly { id: string; name: string }[]>(page, 'studies.list')).find(({ name }) => name === 'My own')!.id
    const begun = await until(page, (view) => view.row.status === 'running')
    expect(begun.phases.map(({ kind }) => kind)).toContain('sight-test')
    await page.getByRole('button', { name: 'Cancel' }).click()
    await until(page, (view) => view.row.status === 'cancelled')
  },
  minutes(2),
)

it(
  'starts the quick study by one click: makes its data, trains, and lets itself be cancelled',
  async () => {
    const { page } = lab
    const quick = (await ask<readonly { name: string; title: string; quick: boolean }[]>(page, 'presets.list')).find(
      (preset) => preset.quick,
    )
    expect(quick, 'a preset that is marked as quick').toBeDefined()
    await goTo(page, '#/study')
    await page.getByRole('button', { name: `Start: ${quick!.title}` }).click()
    await page.getByRole('button', { name: 'Cancel' }).waitFor()
    studyId = (await ask<readonly { id: string; preset: string | null }[]>(page, 'studies.list')).find(
      ({ preset }) => preset === quick!.name,
    )!.id
    await until(
      page,
      (view) => view.row.status === 'running' && view.phases.some((phase) => phase.kind === 'train' && phase.done > 1),
    )
    await page.getByRole('region', { name: 'Phases of this study' }).waitFor()
    await page.locator('.frame canvas').first().waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await until(page, (view) => view.row.status === 'cancelled')
    await page.getByText('cancelled').first().waitFor()
  },
  minutes(4),
)

it(
  'takes a study of one’s own and shows it progress, in the page and in the status bar',
  async () => {
    const { page } = lab
    studyId = (await ask<{ studyId: string }>(page, 'studies.start', { kind: 'config', config: tinyStudy })).studyId
    await goTo(page, `#/study/${studyId}`)
    await page.getByRole('heading', { level: 1, name: tinyStudy.name }).waitFor()
    await until(page, (view) => view.row.phasesDone >= 2)
    await page.getByRole('button', { name: 'Pause' }).waitFor()
    await page
      .getByRole('progressbar', { name: /^Progress of/ })
      .last()
      .waitFor()
    await page.waitForFunction(() => document.querySelectorAll('.status-bar [role="progressbar"]').length === 1)
  },
  minutes(3),
)

it(
  'pauses: nothing moves any more, and a reload shows the same',
  async () => {
    const { page } = lab
    await page.getByRole('button', { name: 'Pause' }).click()
    const paused = await until(page, (view) => view.row.status === 'paused')
    await page.getByRole('button', { name: 'Resume' }).waitFor()
    const read = async () => ({
      overall: (await page.locator('.overall').innerText()).replace(/\s+/g, ' '),
      phases: (await page.getByRole('region', { name: 'Phases of this study' }).innerText()).replace(/\s+/g, ' '),
      share: await shareOf(page),
    })
    await page.waitForTimeout(700)
    const before = await read()
    await page.reload()
    await page.getByRole('button', { name: 'Resume' }).waitFor()
    await page.getByRole('region', { name: 'Phases of this study' }).waitFor()
    expect(await read()).toEqual(before)
    expect((await viewOf(page)).row.phasesDone).toBe(paused.row.phasesDone)
  },
  minutes(2),
)

it(
  'resumes, and draws the curves of both arms',
  async () => {
    const { page } = lab
    await page.getByRole('button', { name: 'Resume' }).click()
    await until(
      page,
      (view) =>
        view.phases.some((phase) => phase.stage === 'dpo' && phase.done > 2) ||
        view.phases.some((phase) => phase.stage === 'dpo' && phase.status === 'finished'),
    )
    await page.getByRole('button', { name: 'Stage 2: SFT and DPO' }).click()
    await page.locator('.frame canvas').first().waitFor()
    expect(await isDrawn(page, '.frame canvas')).toBe(true)
    await page.getByText('Nothing is running').waitFor({ timeout: minutes(3) })
    await until(page, (view) => view.row.status === 'finished')
  },
  minutes(4),
)

it('has trained in compiled steps, where the engine can: in Electron’s own process for jobs too', async () => {
  const { page } = lab
  const engine = (await ask<{ checks: readonly { id: string; found: string }[] }>(page, 'doctor.run')).checks.find(({ id }) => id === 'engine')!.found
  const runs = await ask<readonly { id: string; studyId: string | null }[]>(page, 'runs.list')
  const steps = await Promise.all(
    runs.filter((run) => run.studyId === studyId).map(async ({ id }) => (await ask<{ versions: Readonly<Record<string, string>> }>(page, 'runs.get', { runId: id })).versions['steps']),
  )
  expect(steps.length).toBeGreaterThan(3)
  expect(new Set(steps)).toEqual(new Set([engine.startsWith('TensorFlow 2') ? executionWords('graph', 'float32') : executionWords('eager', 'float32')]))
}, minutes(1))

it('shows the result: verdict first, then every measure the database has', async () => {
  const { page } = lab
  const results = await ask<StudyResults>(page, 'studies.results', { studyId })
  await goTo(page, `#/study/${studyId}/results`)
  await page.locator('.headline').waitFor()
  expect(await page.locator('.headline').innerText()).toBe(results.verdict[0])
  expect(await page.locator('tbody tr:not(.group-head)').count()).toBe(results.metrics.length)
  const tied = results.metrics.filter(({ better, difference }) => better !== 'neither' && difference?.winner === 'neither').length
  expect(await page.getByRole('cell', { name: 'statistically tied' }).count()).toBe(tied)
  expect(await isDrawn(page, '.frame canvas')).toBe(true)
})

it('lays the arms’ maps over the image and outlines the region that decides', async () => {
  const { page } = lab
  await goTo(page, `#/study/${studyId}/maps`)
  await page.locator('.map canvas').first().waitFor()
  expect(await page.locator('.map').count()).toBe(4)
  expect(await isDrawn(page, '.map canvas')).toBe(true)
  await page.waitForFunction(() =>
    [...document.querySelectorAll<HTMLImageElement>('.map img')].every((image) => image.naturalWidth > 0),
  )
  expect(await page.locator('.map .outline').count()).toBeGreaterThan(0)
  const asked = await page.locator('.asked').innerText()
  await page.keyboard.press('ArrowRight')
  await page.waitForFunction((before) => document.querySelector('.asked')!.textContent !== before, asked)
  await page.keyboard.press('d')
  await page.waitForFunction(() => document.querySelectorAll('.map').length === 3)
})

it('says what the arms share and in what they differ', async () => {
  const { page } = lab
  await goTo(page, `#/study/${studyId}/parity`)
  const { parity } = await viewOf(page)
  await page.getByText('The arms may be compared').waitFor()
  expect(await page.getByRole('row').count()).toBe(parity.length + 1)
  await page.getByRole('button', { name: 'Differences' }).click()
  expect(await page.getByRole('row').count()).toBe(parity.filter((row) => row.verdict !== 'equal').length + 1)
})

it('names the encoders that were exported and the report that was written', async () => {
  const { page } = lab
  const report = await ask<{ path: string; name: string }>(page, 'studies.report', { studyId, open: false })
  expect(existsSync(report.path)).toBe(true)
  await page.reload()
  await goTo(page, `#/study/${studyId}/files`)
  const { artifacts } = await viewOf(page)
  await page.getByText(report.path).waitFor()
  expect(await page.getByRole('button', { name: /^Show / }).count()).toBe(artifacts.length)
  for (const artifact of artifacts) expect(existsSync(artifact.path), artifact.path).toBe(true)
})

it('lists every run, opens one by keyboard, and saves its curve as numbers', async () => {
  const { page, app } = lab
  await goTo(page, '#/runs')
  const runs = await ask<readonly { id: string; name: string }[]>(page, 'runs.list')
  const rows = page.getByRole('table', { name: 'Runs' }).locator('tbody .line')
  await rows.first().waitFor()
  expect(await rows.count()).toBe(runs.length)
  await rows.first().focus()
  await page.keyboard.press('ArrowDown')
  // Mark, status, name.
  const name = await rows.nth(1).locator('td').nth(2).innerText()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name }).waitFor()
  await page.locator('.frame canvas').first().waitFor()

  const saved = app.evaluate(
    ({ session }, path) =>
      new Promise<string>((resolve) =>
        session.defaultSession.once('will-download', (_event, item) => {
          item.setSavePath(path)
          item.once('done', (_done, state) => resolve(state))
        }),
      ),
    `${lab.folder}/loss.csv`,
  )
  await page.getByRole('button', { name: /^Save “Does the loss fall/ }).click()
  await page.getByRole('menuitem', { name: 'Numbers (CSV)' }).click()
  expect(await saved).toBe('completed')
  expect(existsSync(`${lab.folder}/loss.csv`)).toBe(true)
})

it('draws runs over each other that Space selects, and C says in what they differ', async () => {
  const { page } = lab
  await goTo(page, '#/runs')
  const table = page.getByRole('table', { name: 'Runs' })
  for (const stage of ['SFT on the chosen answers', 'DPO on the pairs']) {
    await table.locator('.line', { hasText: stage }).first().focus()
    await page.keyboard.press(' ')
  }
  await page.locator('.curves .frame canvas').first().waitFor()
  expect(await isDrawn(page, '.curves .frame canvas')).toBe(true)
  await page.keyboard.press('c')
  await page.getByRole('heading', { level: 1, name: 'Runs compared' }).waitFor()
  await page.getByRole('row', { name: /training.objective.kind sft dpo/ }).waitFor()
  await lab.app.evaluate(({ dialog }, path) => {
    dialog.showOpenDialog = (async () => ({ canceled: false, filePaths: [path] })) as typeof dialog.showOpenDialog
  }, lab.folder)
  await page.getByRole('button', { name: 'Save logs' }).click()
  await page.getByRole('menuitem', { name: /TensorBoard/ }).click()
  const written = await page.getByRole('dialog', { name: 'The logs are written' }).locator('.path').innerText()
  expect(readdirSync(written, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('tfevents'))).toHaveLength(2)
  await page.keyboard.press('Escape')
  expect(await page.getByRole('row', { name: /training.steps/ }).count()).toBe(0)
  await page.keyboard.press('Escape')
  await page.keyboard.press('Escape')
})

it('keeps a note and a tag, and shows where a run comes from', async () => {
  const { page } = lab
  const { runs } = await viewOf(page)
  const dpo = runs.find(({ phaseId }) => phaseId === 'seed-0/dpo')!
  await goTo(page, `#/runs/${dpo.id}/lineage`)
  await page.getByRole('textbox', { name: 'Add a tag' }).or(page.getByRole('combobox', { name: 'Add a tag' })).fill('best')
  await page.keyboard.press('Enter')
  await page.getByLabel('Notes on this run').getByText('best').waitFor()
  await page.getByRole('textbox', { name: 'Note on this run' }).fill('Seen to the end.')
  await page.getByRole('tab', { name: 'Lineage' }).focus()
  await page.waitForFunction((id) => (window as any).lab.ask('runs.get', { runId: id }).then((reply: any) => reply.value.row.note === 'Seen to the end.'), dpo.id)
  for (const name of ['sight-test preferences', 'stage 1b', 'vision encoder dpo']) await page.locator('.node', { hasText: name }).first().waitFor()
  await page.locator('.node', { hasText: 'stage 1b' }).click()
  await page.getByRole('heading', { level: 1, name: /stage 1b/ }).waitFor()
})

it('answers a question about a dropped picture, word by word, and keeps the answer', async () => {
  const { page } = lab
  const dpo = (await viewOf(page)).runs.find(({ phaseId }) => phaseId === 'seed-0/dpo')!
  await goTo(page, `#/models/${dpo.id}`)
  const [image] = readdirSync(`${lab.folder}/project/images`, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.png'))
  const bytes = [...readFileSync(`${lab.folder}/project/images/${image}`)]
  await page.locator('.drop').evaluate((zone, bytes) => {
    const dataTransfer = new DataTransfer()
    dataTransfer.items.add(new File([new Uint8Array(bytes)], 'scene.png', { type: 'image/png' }))
    zone.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }))
  }, bytes)
  await page.waitForFunction(() => (document.querySelector<HTMLImageElement>('.drop img')?.naturalWidth ?? 0) > 0)
  await page.getByRole('textbox', { name: 'Question' }).fill('What is in the picture?')
  // So hot that nearly every token is as likely as another: a model that has learned next to nothing would else end at once.
  await page.getByText('How the next word is chosen').click()
  await page.getByLabel('Temperature').fill('10')
  await page.getByLabel('Longest answer').fill('12')
  await page.getByRole('textbox', { name: 'Question' }).focus()
  await page.keyboard.press('Control+Enter')
  const article = page.getByRole('article').first()
  await article.getByText(/tokens, /).waitFor({ timeout: minutes(1) })
  const [answer] = await ask<readonly AnswerView[]>(page, 'models.answers', { model: dpo.id })
  expect(answer).toMatchObject({ status: 'finished', failure: null, question: { question: 'What is in the picture?' } })
  expect(answer!.tokens.length).toBeGreaterThan(0)
  expect(await article.locator('.token').count()).toBe(answer!.tokens.length)
  expect(answer!.image).toMatch(/^[0-9a-f]{64}$/)
})

it.each([
  ['Hugging Face', 'config.json'],
  ['ONNX', 'model.onnx'],
])('exports an encoder as %s in the utility process, checks it, and says its hash', async (format, file) => {
  const { page } = lab
  const dpo = (await viewOf(page)).runs.find(({ phaseId }) => phaseId === 'seed-0/dpo')!
  await goTo(page, `#/runs/${dpo.id}/files`)
  await page.getByRole('button', { name: 'Export…' }).click()
  const dialog = page.getByRole('dialog', { name: 'Export' })
  await dialog.getByText(format, { exact: true }).click()
  await dialog.getByRole('button', { name: 'Export', exact: true }).click()
  await dialog.getByText(/^(Verified|Not verified)/).waitFor({ timeout: minutes(1) })
  const folder = await dialog.locator('.facts dd').first().innerText()
  expect(existsSync(`${folder}/${file}`)).toBe(true)
  expect(await dialog.locator('.facts dd').nth(1).innerText()).toBe(createHash('sha256').update(readFileSync(`${folder}/manifest.json`)).digest('hex'))
  await dialog.getByRole('button', { name: 'Check the files' }).click()
  await dialog.getByText('each is what was written').waitFor()
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
}, minutes(2))

it('says at once what is in a chosen folder, trains from it, and knows it from then on', async () => {
  const { page, app } = lab
  const { runs } = await viewOf(page)
  const { checkpoints } = await ask<RunView>(page, 'runs.get', { runId: runs.find(({ phaseId }) => phaseId === 'seed-0/sft')!.id })
  const folder = checkpoints.at(-1)!.folder
  await app.evaluate(({ dialog }, path) => {
    dialog.showOpenDialog = (async () => ({ canceled: false, filePaths: [path] })) as typeof dialog.showOpenDialog
  }, folder)
  await goTo(page, `#/runs/new/${encodeURIComponent(JSON.stringify({ name: 'From a folder', dataset: 'sight-test preferences', training: { steps: 2, batchSize: 4 } }))}`)
  await page.getByRole('combobox', { name: 'Start from' }).click()
  await page.getByRole('option', { name: 'A model folder' }).click()
  await page.getByRole('button', { name: 'Choose a folder: Folder' }).click()
  await page.getByText(/^Model of the lab \(llava\)/).waitFor()
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await page.getByRole('heading', { level: 1, name: 'From a folder' }).waitFor()
  const started = (await ask<readonly { id: string; name: string }[]>(page, 'runs.list')).find(({ name }) => name === 'From a folder')!
  await page.getByText('finished').first().waitFor({ timeout: minutes(1) })
  expect((await ask<RunView>(page, 'runs.get', { runId: started.id })).config!.start).toMatchObject({ kind: 'checkpoint', folder })
  await goTo(page, '#/models')
  await page.locator('.item', { hasText: folder.split('/').at(-1)! }).first().waitFor()
}, minutes(2))

it.each(['light', 'dark'] as const)(
  'can be read by everybody when it is full of results, in %s',
  async (theme) => {
    const { page } = lab
    await ask(page, 'settings.set', { theme })
    await page.reload()
    const found: string[] = []
    const [run] = await ask<readonly { id: string }[]>(page, 'runs.list')
    for (const hash of [
      ...['progress', 'results', 'maps', 'parity', 'config', 'files'].map((section) => `#/study/${studyId}/${section}`),
      '#/study',
      '#/runs',
      `#/runs/${run!.id}`,
      `#/runs/${run!.id}/lineage`,
      `#/models/${run!.id}`,
      `#/models/${run!.id}/contents`,
      '#/data',
    ]) {
      await goTo(page, hash)
      await page.waitForSelector('.room h1')
      await page.waitForTimeout(500)
      found.push(...(await seriousFaults(page)).map((fault) => `${hash} ${fault}`))
    }
    expect(found).toEqual([])
  },
  minutes(4),
)

it('has said nothing on the console', () => {
  expect(lab.complaints).toEqual([])
})
