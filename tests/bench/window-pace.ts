// The Data room at the size of a real project, in the real Electron: how long until the first picture, how much of a frame the
// window works while one scrolls or moves the map, and how long a filter takes from the click to the drawn answer.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import type { PlacedEvent } from '../../src-main/domain/data-job.ts'
import type { DatasetRow } from '../../src-main/domain/dataset-view.ts'
import type { JobEvent, Runner } from '../../src-main/domain/job.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import { sampleFilterSchema } from '../../src-main/domain/sample-query.ts'
import { sha256 } from '../../src-main/jobs/files.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { goTo, makeLabFolder } from '../app/open-lab.ts'
import { openLab } from './bench-lab.ts'

export interface WindowMeasure {
  readonly what: string
  readonly n: number
  readonly medianMs: number
  readonly p95Ms: number
  readonly worstMs: number
  /** Of the page's own thread per frame, mean processor time: what other work on the machine does not change. null: not of frames. */
  readonly threadMs: number | null
  /** Milliseconds; null: none was set. */
  readonly goalMs: number | null
}

declare global {
  interface Window {
    framePace: { work: number[]; interval: number[]; isOn: boolean }
  }
}

const PICTURES = 400
const SIDE = 160

/** Needs a screen (DISPLAY) and the build. */
export async function* windowPace(images: number, pairs: number): AsyncGenerator<WindowMeasure> {
  const project = mkdtempSync(join(tmpdir(), 'pivot-lab-window-'))
  const folder = await makeLabFolder(project)
  try {
    await writeProject(project, images, pairs)
    const began = performance.now()
    const { page } = await folder.open({ width: 1440, height: 900 })
    yield once('open the project: first page of the window', performance.now() - began)
    const datasets = await page.evaluate(() => (window as any).lab.ask('datasets.list')).then((reply: any) => reply.value as DatasetRow[])
    const [ofImages, ofPairs] = ['images', 'pairs'].map((name) => datasets.find((each) => each.name === name)!.id) as [string, string]
    await installFrames(page)

    for (const [name, id] of [['images', ofImages], ['pairs', ofPairs]] as const) {
      await goTo(page, '#/data')
      await page.getByRole('table', { name: 'Datasets' }).waitFor()
      const asked = performance.now()
      await goTo(page, `#/data/${id}`)
      await page.waitForFunction(() => [...document.querySelectorAll<HTMLImageElement>('[role="option"] img')].some((image) => image.complete && image.naturalWidth > 0), undefined, { polling: 'raf' })
      yield once(`${name}: from the list to the first picture`, performance.now() - asked)
      await page.waitForFunction(() => document.querySelectorAll('.facet, .group').length > 4)
      await page.waitForTimeout(500)
      yield* frames(page, `${name}: scrolling, a screen in half a second`, () => scroll(page, 300, 30))
      yield* frames(page, `${name}: scrolling, ten screens in half a second`, () => scroll(page, 120, 240))
      yield* filters(page, name)
    }

    await goTo(page, `#/data/${ofImages}/map`)
    await page.locator('.map canvas').waitFor()
    await page.getByText(/images;/).waitFor({ timeout: 60_000 })
    await page.waitForTimeout(1500)
    yield* frames(page, `map of ${images} images: moving`, () => dragMap(page))
    yield* frames(page, `map of ${images} images: zooming`, () => zoomMap(page))
    yield* frames(page, `map of ${images} images: meeting points`, () => hoverMap(page))
  } finally {
    await folder.remove()
    rmSync(project, { recursive: true, force: true })
  }
}

/** Rows as an import would tell them; many images share the bytes of a few hundred files, each under a hash of its own. */
async function writeProject(project: string, images: number, pairs: number): Promise<void> {
  mkdirSync(join(project, 'images', 'pool'), { recursive: true })
  const random = createRandom(2, 'window')
  for (let i = 0; i < PICTURES; i++) {
    const hue = [random.integer(256), random.integer(256), random.integer(256)]
    const data = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, at) => (hue[at % 3]! + Math.floor(at / (3 * SIDE)) + random.integer(12)) % 256)
    writeFileSync(join(project, 'images', 'pool', `${i}.png`), encodePng({ width: SIDE, height: SIDE, data }))
  }
  const hashes = Array.from({ length: images }, (_, i) => sha256(`image ${i}`))
  const sampleOf = (i: number, isPair: boolean): PlacedEvent => ({
    kind: 'sample',
    split: i % 10 === 0 ? 'test' : i % 10 === 1 ? 'validation' : 'train',
    source: `scene ${i % 5000}`,
    image: { sha256: hashes[i % images]!, path: `images/pool/${i % PICTURES}.png`, width: 64 + ((i * 37) % 900), height: 64 + ((i * 53) % 700), bytes: 9000 + (i % 999), format: i % 3 === 0 ? 'png' : 'jpeg' },
    content: isPair
      ? { kind: 'preferences', prompt: `<image>\nWhat is left of thing ${i % 977} in scene ${i}?`, chosen: `A thing of kind ${i % 83}, near the window.`, rejected: 'Nothing at all.', group: ['general', 'text'][i % 2]!, category: `kind ${i % 40}`, region: [] }
      : { kind: 'objects', objects: [{ category: `class ${i % 60}`, box: [0, 0, 10, 10], mask: null }] },
  })
  const invented: Runner = async function* (job): AsyncGenerator<JobEvent> {
    if (job.kind === 'import') {
      const isPairs = job.path.endsWith('pairs')
      const n = isPairs ? pairs : images
      for (let from = 0; from < n; from += 1000) yield { kind: 'imported', rows: Array.from({ length: Math.min(1000, n - from) }, (_, k) => sampleOf(from + k, isPairs)) }
    }
    if (job.kind === 'image-features') yield { kind: 'artifact', name: 'features', path: '/none' }
    if (job.kind === 'map-features') {
      // Sixty clouds, one a class.
      const centre = Array.from({ length: 60 }, () => [12 * random.normal(), 12 * random.normal()] as const)
      const at = (axis: 0 | 1) => job.images.map((_, i) => centre[i % 60]![axis] + random.normal())
      yield { kind: 'answer', value: { x: at(0), y: at(1), explained: 0.4 } }
    }
  }
  const lab = openLab(project, invented)
  await lab.datasets.import({ path: '/data/images', name: 'images' })
  await lab.datasets.import({ path: '/data/pairs', name: 'pairs' })
  const filter = sampleFilterSchema.parse({ datasetId: lab.datasets.named('images').id })
  const { taskId } = lab.checks.startMap({ filter, checkpoint: '/model', method: 'pca', seed: 0, neighbours: 15 })
  await lab.tasks.ended(taskId)
  await lab.close()
}

/** Notes for each frame how long the window worked on it (script, style, layout, painting) and how long after the last it came. */
async function installFrames(page: Page): Promise<void> {
  await page.evaluate(() => {
    const pace = (window.framePace = { work: [] as number[], interval: [] as number[], isOn: false })
    let last = 0
    const frame = (at: number) => {
      const channel = new MessageChannel()
      // A message posted in a frame's callback arrives when that frame has been handed to the screen.
      channel.port1.onmessage = () => pace.isOn && pace.work.push(performance.now() - at)
      channel.port2.postMessage(null)
      if (pace.isOn && last > 0) pace.interval.push(at - last)
      last = at
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  })
}

async function* frames(page: Page, what: string, move: () => Promise<void>): AsyncGenerator<WindowMeasure> {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  const busy = async () => (await session.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration')!.value
  const before = await busy()
  await page.evaluate(() => Object.assign(window.framePace, { work: [], interval: [], isOn: true }))
  await move()
  const { work, interval } = await page.evaluate(() => {
    window.framePace.isOn = false
    return { work: window.framePace.work, interval: window.framePace.interval }
  })
  const threadMs = (1000 * ((await busy()) - before)) / Math.max(1, work.length)
  await session.detach()
  yield { ...summary(`${what}: work in a frame`, work, 16), threadMs }
  yield summary(`${what}: from frame to frame`, interval, null)
}

/** Scrolls within the page, a step a frame: what is measured is the window and not the driver. */
const scroll = (page: Page, steps: number, pixels: number) =>
  page.evaluate(
    ([steps, pixels]) =>
      new Promise<void>((resolve) => {
        const scroller = document.querySelector('[role="listbox"]')!
        let left = steps!
        const step = () => {
          scroller.scrollTop += pixels!
          if (--left > 0) requestAnimationFrame(step)
          else resolve()
        }
        requestAnimationFrame(step)
      }),
    [steps, pixels],
  )

async function* filters(page: Page, name: string): AsyncGenerator<WindowMeasure> {
  const boxes = page.locator('aside input[type="checkbox"]')
  const times: number[] = []
  for (let i = 0; i < 24; i++) {
    const box = boxes.nth([0, 0, 1, 1, 4, 4][i % 6]!)
    times.push(
      await box.evaluate(
        (input: HTMLInputElement) =>
          new Promise<number>((resolve) => {
            const listbox = document.querySelector('.middle')!
            const total = () => document.querySelector('.middle .tools strong')?.textContent
            const before = total()
            const began = performance.now()
            const look = new MutationObserver(() => {
              if (total() === before) return
              look.disconnect()
              requestAnimationFrame(() => {
                const channel = new MessageChannel()
                channel.port1.onmessage = () => resolve(performance.now() - began)
                channel.port2.postMessage(null)
              })
            })
            look.observe(listbox, { childList: true, characterData: true, subtree: true })
            input.click()
            // A box that changes nothing (all samples have it) ends by itself and is not counted.
            setTimeout(() => (look.disconnect(), resolve(Number.NaN)), 1500)
          }),
      ),
    )
    await page.waitForTimeout(250)
  }
  yield summary(`${name}: a filter, from the click to the drawn answer`, times.filter((time) => !Number.isNaN(time)), 50)
}

async function centre(page: Page): Promise<readonly [number, number]> {
  const { x, y, width, height } = (await page.locator('.map').boundingBox())!
  return [x + width / 2, y + height / 2]
}
async function dragMap(page: Page): Promise<void> {
  const [x, y] = await centre(page)
  await page.mouse.move(x, y)
  await page.mouse.down()
  for (let i = 0; i < 120; i++) await page.mouse.move(x + 140 * Math.sin(i / 12), y + 100 * Math.cos(i / 9) - 100)
  await page.mouse.up()
}
async function zoomMap(page: Page): Promise<void> {
  await page.mouse.move(...(await centre(page)))
  for (let i = 0; i < 60; i++) await page.mouse.wheel(0, i < 30 ? -40 : 40)
}
async function hoverMap(page: Page): Promise<void> {
  const [x, y] = await centre(page)
  for (let i = 0; i < 80; i++) await page.mouse.move(x + 2 * i - 80, y + 60 * Math.sin(i / 7))
}

const once = (what: string, ms: number): WindowMeasure => ({ what, n: 1, medianMs: ms, p95Ms: ms, worstMs: ms, threadMs: null, goalMs: null })

function summary(what: string, times: readonly number[], goalMs: number | null): WindowMeasure {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
  return { what, n: sorted.length, medianMs: at(0.5), p95Ms: at(0.95), worstMs: sorted.at(-1) ?? Number.NaN, threadMs: null, goalMs }
}
