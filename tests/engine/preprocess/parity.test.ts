// The image pipeline against recorded outputs of the reference processors. The recordings are not part of the project:
// PIVOT_PARITY names their folder, by default ../shared/parity beside the checkout; without them this file is skipped.

import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { specFromHuggingFace } from '../../../src-main/engine/preprocess/hugging-face.ts'
import { preprocessImage } from '../../../src-main/engine/preprocess/pipeline.ts'
import { readImage } from '../../../src-main/jobs/images/codec.ts'

const folder = join(process.env['PIVOT_PARITY'] ?? resolve(import.meta.dirname, '../../../../shared/parity'), 'images')
const present = existsSync(join(folder, 'case.json'))
if (!present) console.warn(`skipped: no reference pixels in ${folder}; set PIVOT_PARITY to the folder of parity cases`)

interface Case {
  readonly processors: Readonly<Record<string, { readonly image_std: readonly number[] }>>
  readonly files: readonly string[]
}

describe.skipIf(!present)('the image pipeline', () => {
  const { processors, files } = present
    ? (JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as Case)
    : { processors: {}, files: [] }
  const expected = present ? readSafetensors(join(folder, 'expected.safetensors')) : new Map<string, Recorded>()
  const cases = Object.keys(processors).flatMap((processor) => files.map((file) => ({ processor, file })))

  it.each(cases)('$processor makes of $file what the reference makes of it', async ({ processor, file }) => {
    const config = processors[processor]!
    const want = expected.get(`${processor}/${file}`)!
    const { width, height, data } = preprocessImage(await readImage(join(folder, file)), specFromHuggingFace(config))
    expect([3, height, width]).toEqual(want.shape)
    // The recording's tolerance: at most 1/255 before normalisation on any pixel, mean below 0.1/255.
    const errors = Array.from(
      data,
      (value, i) => Math.abs(value - want.values[i]!) * config.image_std[Math.floor(i / (width * height))]! * 255,
    )
    expect(Math.max(...errors)).toBeLessThanOrEqual(1)
    expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(0.1)
  })
})

interface Recorded {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

function readSafetensors(file: string): ReadonlyMap<string, Recorded> {
  const bytes = readFileSync(file)
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<
    string,
    { shape: number[]; data_offsets: [number, number] }
  >
  return new Map(
    Object.entries(header)
      .filter(([name]) => name !== '__metadata__')
      .map(
        ([
          name,
          {
            shape,
            data_offsets: [from, to],
          },
        ]) => [name, { shape, values: new Float32Array(new Uint8Array(bytes.subarray(start + from, start + to)).buffer) }],
      ),
  )
}
