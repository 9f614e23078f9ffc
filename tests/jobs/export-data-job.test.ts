// What is exported reads back as it was: every format that the lab writes, over generated samples with hostile texts.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EXPORT_FORMAT_TABLE, EXPORT_FORMATS, type ExportFormat } from '../../src-main/domain/data-export.ts'
import { toFailure } from '../../src-main/domain/errors.ts'
import type { ImportedSample } from '../../src-main/domain/import-event.ts'
import { SPLITS, type Content, type DatasetKind, type ImageRef, type Mask, type Sample } from '../../src-main/domain/sample.ts'
import { runExportDataJob } from '../../src-main/jobs/export-data-job.ts'
import { sha256 } from '../../src-main/jobs/files.ts'
import { encodePng } from '../../src-main/jobs/images/codec.ts'
import { readDataset } from '../../src-main/jobs/import/read-dataset.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const WIDTH = 6
const HEIGHT = 4

/** A project with three images; the third is never alone in a row, to be named twice. */
function aProject(): { readonly project: string; readonly images: readonly ImageRef[] } {
  const project = temporaryFolder()
  mkdirSync(join(project, 'images'))
  const images = [0, 90, 200].map((value) => {
    const bytes = encodePng({ width: WIDTH, height: HEIGHT, data: new Uint8Array(WIDTH * HEIGHT * 3).fill(value) })
    const path = `images/${sha256(bytes)}.png`
    writeFileSync(join(project, path), bytes)
    return { sha256: sha256(bytes), path, width: WIDTH, height: HEIGHT }
  })
  return { project, images }
}

/** Texts that break careless writers: quotes, commas, line breaks, tabs, braces, other scripts, lone combining marks. */
const words = fc
  .array(fc.constantFrom('a', 'Ünïcode', '日本', '"', "'", ',', ';', '\n', '\t', '\\', '{"x":1}', '[', '</tag>', '👩‍🔬', '\u0301', 'null', '=1+1'), {
    minLength: 1,
    maxLength: 8,
  })
  .map((parts) => `w${parts.join(' ')}w`)
const optional = fc.option(words, { nil: null })
const box = fc.tuple(fc.nat(WIDTH - 2), fc.nat(HEIGHT - 2), fc.constant(2), fc.constant(1))
const drawn = fc.constant<Mask>({ size: [HEIGHT, WIDTH], counts: [5, 7, 12] })
/** Boxes, then masks: they come back so, since each has a column of its own. */
const anyRegion = fc.tuple(fc.array(box, { maxLength: 2 }), fc.array(drawn, { maxLength: 1 })).map(([boxes, masks]) => [...boxes, ...masks])

const contents: Readonly<Record<DatasetKind, (hasImage: boolean) => fc.Arbitrary<Content>>> = {
  conversations: (hasImage) =>
    fc.array(fc.tuple(words, words), { minLength: 1, maxLength: 3 }).map((pairs) => ({
      kind: 'conversations',
      turns: pairs.flatMap(([question, answer], i) => [
        { from: 'human' as const, text: hasImage && i === 0 ? `<image>\n${question}` : question },
        { from: 'assistant' as const, text: answer },
      ]),
    })),
  preferences: (hasImage) =>
    fc.record({ prompt: words, chosen: words, rejected: words, group: optional, category: optional, region: anyRegion }).map((each) => ({
      kind: 'preferences',
      ...each,
      prompt: hasImage ? `<image>\n${each.prompt}` : each.prompt,
      rejected: `${each.rejected}!`,
    })),
  questions: () =>
    fc.record({ question: words, answer: words, group: optional, category: optional, region: anyRegion }).map((each) => ({
      kind: 'questions',
      ...each,
    })),
  objects: () =>
    fc
      .array(fc.record({ category: fc.constantFrom('cat', 'dog', 'a "b"'), box, mask: fc.constantFrom<Mask | null>(null, { size: [HEIGHT, WIDTH], counts: [5, 7, 12] }) }), {
        maxLength: 3,
      })
      .map((objects) => ({ kind: 'objects', objects })),
}

const sampleOf = (kind: DatasetKind, images: readonly ImageRef[]): fc.Arbitrary<Sample> =>
  fc.record({ image: kind === 'objects' ? fc.constantFrom(...images) : fc.constantFrom(...images, null), split: fc.constantFrom(...SPLITS), source: fc.constant('') }).chain(({ image, split }) =>
    contents[kind](image !== null).map((content) => ({
      id: sha256(JSON.stringify([image?.sha256, content])),
      split,
      source: sha256(JSON.stringify(content)).slice(0, 8),
      image,
      content,
    })),
  )

let exports = 0
async function roundTrip(project: string, format: ExportFormat, samples: readonly Sample[], tags: readonly string[] = []): Promise<readonly ImportedSample[]> {
  const list = join(project, `list-${++exports}.jsonl`)
  writeFileSync(list, samples.map((sample) => `${JSON.stringify({ sample, tags })}\n`).join(''))
  const folder = join(project, `out-${exports}`)
  const job = { kind: 'export-data', project, samples: list, count: samples.length, name: 'a set', format, images: 'copy', folder } as const
  for await (const _ of runExportDataJob(job, { aborted: false }));
  const back: ImportedSample[] = []
  const path = format === 'archive' || format === 'webdataset' ? join(folder, 'a-set.tar') : format === 'mmpr' ? join(folder, 'meta.json') : folder
  for await (const event of readDataset(path)) {
    if (event.kind === 'fault') throw new Error(`${format}: ${event.field}: expected ${event.expected}, found ${event.found}`)
    if (event.kind === 'sample') back.push(event)
  }
  return back
}

const told = ({ split, source, image, content }: Sample | ImportedSample) => ({ split, source, image: image?.sha256 ?? null, content })

/** What a format cannot say, by its nature. */
function asHeld(format: ExportFormat, sample: Sample): Sample {
  if (format !== 'pivot-sft' || sample.content.kind !== 'preferences') return sample
  const { prompt, chosen } = sample.content
  return {
    ...sample,
    content: {
      kind: 'conversations',
      turns: [
        { from: 'human', text: prompt },
        { from: 'assistant', text: chosen },
      ],
    },
  }
}

const cases = EXPORT_FORMATS.filter((format) => format !== 'class-folders').flatMap((format) =>
  EXPORT_FORMAT_TABLE[format].kinds.map((kind) => [format, kind] as const),
)

it.each(['csv', 'webdataset'] as const)('%s of a picture that was moved names it, and leaves nothing half written', async (format) => {
  const { project, images: [image] } = aProject()
  rmSync(join(project, image!.path))
  const sample: Sample = { id: 'a', split: 'test', source: 'b', image: image!, content: { kind: 'questions', question: 'What is it?', answer: 'Grey.', group: null, category: null, region: [] } }
  const failure = await roundTrip(project, format, [sample]).then(() => null, toFailure)
  expect(failure).toMatchObject({ code: 'not-found', message: expect.stringMatching(/images\/.*\.png is not there: it was moved.*Put it back/) })
  expect(readdirSync(project).filter((name) => name.includes('out-'))).toEqual([])
})

describe('a round trip', () => {
  it.each(cases)('%s of %s loses nothing: texts, images, splits, sources, groups, categories, regions', async (format, kind) => {
    const { project, images } = aProject()
    await fc.assert(
      fc.asyncProperty(fc.array(sampleOf(kind, images), { minLength: 1, maxLength: 6 }), async (samples) => {
        expect((await roundTrip(project, format, samples)).map(told)).toEqual(samples.map((sample) => told(asHeld(format, sample))))
      }),
      { numRuns: 12, seed: 7 },
    )
  })

  it('class folders hold the class, the split and the image', async () => {
    const { project, images } = aProject()
    const samples = images.map(
      (image, i): Sample => ({
        id: String(i),
        split: SPLITS[i]!,
        source: null,
        image,
        content: { kind: 'objects', objects: [{ category: `class ${i}`, box: [0, 0, WIDTH, HEIGHT], mask: null }] },
      }),
    )
    const back = await roundTrip(project, 'class-folders', samples)
    const short = ({ split, image, content }: Sample | ImportedSample) => [image!.sha256, split, content]
    expect(back.map(short).toSorted()).toEqual(samples.map(short).toSorted())
  })

  it('the archive keeps tags too', async () => {
    const { project, images } = aProject()
    const [sample] = fc.sample(sampleOf('questions', images), { numRuns: 1, seed: 1 })
    expect((await roundTrip(project, 'archive', [sample!], ['odd', 'blurred']))[0]!.tags).toEqual(['odd', 'blurred'])
  })
})

describe('an export', () => {
  it('never overwrites, and leaves nothing behind when a sample does not fit', async () => {
    const { project, images } = aProject()
    const [sample] = fc.sample(sampleOf('objects', images), { numRuns: 1, seed: 1 })
    expect((await faultOfPromise(roundTrip(project, 'trl', [sample!]))).code).toBe('invalid-input')
    exports -= 1
    mkdirSync(join(project, `out-${exports + 1}`))
    expect((await faultOfPromise(roundTrip(project, 'coco', [sample!]))).code).toBe('conflict')
  })
})
