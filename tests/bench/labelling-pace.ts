// From the key to the next item on screen, by real keys in the real Electron: the judgement stored, the answer back, the
// item drawn and its picture decoded. Pressed as fast as the window lets, which leaves the prefetch no time to think.

import type { Page } from 'playwright-core'
import type { QueueRow } from '../../src-main/domain/labelling/queue.ts'
import { ask, goTo, makeLabFolder } from '../app/open-lab.ts'
import { measureOf, type RoomMeasure } from './room-measure.ts'

declare global {
  interface Window {
    labellingPace: number[]
  }
}

/** Needs a screen (DISPLAY) and the build. */
export async function* labellingPace(items: number, imageSide: number): AsyncGenerator<RoomMeasure> {
  const folder = await makeLabFolder()
  try {
    const { page } = await folder.open()
    await ask(page, 'datasets.createSightTest', {
      settings: { seed: 1, imageSize: imageSide, scenes: { train: Math.ceil(items / 2), validation: 2, test: 2 }, pairs: { train: items, test: 2 } },
    })
    const { queueId } = await ask<{ queueId: string }>(page, 'labelling.create', {
      name: 'pace',
      source: { kind: 'pairs', dataset: 'sight-test preferences', limit: items },
      settings: { repeatShare: 0 },
    })
    await ask(page, 'settings.set', { labeller: 'Script' })
    await page.reload()
    const { slots } = await ask<QueueRow>(page, 'labelling.queue', { queueId })
    await goTo(page, `#/labelling/${queueId}/judge`)
    await page.locator('.stage').waitFor()
    await install(page)
    // The last key shows the end and no item.
    for (let i = 0; i < slots - 1; i++) {
      await page.keyboard.press(['1', '2', 'ArrowLeft', 'ArrowDown', 'ArrowRight'][i % 5]!)
      await page.waitForFunction((done) => window.labellingPace.length > done, i, { polling: 4 }).catch(async () => {
        throw new Error(`no item followed key ${i + 1} of ${slots - 1}; the page says: ${(await page.locator('.judge').innerText()).slice(0, 400)}`)
      })
    }
    const times = await page.evaluate(() => window.labellingPace)
    yield measureOf(`${items} items of ${imageSide} × ${imageSide} pixels: from the key to the next item`, 'ms', times, { goal: 50 })
  } finally {
    await folder.remove()
  }
}

/** Notes the time from each key's own time stamp to the first frame after the next item and its picture are there. */
async function install(page: Page): Promise<void> {
  await page.evaluate(() => {
    window.labellingPace = []
    let pressedAt = 0
    addEventListener('keydown', (event) => (pressedAt = event.timeStamp), true)
    new MutationObserver(() => {
      const began = pressedAt
      const image = document.querySelector<HTMLImageElement>('.image-frame img')
      // A picture that was replaced while it was decoded is no longer waited for.
      void (image?.decode().catch(() => {}) ?? Promise.resolve()).then(() =>
        // A message posted in a frame's callback arrives when that frame has been handed to the screen.
        requestAnimationFrame(() => {
          const channel = new MessageChannel()
          channel.port1.onmessage = () => window.labellingPace.push(performance.now() - began)
          channel.port2.postMessage(null)
        }),
      )
    }).observe(document.querySelector('.judge > [aria-live]')!, { childList: true, characterData: true, subtree: true })
  })
}
