// Preprocessing against the reference processors: the pixels that each makes of each picture.

import { join } from 'node:path'
import { specFromHuggingFace } from '../../engine/preprocess/hugging-face.ts'
import { preprocessImage } from '../../engine/preprocess/pipeline.ts'
import { readImage } from '../images/codec.ts'
import type { JsonObject } from './case-files.ts'
import type { ParityKind } from './parity-kind.ts'

/** In units of one of 256 grey levels, before normalisation; the case says so in words. */
const ONE_LEVEL = { relative: 1, floor: 1 }
const MEAN_LEVEL = { relative: 0.1, floor: 1 }

export const imagesParity: ParityKind = {
  name: 'images',
  recognises: ({ json }) => 'processors' in json && 'files' in json,
  async compare(files, comparison) {
    const recorded = await files.tensors('expected.safetensors')
    const processors = files.json['processors'] as Readonly<Record<string, JsonObject>>
    for (const file of files.json['files'] as readonly string[]) {
      const image = await readImage(join(files.folder, file))
      for (const [processor, config] of Object.entries(processors)) {
        const name = `${processor}/${file}`
        const expected = recorded.get(name)
        const spec = specFromHuggingFace(config, `processor ${processor}`)
        const { width, height, data } = preprocessImage(image, spec)
        const { factor, std } = spec.find((op) => op.op === 'normalize')!
        if ([3, height, width].join() !== expected.shape.join()) {
          comparison.same('sizes', name, [3, height, width], expected.shape)
          continue
        }
        const levels = Array.from(data, (value, i) => (Math.abs(value - expected.values[i]!) * std[Math.floor(i / (width * height))]!) / factor)
        const zeros = { shape: [levels.length], values: new Float32Array(levels.length) }
        comparison.check('pixels, grey levels', name, levels, zeros, ONE_LEVEL)
        const mean = levels.reduce((sum, level) => sum + level, 0) / levels.length
        comparison.check('mean, grey levels', name, [mean], { shape: [1], values: [0] }, MEAN_LEVEL)
      }
    }
  },
}
