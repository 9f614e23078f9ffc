// Pictures of the Labelling room, light and dark, on a project made for them: the sight test's questions with near misses,
// judged by two people by rule. `npm exec -- node tests/app/take-labelling-screenshots.ts [output folder] [width] [height]`,
// with a screen and a build.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createRandom } from '../../src-main/domain/random.ts'
import type { QueueRow, Upcoming } from '../../src-main/domain/labelling/queue.ts'
import { ask, goTo, makeLabFolder } from './open-lab.ts'

const [output = join(import.meta.dirname, '../../resources/screenshots'), width = '1280', height = '800'] = process.argv.slice(2)
await mkdir(output, { recursive: true })

const folder = await makeLabFolder()
try {
  const { page, complaints } = await folder.open({ width: Number(width), height: Number(height) })
  await ask(page, 'datasets.createSightTest', {
    settings: { seed: 3, imageSize: 512, scenes: { train: 160, validation: 10, test: 60 }, pairs: { train: 160, test: 20 } },
  })
  const { queueId } = await ask<{ queueId: string }>(page, 'labelling.create', {
    name: 'Near misses of the sight test',
    source: { kind: 'near-miss', dataset: 'sight-test questions', split: 'test', limit: 200 },
    settings: { repeatShare: 0.2 },
    guidelines: 'Prefer the answer that the image supports.\n\n- A wrong count is worse than a clumsy sentence.\n- What cannot be seen must not be claimed.\n- Equal in everything that the image shows: tie.',
  })
  await ask(page, 'labelling.create', { name: 'Pairs, judged again', source: { kind: 'pairs', dataset: 'sight-test preferences', limit: 120 } })
  const { slots } = await ask<QueueRow>(page, 'labelling.queue', { queueId })
  for (const [labeller, share, careless] of [['Ben', 0.9, 0.25], ['Ada', 0.55, 0.06]] as const) {
    const random = createRandom(1, labeller)
    let next = await ask<Upcoming>(page, 'labelling.upcoming', { queueId, labeller })
    for (let i = 0; i < slots * share && next.items.length > 0; i++) {
      // By rule, blind like everybody: the answer that comes first in the alphabet, or, carelessly, side A.
      const { ordinal, a, b } = next.items[0]!
      const choice = random.uniform() < careless ? 'a' : random.uniform() < 0.05 ? 'tie' : a < b ? 'a' : 'b'
      const judgement = { queueId, ordinal, labeller, choice, seconds: 2 + 5 * random.uniform() }
      next = await ask<Upcoming>(page, 'labelling.judge', { judgement })
    }
  }
  await ask(page, 'settings.set', { labeller: 'Ada' })
  const rooms = {
    'labelling-queues': '#/labelling',
    'labelling-new': '#/labelling/new',
    'labelling-judge': `#/labelling/${queueId}/judge`,
    'labelling-trust': `#/labelling/${queueId}/trust`,
    'labelling-output': `#/labelling/${queueId}/output`,
    'labelling-pairs': '#/labelling/pairs',
  }
  for (const theme of ['light', 'dark']) {
    await ask(page, 'settings.set', { theme })
    await page.reload()
    for (const [name, hash] of Object.entries(rooms)) {
      await goTo(page, hash)
      await page.waitForFunction(() => document.querySelector('.room h1') !== null && document.querySelector('.skeleton') === null)
      await page.waitForTimeout(700)
      await page.mouse.move(0, 0)
      await page.screenshot({ path: join(output, `${name}-${theme}.png`) })
    }
  }
  if (complaints.length > 0) console.warn(complaints.join('\n'))
} finally {
  await folder.remove()
}
