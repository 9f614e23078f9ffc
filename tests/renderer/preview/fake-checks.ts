// Invented checks of models of the preview: reference cases, of which one disagrees, and pictures classified by words.

import type { DataTaskRow } from '../../../src-main/domain/data-task.ts'
import { LabError } from '../../../src-main/domain/errors.ts'
import type { ParityReport } from '../../../src-main/domain/parity.ts'
import { createRandom } from '../../../src-main/domain/random.ts'
import { zeroShotScores, type ZeroShotCell } from '../../../src-main/domain/zero-shot.ts'
import type { Handlers } from '../../../src-preload/contract/operations.ts'

const NOW = Date.now()
const CLASSES = ['bicycle', 'bridge', 'cat', 'coffee mug', 'dog', 'fox', 'guitar', 'piano', 'sailboat', 'tram']

export function fakeChecks(): Pick<Handlers, 'tasks.list' | 'tasks.get' | 'parity.start' | 'parity.reports' | 'zeroShot.start' | 'zeroShot.scores' | 'zeroShot.answers'> {
  const random = createRandom(9, 'checks')
  const cells = CLASSES.flatMap((expected, i): ZeroShotCell[] => {
    const near = CLASSES[(i + 1 + random.integer(2)) % CLASSES.length]!
    return [{ expected, given: expected, count: 9 + random.integer(30) }, { expected, given: near, count: 1 + random.integer(9) }]
  })
  const reports: ParityReport[] = ['vision/clip-224', 'vision/dinov2-registers', 'vision/siglip2-naflex', 'language/qwen2-rope', 'training/dpo-sigmoid', 'training/orpo', 'images/bicubic', 'text/llava-template'].map((name, i) => ({
    name,
    kind: ['vision encoder', 'vision encoder', 'vision encoder', 'language model', 'training', 'training', 'images', 'tokenizer'][i]!,
    passed: i !== 2,
    fault: null,
    groups: [
      { name: i > 5 ? 'values' : 'hidden states', compared: 3 + i, worst: i > 5 ? 0 : i === 2 ? 3.1e-3 : 4e-7 * (i + 1), limit: i > 5 ? 0 : 2e-5, at: i === 2 ? 'hidden_states.2, row 1' : 'hidden_states.1' },
      { name: 'pooled', compared: 1, worst: i === 2 ? null : 1e-7, limit: 2e-5, at: 'pooler_output' },
    ],
  }))
  const task = (over: Pick<DataTaskRow, 'id' | 'title' | 'request'> & Partial<DataTaskRow>): DataTaskRow => ({
    status: 'finished',
    progress: null,
    createdAtMs: NOW - 4e6,
    finishedAtMs: NOW - 3.9e6,
    leftMs: null,
    failure: null,
    result: null,
    ...over,
  })
  const tasks: DataTaskRow[] = [
    task({ id: 'parity-2', title: 'parity', request: { kind: 'parity', folder: '/home/ada/parity' }, status: 'running', progress: { part: 'reference cases', done: 8, of: 155 }, leftMs: 84_000 }),
    task({ id: 'parity-1', title: 'siglip2-cases', request: { kind: 'parity', folder: '/home/ada/siglip2-cases' }, result: { kind: 'parity', agreed: 7, cases: 8, engine: 'native TensorFlow 2.21.0, CPU, 2 cores' } }),
    task({
      id: 'zero-shot-1',
      title: 'pictures by clip-vit-base-patch32',
      request: { kind: 'zero-shot', model: '/home/ada/models/clip-vit-base-patch32', images: '/home/ada/pictures', classes: null, templates: ['a photo of a {}.'] },
      progress: { part: 'images', done: 290, of: 290 },
      result: { kind: 'zero-shot', images: 290, scored: 287, right: 240 },
    }),
  ]
  const refuse = () => {
    throw new LabError('conflict', 'the preview has no main process to do this')
  }
  return {
    'tasks.list': () => tasks,
    'tasks.get': ({ taskId }) => tasks.find(({ id }) => id === taskId) ?? refuse(),
    'parity.start': refuse,
    'parity.reports': () => reports,
    'zeroShot.start': refuse,
    'zeroShot.scores': () => zeroShotScores([...cells, { expected: null, given: 'cat', count: 3 }]),
    'zeroShot.answers': ({ expected, given, limit }) =>
      Array.from({ length: Math.min(limit, cells.find((cell) => cell.expected === expected && cell.given === given)?.count ?? 3) }, (_, i) => ({
        image: `${expected ?? 'other'}/${i}.png`,
        expected,
        given,
        probability: 0.97 - 0.03 * i,
      })),
  }
}
