// A project as large as a real one: 100,000 images with objects, 200,000 preference pairs about them, and a map of the images. It is
// written once, row by row through the lab's own import, and every part of the bench works on a copy.

import { createHash } from 'node:crypto'
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PlacedEvent } from '../../src-main/domain/data-job.ts'
import type { JobEvent, Runner } from '../../src-main/domain/job.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import { sampleFilterSchema } from '../../src-main/domain/sample-query.ts'
import { sha256 } from '../../src-main/jobs/files.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { readingToo } from '../support/a-lab.ts'
import { openLab } from './bench-lab.ts'

export interface ProjectSizes {
  readonly images: number
  readonly pairs: number
}
export interface LargeProjects extends ProjectSizes {
  /** A project of one's own to change. `rowsPerSecond`: at which it was written; null: it was there. */
  copy(name: string): Promise<{ readonly project: string; readonly rowsPerSecond: number | null }>
}

/** Many images share the bytes of these few files, each under a hash of its own. */
const PICTURES = 400
const SIDE = 160
const CATEGORIES = 1000
const WORDS = 'dog cat red blue left right under over table chair street sign green wheel tree river house window door cup'.split(' ')

/** @param kept  where the project that is copied lies, or will; another schema or another way to write it is another project */
export function largeProjects(kept: string, copies: string, sizes: ProjectSizes): LargeProjects {
  const source = join(kept, `large-${sizes.images}-${sizes.pairs}-${identity()}`)
  let written: Promise<number | null> | null = null
  const write = async () => {
    if (existsSync(source)) return null
    const rowsPerSecond = await writeLargeProject(`${source}.partial`, sizes)
    renameSync(`${source}.partial`, source)
    return rowsPerSecond
  }
  return {
    ...sizes,
    async copy(name) {
      const rowsPerSecond = await (written ??= write())
      const project = join(copies, name)
      cpSync(source, project, { recursive: true })
      return { project, rowsPerSecond }
    },
  }
}

function identity(): string {
  const hash = createHash('sha256').update(readFileSync(import.meta.filename))
  for (const file of globSync(join(import.meta.dirname, '../../src-main/store/migrations/*.ts')).toSorted()) hash.update(readFileSync(file))
  return hash.digest('hex').slice(0, 12)
}

async function writeLargeProject(project: string, { images, pairs }: ProjectSizes): Promise<number> {
  writePictures(join(project, 'images', 'pool'))
  const lab = openLab(project, readingToo(inventedRows(images, pairs)))
  const from = performance.now()
  await lab.datasets.import({ path: '/data/images', name: 'images' })
  await lab.datasets.import({ path: '/data/pairs', name: 'pairs' })
  const seconds = (performance.now() - from) / 1000
  const filter = sampleFilterSchema.parse({ datasetId: lab.datasets.named('images').id })
  const { taskId } = lab.checks.startMap({ filter, checkpoint: '/model', method: 'pca', seed: 0, neighbours: 15 })
  await lab.tasks.ended(taskId)
  await lab.close()
  return (images + pairs) / seconds
}

function writePictures(folder: string): void {
  mkdirSync(folder, { recursive: true })
  const random = createRandom(2, 'pictures')
  for (let i = 0; i < PICTURES; i++) {
    const hue = [random.integer(256), random.integer(256), random.integer(256)]
    const data = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, at) => (hue[at % 3]! + Math.floor(at / (3 * SIDE)) + random.integer(12)) % 256)
    writeFileSync(join(folder, `${i}.png`), encodePng({ width: SIDE, height: SIDE, data }))
  }
}

/** What an import and a map of such files would tell. */
function inventedRows(images: number, pairs: number): Runner {
  const random = createRandom(1, 'rooms')
  const sentence = (length: number) => Array.from({ length }, () => random.pick(WORDS)).join(' ')
  const sampleOf = (i: number, isPair: boolean): PlacedEvent => ({
    kind: 'sample',
    split: i % 10 === 0 ? 'test' : i % 10 === 1 ? 'validation' : 'train',
    source: `scene ${i % 5000}`,
    image: { sha256: sha256(`image ${i % images}`), path: `images/pool/${i % PICTURES}.png`, width: 64 + ((i * 37) % 900), height: 64 + ((i * 53) % 700), bytes: 100 * (64 + ((i * 37) % 900)), format: i % 3 === 0 ? 'png' : 'jpeg' },
    content: isPair
      ? { kind: 'preferences', prompt: `<image>\n${sentence(12)} ${i}?`, chosen: sentence(25), rejected: sentence(25), group: null, category: `kind ${i % 40}`, region: [] }
      : { kind: 'objects', objects: [{ category: `class ${i % CATEGORIES}`, box: [0, 0, 10, 10], mask: null }] },
  })
  return async function* (job): AsyncGenerator<JobEvent> {
    if (job.kind === 'import') {
      const isPairs = job.path.endsWith('pairs')
      const n = isPairs ? pairs : images
      for (let from = 0; from < n; from += 500) yield { kind: 'imported', rows: Array.from({ length: Math.min(500, n - from) }, (_, k) => sampleOf(from + k, isPairs)) }
    }
    if (job.kind === 'image-features') yield { kind: 'artifact', name: 'features', path: '/none' }
    if (job.kind === 'map-features') {
      // Sixty clouds.
      const centre = Array.from({ length: 60 }, () => [12 * random.normal(), 12 * random.normal()] as const)
      const at = (axis: 0 | 1) => job.images.map((_, i) => centre[i % 60]![axis] + random.normal())
      yield { kind: 'answer', value: { x: at(0), y: at(1), explained: 0.4 } }
    }
  }
}
