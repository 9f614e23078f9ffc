// Pictures of every room, light and dark, of a project that holds a finished study: for resources/screenshots and to be
// looked at. `npm exec -- node tests/app/take-screenshots.ts <project folder> [output folder]`, with a screen and a build.
// The project is opened as it is; only its setting of colours is changed, and put back.

import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ask, goTo, makeLabFolder } from './open-lab.ts'

const [project, output = join(import.meta.dirname, '../../resources/screenshots')] = process.argv.slice(2)
if (project === undefined) throw new Error('which project? Give the folder of one that holds a finished study')
await mkdir(output, { recursive: true })

const folder = await makeLabFolder(resolve(project))
try {
  const { page, complaints } = await folder.open()
  const before = await ask<{ theme: string }>(page, 'settings.get')
  const study = (await ask<readonly { id: string; status: string }[]>(page, 'studies.list')).find(
    ({ status }) => status === 'finished',
  )
  const run = (await ask<readonly { id: string; objective: string; studyId: string | null }[]>(page, 'runs.list')).find(
    ({ objective, studyId }) => objective === 'dpo' && studyId === study?.id,
  )
  if (study === undefined || run === undefined) throw new Error(`${project} holds no finished study`)
  const objects = (await ask<readonly { id: string; kind: string }[]>(page, 'datasets.list')).find(({ kind }) => kind === 'objects')
  const rooms = {
    'study-list': '#/study',
    'study-new': '#/study/new',
    'study-progress': `#/study/${study.id}/progress`,
    'study-results': `#/study/${study.id}/results`,
    'study-maps': `#/study/${study.id}/maps`,
    'study-parity': `#/study/${study.id}/parity`,
    compare: '#/compare',
    'compare-items': '#/compare/items',
    'compare-maps': '#/compare/maps',
    'compare-representation': '#/compare/representation',
    'compare-transplant': '#/compare/transplant',
    'compare-gradients': '#/compare/gradients',
    'compare-sweeps': '#/compare/sweeps',
    'compare-benchmarks': '#/compare/benchmarks',
    runs: '#/runs',
    run: `#/runs/${run.id}`,
    data: '#/data',
    'data-browse': '#/data/all',
    ...(objects && { 'data-quality': `#/data/${objects.id}/quality`, 'data-versions': `#/data/${objects.id}/versions` }),
    models: '#/models',
    doctor: '#/doctor',
  }
  for (const theme of ['light', 'dark']) {
    await ask(page, 'settings.set', { theme })
    await page.reload()
    for (const [name, hash] of Object.entries(rooms)) {
      await goTo(page, hash)
      await page.waitForFunction(
        () => document.querySelector('.room h1') !== null && document.querySelector('.skeleton') === null,
        undefined,
        { timeout: 60_000 },
      )
      await page.getByText('Computing the maps').waitFor({ state: 'hidden', timeout: 60_000 })
      // Canvases are painted a moment after the page is complete.
      await page.waitForTimeout(900)
      await page.mouse.move(0, 0)
      await page.screenshot({ path: join(output, `${name}-${theme}.png`) })
    }
    await goTo(page, rooms['study-results'])
    await page
      .locator('.frame')
      .last()
      .evaluate((frame) => frame.scrollIntoView({ block: 'start' }))
    await page.waitForTimeout(600)
    await page.screenshot({ path: join(output, `study-differences-${theme}.png`) })
  }
  await ask(page, 'settings.set', { theme: before.theme })
  if (complaints.length > 0) console.warn(complaints.join('\n'))
} finally {
  await folder.remove()
}
