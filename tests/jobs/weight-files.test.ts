// Weights of a folder: single or in shards, read when they are asked for and by range, and no index, pickle or number that
// is not finite is believed.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { writeSafetensors } from '../../src-main/engine/weights/safetensors.ts'
import { matchWeights } from '../../src-main/engine/weights/match.ts'
import { checkedWeight, readTensors, readWeights } from '../../src-main/jobs/weight-files.ts'
import { faultOf, faultOfPromise } from '../support/fault-of.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pivot-lab-weights-'))
  return () => rmSync(folder, { recursive: true, force: true })
})

const tensor = (...values: number[]) => ({ shape: [values.length], values: Float32Array.from(values) })
const put = (name: string, content: string | Uint8Array | object) =>
  writeFileSync(join(folder, name), typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content))
const sharded = (map: Record<string, string>) => {
  put('model-1.safetensors', writeSafetensors({ a: tensor(1, 2) }))
  put('model-2.safetensors', writeSafetensors({ b: tensor(3), c: tensor(4) }))
  put('model.safetensors.index.json', { metadata: { total_size: 16 }, weight_map: map })
}
const whole = { a: 'model-1.safetensors', b: 'model-2.safetensors', c: 'model-2.safetensors' }

describe('a folder of weights', () => {
  it('is one file, or the shards that its index lists: the same tensors', async () => {
    sharded(whole)
    const fromShards = await readWeights(folder)
    put('model.safetensors', writeSafetensors({ a: tensor(1, 2), b: tensor(3), c: tensor(4) }))
    const fromOne = await readWeights(folder)
    const plain = (tensors: typeof fromOne) =>
      Object.entries(tensors).map(([name, { shape, values, dtype }]) => [name, shape, [...values], dtype])
    expect(plain(fromShards)).toEqual(plain(fromOne))
    expect(plain(fromOne)).toEqual([
      ['a', [2], [1, 2], 'F32'],
      ['b', [1], [3], 'F32'],
      ['c', [1], [4], 'F32'],
    ])
  })

  it('reads a tensor when it is asked for, so that nothing of a large file is held', () => {
    put('model.safetensors', writeSafetensors({ a: tensor(1, 2), b: tensor(3) }))
    const path = join(folder, 'model.safetensors')
    const { a } = readTensors(path)
    put('model.safetensors', writeSafetensors({ a: tensor(7, 8), b: tensor(9) }))
    // Same size, so the change is seen: the bytes were not read before.
    expect([...a!.values]).toEqual([7, 8])
    truncateSync(path, 40)
    expect(faultOf(() => a!.values)).toMatchObject({ code: 'corrupt-artifact', message: expect.stringContaining('changed') })
  })

  it('is refused when the index and the shards disagree, naming tensor and shard', async () => {
    for (const [map, words] of [
      [{ ...whole, d: 'model-2.safetensors' }, ['tensor d', 'model-2.safetensors']],
      [{ a: whole.a, b: whole.b }, ['tensor c', 'model-2.safetensors']],
      [{ ...whole, b: 'model-1.safetensors' }, ['tensor b']],
      [{ ...whole, b: '../model-2.safetensors' }, ['../model-2.safetensors']],
      [{ ...whole, b: 'model-2.bin' }, ['model-2.bin']],
      [{ ...whole, b: 3 as never }, ['weight_map']],
    ] as const) {
      sharded(map as Record<string, string>)
      const fault = await faultOfPromise(readWeights(folder))
      expect(fault.code).toBe('corrupt-artifact')
      for (const word of words) expect(fault.message).toContain(word)
    }
    sharded({ ...whole, b: 'model-3.safetensors' })
    expect((await faultOfPromise(readWeights(folder))).message).toContain('model-3.safetensors')
  })

  it('of pickles is refused, saying why and how to convert', async () => {
    for (const name of ['pytorch_model.bin', 'pytorch_model.bin.index.json', 'consolidated.00.pth']) {
      const own = join(folder, name)
      mkdirSync(own)
      writeFileSync(join(own, name), 'PK')
      const fault = await faultOfPromise(readWeights(own))
      expect(fault.code).toBe('invalid-input')
      for (const word of [name, 'pickle', 'save_pretrained']) expect(fault.message).toContain(word)
    }
  })

  it('with neither says what is there', async () => {
    put('open_clip.safetensors', writeSafetensors({ a: tensor(1) }))
    expect(await faultOfPromise(readWeights(folder))).toMatchObject({ code: 'not-found', message: expect.stringContaining('open_clip.safetensors') })
    expect(readdirSync(folder)).toEqual(['open_clip.safetensors'])
    expect((await faultOfPromise(readWeights(join(folder, 'nowhere')))).code).toBe('not-found')
  })
})

describe('a weight', () => {
  it('that is not finite, or a whole number, is named', () => {
    put('model.safetensors', writeSafetensors({ good: tensor(1, -1e38), bad: tensor(0, 1, NaN), high: tensor(Infinity) }))
    const tensors = readTensors(join(folder, 'model.safetensors'))
    expect([...checkedWeight('good', tensors['good']!).values]).toEqual([1, Math.fround(-1e38)])
    expect(faultOf(() => checkedWeight('bad', tensors['bad']!).values)).toMatchObject({
      code: 'corrupt-artifact',
      message: expect.stringMatching(/bad holds NaN at number 2 of 3/),
    })
    expect(faultOf(() => checkedWeight('high', tensors['high']!).values).message).toContain('Infinity')
    expect(faultOf(() => checkedWeight('good', { ...tensors['good']!, dtype: 'I8' }))).toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining('quantised'),
    })
  })
})

describe('weights against what a model needs', () => {
  const expected = { 'layers.0.q_proj.weight': { shape: [2, 3] }, 'norm.weight': { shape: [2] } }
  const found = { 'layers.0.q_proj.weight': { shape: [2, 3], values: new Float32Array(6) }, 'norm.weight': tensor(1, 1) }

  it('are all there: what is over is told, not refused', () => {
    expect(matchWeights(expected, { ...found, 'rotary.inv_freq': tensor(1) }, 'folder')).toEqual({ weights: found, extra: ['rotary.inv_freq'] })
  })

  it('that are missing are named, with the nearest that is over', () => {
    const { 'layers.0.q_proj.weight': moved, ...rest } = found
    const fault = faultOf(() => matchWeights(expected, { ...rest, 'layer.0.q_proj.weight': moved, other: tensor(1) }, 'folder'))
    expect(fault.code).toBe('invalid-input')
    expect(fault.message).toContain('1 of 2')
    expect(fault.message).toContain('layers.0.q_proj.weight (nearest: layer.0.q_proj.weight)')
  })

  it('a head that is missing alone is explained by tying', () => {
    expect(faultOf(() => matchWeights({ ...expected, 'lm_head.weight': { shape: [4, 2] } }, found, 'folder')).message).toContain('tie_word_embeddings')
  })

  it('of another shape are named, expected and found', () => {
    expect(faultOf(() => matchWeights(expected, { ...found, 'norm.weight': tensor(1, 1, 1) }, 'folder')).message).toContain(
      'norm.weight: expected [2], found [3]',
    )
  })
})
