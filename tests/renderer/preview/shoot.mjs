// Pictures of the previewed window, to be looked at: `node shoot.mjs <folder> [name filter]` with the preview served and
// a DISPLAY. Electron is started bare, with a lab-image: scheme that draws a scene.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { _electron } from 'playwright-core'

const [folder, filter = ''] = process.argv.slice(2)
mkdirSync(folder, { recursive: true })
const eight = new URLSearchParams(['study-1/stage-1', 'study-1/sft', 'study-1/dpo', 'run-7@100', 'run-7@150', 'folder-siglip', 'folder-clip', 'folder-dino'].map((id) => ['e', id])).toString()
const scenes = [
  ['welcome', 'empty', '#/study'],
  ['study-list', 'running', '#/study'],
  ['study-progress', 'running', '#/study/study-1'],
  ['study-results', 'done', '#/study/study-1/results'],
  ['study-maps', 'done', '#/study/study-1/maps'],
  ['study-parity', 'done', '#/study/study-1/parity'],
  ['study-config', 'done', '#/study/study-1/config'],
  ['study-new', 'done', '#/study/new'],
  ['runs', 'running', '#/runs'],
  ['run', 'running', `#/runs/${encodeURIComponent('seed-1/dpo')}`],
  ['runs-compare', 'running', `#/runs/compare/${encodeURIComponent('seed-0/sft seed-0/dpo own-1')}`],
  ['run-lineage', 'running', `#/runs/${encodeURIComponent('seed-0/dpo')}/lineage`],
  ['run-grpo', 'running', '#/runs/own-2'],
  ['run-failed', 'running', '#/runs/own-1'],
  ['run-new', 'running', '#/runs/new'],
  ['run-ask', 'running', '#/runs/own-1/ask'],
  ['models', 'running', '#/models'],
  ['models-parity', 'running', '#/models/parity'],
  ['model-classify', 'running', `#/models/${encodeURIComponent('/home/ada/models/clip-vit-base-patch32')}/classify`],
  ['model-ask', 'running', '#/models/own-1'],
  ['model-contents', 'running', '#/models/own-1/contents'],
  ...['result', 'items', 'maps', 'transplant', 'sweeps', 'benchmarks'].map((page) => [`compare-${page}`, 'done', `#/compare/${page}/${encodeURIComponent(eight)}`]),
  ['compare-one', 'done', `#/compare/result/${encodeURIComponent('e=study-1%2Fdpo')}`],
  ['data', 'running', '#/data'],
  ['doctor', 'running', '#/doctor'],
  ['labelling', 'running', '#/labelling'],
  ['labelling-empty', 'empty', '#/labelling'],
  ['labelling-new', 'running', '#/labelling/new'],
  ['labelling-judge', 'running', '#/labelling/queue-1/judge'],
  ['labelling-break', 'break', '#/labelling/queue-1/judge'],
  ['labelling-finished', 'finished-queue', '#/labelling/queue-1/judge'],
  ['labelling-trust', 'running', '#/labelling/queue-1/trust'],
  ['labelling-output', 'running', '#/labelling/queue-1/output'],
  ['labelling-pairs', 'running', '#/labelling/pairs'],
]
const app = await _electron.launch({
  args: [join(import.meta.dirname, 'electron-shell.cjs'), '--disable-gpu', '--no-sandbox'],
  timeout: 20_000,
})
const page = await app.firstWindow()
page.on(
  'console',
  (message) => ['error', 'warning'].includes(message.type()) && console.log(`[${message.type()}]`, message.text()),
)
page.on('pageerror', (error) => console.log('[page error]', error.message))
for (const [width, height] of [
  [1280, 800],
  [2560, 1440],
])
  for (const scheme of ['light', 'dark'])
    for (const [name, scene, address] of scenes) {
      const file = `${name}-${scheme}-${width}`
      if (!new RegExp(filter).test(file)) continue
      await app.evaluate(
        ({ BrowserWindow }, [width, height]) => BrowserWindow.getAllWindows()[0].setContentSize(width, height),
        [width, height],
      )
      await page.emulateMedia({ colorScheme: scheme })
      await page.goto('about:blank')
      await page.goto(`http://localhost:5199/tests/renderer/preview/index.html?scene=${scene}${address}`)
      await page.waitForSelector('.room h1', { timeout: 60_000 })
      await page.waitForTimeout(900)
      await page.screenshot({ path: join(folder, `${file}.png`) })
    }
await app.close()
