// Import of pictures by the same process as the lab's: its rate, the peak of memory of the process that reads them, and the
// same files again, which changes nothing.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom } from '../../src-main/domain/random.ts'
import { createChildProcessRunner } from '../../src-main/jobs/child-process.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { openLab } from './bench-lab.ts'
import { measureOf, type RoomMeasure } from './room-measure.ts'

/** Pictures of 96 × 96 with one question each. */
export async function* measureImport(count: number): AsyncGenerator<RoomMeasure> {
  const folder = mkdtempSync(join(tmpdir(), 'pivot-lab-import-'))
  const runner = createChildProcessRunner(new URL('../../src-main/data-process-entry.ts', import.meta.url))
  try {
    const file = writeQuestions(folder, count)
    const lab = openLab(join(folder, 'project'), runner.run)
    let peakKb = 0
    const watch = setInterval(() => (peakKb = Math.max(peakKb, peakOfChildren())), 200)
    const rate = async () => {
      const from = performance.now()
      await lab.datasets.import({ path: file, name: 'mine' })
      return count / ((performance.now() - from) / 1000)
    }
    yield measureOf(`import of ${count} pictures`, 'images/s', [await rate()])
    clearInterval(watch)
    yield measureOf('peak memory of the reading process', 'MB', [peakKb / 1000])
    yield measureOf('the same import again', 'images/s', [await rate()])
    await lab.close()
  } finally {
    runner.close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

function writeQuestions(folder: string, count: number): string {
  mkdirSync(join(folder, 'pictures'), { recursive: true })
  const random = createRandom(0, 'rooms')
  const lines: string[] = []
  for (let i = 0; i < count; i++) {
    const data = new Uint8Array(96 * 96 * 3).fill(random.integer(256))
    for (let at = 0; at < 600; at++) data[random.integer(data.length)] = random.integer(256)
    writeFileSync(join(folder, 'pictures', `${i}.png`), encodePng({ width: 96, height: 96, data }))
    lines.push(JSON.stringify({ image: `pictures/${i}.png`, question: `What is in picture ${i}?`, answer: String(i % 10) }))
  }
  const file = join(folder, 'questions.jsonl')
  writeFileSync(file, lines.join('\n'))
  return file
}

/** Largest resident set of any child, kB; Linux. */
function peakOfChildren(): number {
  try {
    const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
    return Math.max(0, ...children.map((pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)))
  } catch {
    return 0
  }
}
