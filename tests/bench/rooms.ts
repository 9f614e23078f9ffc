// `npm run bench -- --rooms`: how fast the rooms of the window answer, in the real Electron on a screen of its own.

import { ensureBuilt } from '../../resources/setup/build-app.mjs'
import { ensureElectron } from '../../resources/setup/ensure-electron.mjs'
import { ensureElectronLibraries } from '../../resources/setup/electron-libraries.mjs'
import { ensureXvfb, withVirtualDisplay } from '../../resources/setup/virtual-display.mjs'
import { labellingPace } from './labelling-pace.ts'
import { windowPace } from './window-pace.ts'

const BROWSED = { images: 100_000, pairs: 200_000 }
const LABELLED = { items: 501, imageSide: 512 }

export async function benchRooms(isJson: boolean): Promise<void> {
  await ensureElectron()
  await ensureElectronLibraries()
  await ensureXvfb()
  await ensureBuilt()
  await withVirtualDisplay(async (display: string) => {
    process.env['DISPLAY'] = display
    process.env['WAYLAND_DISPLAY'] = ''
    for await (const measure of windowPace(BROWSED.images, BROWSED.pairs)) {
      const { what, n, medianMs, p95Ms, worstMs, threadMs, goalMs } = measure
      if (isJson) process.stdout.write(`${JSON.stringify({ bench: 'window', ...measure })}\n`)
      else
        process.stdout.write(
          n === 1
            ? `${what}: ${medianMs.toFixed(0)} ms\n`
            : `${what}: median ${medianMs.toFixed(1)} ms, p95 ${p95Ms.toFixed(1)} ms, worst ${worstMs.toFixed(1)} ms, ${n} measured${threadMs === null ? '' : `, ${threadMs.toFixed(1)} ms of processor time each`}${goalMs === null ? '' : ` (goal: p95 ≤ ${goalMs} ms)`}\n`,
        )
    }
    const pace = await labellingPace(LABELLED.items, LABELLED.imageSide)
    if (isJson) process.stdout.write(`${JSON.stringify({ bench: 'labelling', ...pace })}\n`)
    else
      process.stdout.write(
        `labelling: ${pace.items} items of ${pace.imageSide} × ${pace.imageSide} pixels, key → next item on screen: ` +
          `median ${pace.medianMs.toFixed(1)} ms, p95 ${pace.p95Ms.toFixed(1)} ms, p99 ${pace.p99Ms.toFixed(1)} ms, worst ${pace.worstMs.toFixed(1)} ms (goal: p95 ≤ 50 ms)\n`,
      )
  })
}
