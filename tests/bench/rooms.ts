// `npm run bench -- --rooms [part …]`: how fast the Data and Labelling rooms are at the size of a real project. Every part can be
// asked for by name, and what one has measured stands when another breaks.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureBuilt } from '../../resources/setup/build-app.mjs'
import { ensureElectron } from '../../resources/setup/ensure-electron.mjs'
import { ensureElectronLibraries } from '../../resources/setup/electron-libraries.mjs'
import { ensureXvfb, withVirtualDisplay } from '../../resources/setup/virtual-display.mjs'
import { measureImport } from './import-pace.ts'
import { labellingPace } from './labelling-pace.ts'
import { largeProjects, type LargeProjects } from './large-project.ts'
import { measureQueries } from './query-pace.ts'
import { lineOf, tableOf, type RoomMeasure } from './room-measure.ts'
import { windowPace } from './window-pace.ts'

const SIZES = { imported: 20_000, images: 100_000, pairs: 200_000, labelled: 501, imageSide: 512 }

const PARTS: Readonly<Record<string, (projects: LargeProjects) => AsyncGenerator<RoomMeasure>>> = {
  import: () => measureImport(SIZES.imported),
  queries: measureQueries,
  window: windowPace,
  labels: () => labellingPace(SIZES.labelled, SIZES.imageSide),
}
export const ROOM_PARTS: readonly string[] = Object.keys(PARTS)
const ON_SCREEN = ['window', 'labels']

/**
 * @param parts  names of ROOM_PARTS; none: all
 * @param cache  a folder in which the large project is kept, so that the next bench need not write it; null: none
 * @returns 1 when a part broke, 2 when a name is unknown
 */
export async function benchRooms(parts: readonly string[], cache: string | null, isJson: boolean): Promise<number> {
  const unknown = parts.find((part) => !ROOM_PARTS.includes(part))
  if (unknown !== undefined) {
    process.stderr.write(`--rooms has no part "${unknown}"; it has ${ROOM_PARTS.join(', ')}\n`)
    return 2
  }
  const asked = parts.length === 0 ? ROOM_PARTS : ROOM_PARTS.filter((part) => parts.includes(part))
  const folder = mkdtempSync(join(tmpdir(), 'pivot-lab-rooms-'))
  const projects = largeProjects(cache ?? folder, folder, SIZES)
  const measured: RoomMeasure[] = []
  const broken: string[] = []
  const measure = async (part: string) => {
    const began = performance.now()
    try {
      for await (const each of PARTS[part]!(projects)) {
        measured.push(each)
        process.stdout.write(`${isJson ? JSON.stringify({ bench: part, ...each }) : lineOf(each)}\n`)
      }
    } catch (thrown) {
      broken.push(part)
      process.stderr.write(`${part} broke off: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`)
    }
    if (!isJson) process.stdout.write(`— ${part}: ${((performance.now() - began) / 1000).toFixed(0)} s\n`)
  }
  try {
    for (const part of asked.filter((each) => !ON_SCREEN.includes(each))) await measure(part)
    const onScreen = asked.filter((each) => ON_SCREEN.includes(each))
    if (onScreen.length > 0) await withScreen(async () => {
      for (const part of onScreen) await measure(part)
    })
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  if (!isJson) process.stdout.write(`\n${tableOf(measured)}\n`)
  return broken.length === 0 ? 0 : 1
}

async function withScreen(work: () => Promise<void>): Promise<void> {
  await ensureElectron()
  await ensureElectronLibraries()
  await ensureXvfb()
  await ensureBuilt()
  await withVirtualDisplay(async (display: string) => {
    process.env['DISPLAY'] = display
    process.env['WAYLAND_DISPLAY'] = ''
    await work()
  })
}
