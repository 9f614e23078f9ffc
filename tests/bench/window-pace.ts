// The Data room at the size of a real project, in the real Electron: how long until the first picture, how much of a frame the
// window works while one scrolls or moves the map, and how long a filter takes from the click to the drawn answer. A page of plain
// boxes is scrolled on the same screen: what it takes is the machine's share.

import type { Page } from 'playwright-core'
import type { DatasetRow } from '../../src-main/domain/dataset-view.ts'
import { ask, goTo, makeLabFolder } from '../app/open-lab.ts'
import type { LargeProjects } from './large-project.ts'
import { measureOf, type RoomMeasure } from './room-measure.ts'

declare global {
  interface Window {
    framePace: { work: number[]; interval: number[]; isOn: boolean }
  }
}

const FRAME_MS = 16
const ANSWER_MS = 50
/** Of a step a frame, down a list. */
const SCROLLS = {
  'a screen in half a second': { steps: 300, pixels: 30 },
  'ten screens in half a second': { steps: 120, pixels: 240 },
} as const
type Floors = Readonly<Record<keyof typeof SCROLLS, Frames>>

/** Needs a screen (DISPLAY) and the build. */
export async function* windowPace(projects: LargeProjects): AsyncGenerator<RoomMeasure> {
  const { project } = await projects.copy('window')
  const folder = await makeLabFolder(project)
  try {
    const began = performance.now()
    const { page } = await folder.open({ width: 1440, height: 900 })
    yield once('open the project: first page of the window', performance.now() - began)
    const datasets = await ask<readonly DatasetRow[]>(page, 'datasets.list')
    const [ofImages, ofPairs] = ['images', 'pairs'].map((name) => datasets.find((each) => each.name === name)!.id) as [string, string]
    await installFrames(page)
    const floors = await plainFloors(page)

    for (const [name, id] of [['images', ofImages], ['pairs', ofPairs]] as const) {
      await goTo(page, '#/data')
      await page.getByRole('table', { name: 'Datasets' }).waitFor()
      const asked = performance.now()
      await goTo(page, `#/data/${id}`)
      await page.waitForFunction(() => [...document.querySelectorAll<HTMLImageElement>('[role="option"] img')].some((image) => image.complete && image.naturalWidth > 0), undefined, { polling: 'raf' })
      yield once(`${name}: from the list to the first picture`, performance.now() - asked)
      await page.waitForFunction(() => document.querySelectorAll('aside .group').length > 4)
      await page.waitForTimeout(500)
      for (const [how, { steps, pixels }] of entries(SCROLLS))
        yield* framesOf(`${name}: scrolling, ${how}`, await measureFrames(page, () => scroll(page, '[role="listbox"]', steps, pixels)), floors[how])
      yield* filters(page, name)
    }
    yield* mapPace(page, ofImages, projects.images)
  } finally {
    await folder.remove()
  }
}

async function* mapPace(page: Page, datasetId: string, images: number): AsyncGenerator<RoomMeasure> {
  const asked = performance.now()
  await goTo(page, `#/data/${datasetId}/map`)
  await page.getByText(/images;/).waitFor({ timeout: 60_000 })
  await page.evaluate(() => new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))))
  const map = `map of ${images} images`
  yield once(`${map}: opening`, performance.now() - asked)
  await page.waitForTimeout(1500)
  yield* framesOf(`${map}: moving`, await measureFrames(page, () => dragMap(page)))
  yield* framesOf(`${map}: zooming`, await measureFrames(page, () => zoomMap(page)))
  yield* framesOf(`${map}: meeting points`, await measureFrames(page, () => hoverMap(page)))
  const total = () => page.locator('.right .tools strong').innerText()
  const before = await total()
  yield* framesOf(`${map}: drawing a line`, await measureFrames(page, () => surround(page)))
  const drawn = performance.now()
  await page.waitForFunction((was) => document.querySelector('.right .tools strong')?.textContent !== was, before, { polling: 'raf', timeout: 20_000 })
  yield once(`${map}: from the line to the samples inside it`, performance.now() - drawn)
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

interface Frames {
  readonly work: readonly number[]
  readonly interval: readonly number[]
  readonly note: string
}

const COUNTED = { TaskDuration: 'ms of the thread', ScriptDuration: 'script', RecalcStyleDuration: 'style', LayoutDuration: 'layout' } as const

/** Processor time of the page's own thread is told beside: other work on the machine changes it least. */
async function measureFrames(page: Page, move: () => Promise<void>): Promise<Frames> {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  const counters = async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    return new Map(metrics.map(({ name, value }) => [name, value]))
  }
  const before = await counters()
  await page.evaluate(() => Object.assign(window.framePace, { work: [], interval: [], isOn: true }))
  await move()
  const { work, interval } = await page.evaluate(() => {
    window.framePace.isOn = false
    return { work: window.framePace.work, interval: window.framePace.interval }
  })
  const after = await counters()
  await session.detach()
  const each = Object.entries(COUNTED).map(([name, what]) => `${((1000 * (after.get(name)! - before.get(name)!)) / Math.max(1, work.length)).toFixed(1)} ${what}`)
  return { work, interval, note: `a frame: ${each.join(', ')}` }
}

function* framesOf(what: string, { work, interval, note }: Frames, floor: Frames | null = null): Generator<RoomMeasure> {
  const least = (times: readonly number[] | undefined) => (times === undefined ? null : measureOf('', 'ms', times).p95)
  yield measureOf(`${what}: work in a frame`, 'ms', work, { goal: FRAME_MS, floor: least(floor?.work), note })
  yield measureOf(`${what}: from frame to frame`, 'ms', interval, { floor: least(floor?.interval) })
}

/** A list of as many coloured boxes as the grid has pictures, in its place, scrolled as it is. */
async function plainFloors(page: Page): Promise<Floors> {
  await page.evaluate(() => {
    const plain = document.createElement('div')
    plain.id = 'plain'
    plain.style.cssText = 'position: fixed; inset: 100px 0 0 270px; z-index: 99; overflow-y: auto; background: white'
    const [side, line, columns] = [148, 190, 7]
    plain.innerHTML = Array.from({ length: 170 * columns }, (_, i) => `<div style="position: absolute; left: ${(i % columns) * (side + 8)}px; top: ${Math.floor(i / columns) * line}px; width: ${side}px; height: ${side}px; background: hsl(${(i * 37) % 360} 50% 60%)"></div>`).join('')
    document.body.append(plain)
  })
  await page.waitForTimeout(300)
  const floors: Partial<Record<keyof Floors, Frames>> = {}
  for (const [how, { steps, pixels }] of entries(SCROLLS)) {
    await page.evaluate(() => (document.querySelector('#plain')!.scrollTop = 0))
    floors[how] = await measureFrames(page, () => scroll(page, '#plain', steps, pixels))
  }
  await page.evaluate(() => document.querySelector('#plain')!.remove())
  return floors as Floors
}

/** Scrolls within the page, a step a frame: what is measured is the window and not the driver. */
const scroll = (page: Page, selector: string, steps: number, pixels: number) =>
  page.evaluate(
    ([selector, steps, pixels]) =>
      new Promise<void>((resolve) => {
        const scroller = document.querySelector(selector)!
        let left = steps
        const step = () => {
          scroller.scrollTop += pixels
          if (--left > 0) requestAnimationFrame(step)
          else resolve()
        }
        requestAnimationFrame(step)
      }),
    [selector, steps, pixels] as const,
  )

/** Ticks boxes and unticks them. Drawn: the new number stands there and every cell in sight says which sample it is. */
async function* filters(page: Page, name: string): AsyncGenerator<RoomMeasure> {
  const boxes = page.locator('aside input[type="checkbox"]')
  const times: { answered: number; drawn: number }[] = []
  for (let i = 0; i < 24; i++) {
    const box = boxes.nth([0, 0, 1, 1, 4, 4][i % 6]!)
    times.push(
      await box.evaluate(
        (input: HTMLInputElement) =>
          new Promise<{ answered: number; drawn: number }>((resolve) => {
            const total = () => document.querySelector('.middle .tools strong')?.textContent
            const isDrawn = () => [...document.querySelectorAll('.middle [role="option"] .caption:first-of-type')].every((caption) => caption.textContent !== '')
            const before = total()
            const began = performance.now()
            let answered = Number.NaN
            const look = () => {
              if (Number.isNaN(answered) && total() !== before) answered = performance.now() - began
              // A box that changes nothing (all samples have it) ends by itself and is not counted.
              if (performance.now() - began > 1500) return resolve({ answered, drawn: Number.NaN })
              if (Number.isNaN(answered) || !isDrawn()) return void requestAnimationFrame(look)
              const channel = new MessageChannel()
              channel.port1.onmessage = () => resolve({ answered, drawn: performance.now() - began })
              channel.port2.postMessage(null)
            }
            input.click()
            requestAnimationFrame(look)
          }),
      ),
    )
    await page.waitForTimeout(250)
  }
  const counted = times.filter(({ drawn }) => !Number.isNaN(drawn))
  yield measureOf(`${name}: a filter, from the click to the number of samples`, 'ms', counted.map(({ answered }) => answered))
  yield measureOf(`${name}: a filter, from the click to the drawn answer`, 'ms', counted.map(({ drawn }) => drawn), { goal: ANSWER_MS })
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

async function surround(page: Page): Promise<void> {
  const [x, y] = await centre(page)
  await page.keyboard.down('Shift')
  await page.mouse.move(x + 150, y)
  await page.mouse.down()
  for (let i = 1; i <= 60; i++) await page.mouse.move(x + 150 * Math.cos(i / 9.5), y + 150 * Math.sin(i / 9.5))
  await page.mouse.up()
  await page.keyboard.up('Shift')
}

const once = (what: string, ms: number): RoomMeasure => measureOf(what, 'ms', [ms])
const entries = <Key extends string, Value>(of: Readonly<Record<Key, Value>>) => Object.entries(of) as [Key, Value][]
