// A checkpoint: written whole or not at all, read back bit for bit, in a layout that Hugging Face's libraries know.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { siglipPreprocess } from '../../src-main/domain/preprocess-spec.ts'
import { trainTokenizer } from '../../src-main/engine/text/train-tokenizer.ts'
import { initialWeights, type NamedArrays } from '../../src-main/engine/weights/initial.ts'
import { writeSafetensors } from '../../src-main/engine/weights/safetensors.ts'
import {
  checkpointFolder,
  newestCheckpoint,
  readCheckpoint,
  readMoments,
  tidyRunFolder,
  verifyCheckpoint,
  writeCheckpoint,
  type CheckpointParts,
} from '../../src-main/jobs/checkpoint.ts'
import { sha256 } from '../../src-main/jobs/files.ts'
import { readTokenizerFiles } from '../../src-main/jobs/tokenizer-files.ts'
import { readTensors } from '../../src-main/jobs/weight-files.ts'
import { faultOf, faultOfPromise } from '../support/fault-of.ts'
import { plainArrays, plainModules } from '../support/plain-arrays.ts'
import { TINY } from '../support/tiny-model.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pivot-lab-checkpoint-'))
  return () => rmSync(root, { recursive: true, force: true })
})

const tokenizerFiles = trainTokenizer(['red blue'], 270)
const moments: NamedArrays = {
  'first/projector/linear_1.bias': { shape: [3], values: Float32Array.of(1, -2, 1e-40) },
  'second/projector/linear_1.bias': { shape: [3], values: Float32Array.of(4, 5, 6) },
}
const parts = (overrides: Partial<CheckpointParts> = {}): CheckpointParts => ({
  weights: initialWeights(TINY, 3),
  moments,
  tokenizerFiles,
  preprocess: siglipPreprocess(16),
  describe: { step: 7, model: TINY, config: null, execution: 'graph', numTokens: 1234 },
  ...overrides,
})

describe('a checkpoint', () => {
  it('comes back as it was written: weights and moments bit for bit, tokenizer, preprocessing, step, mode, tokens', async () => {
    const folder = join(root, 'step-7')
    const identity = await writeCheckpoint(folder, parts())
    const back = await readCheckpoint(folder)
    expect(plainModules(back.weights)).toEqual(initialWeights(TINY, 3))
    expect(plainArrays(await readMoments(folder))).toEqual(moments)
    const { endId, padId } = back.tokenizer
    expect(back.tokenizerFiles).toEqual({ ...tokenizerFiles, generation: { eos_token_id: endId, pad_token_id: padId } })
    expect(back.preprocess).toEqual(siglipPreprocess(16))
    expect(back.checkpoint).toEqual({
      formatVersion: 1,
      step: 7,
      model: TINY,
      config: null,
      sha256: identity,
      execution: 'graph',
      numTokens: 1234,
    })
    expect(identity).toBe(sha256(readFileSync(join(folder, 'model.safetensors'))))
    expect(back.tokenizer.decode(back.tokenizer.encode('red'))).toBe('red')
  })

  it('keeps how its model was to generate, and every token that ends an answer', async () => {
    const folder = join(root, 'step')
    const generation = { do_sample: true, temperature: 0.7, eos_token_id: [40] }
    await writeCheckpoint(folder, parts({ tokenizerFiles: { ...tokenizerFiles, generation } }))
    const { tokenizer, tokenizerFiles: kept } = await readCheckpoint(folder)
    expect(tokenizer.endIds).toEqual([tokenizer.endId, 40])
    expect(kept.generation).toEqual({ ...generation, eos_token_id: [tokenizer.endId, 40], pad_token_id: tokenizer.padId })
  })

  it("is a folder in Hugging Face's layout, with nothing else beside it", async () => {
    await writeCheckpoint(join(root, 'step-7'), parts())
    expect(readdirSync(root)).toEqual(['step-7'])
    expect(readdirSync(join(root, 'step-7')).sort()).toEqual([
      'config.json',
      'generation_config.json',
      'lab.json',
      'model.safetensors',
      'optimizer.safetensors',
      'preprocessor_config.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ])
    const config = JSON.parse(readFileSync(join(root, 'step-7', 'config.json'), 'utf8')) as Record<string, unknown>
    expect(config).toMatchObject({ model_type: 'llava', architectures: ['LlavaForConditionalGeneration'], image_token_index: 4 })
    const names = Object.keys(readTensors(join(root, 'step-7', 'model.safetensors')))
    for (const prefix of ['vision_tower.', 'multi_modal_projector.', 'language_model.model.'])
      expect(
        names.some((name) => name.startsWith(prefix)),
        prefix,
      ).toBe(true)
  })

  it('of equal weights has an equal identity, whatever else it holds', async () => {
    const a = await writeCheckpoint(join(root, 'a'), parts())
    const b = await writeCheckpoint(join(root, 'b'), parts({ moments: null, describe: { ...parts().describe, step: 9 } }))
    const c = await writeCheckpoint(join(root, 'c'), parts({ weights: initialWeights(TINY, 4) }))
    expect(b).toBe(a)
    expect(c).not.toBe(a)
    expect(readdirSync(join(root, 'b'))).not.toContain('optimizer.safetensors')
  })

  it('replaces one of the same name whole, and leaves the old one where the new cannot be written', async () => {
    const folder = join(root, 'step-7')
    await writeCheckpoint(folder, parts())
    const invalid = parts({ describe: { ...parts().describe, step: -1 } })
    await expect(writeCheckpoint(folder, invalid)).rejects.toThrow(/step/)
    expect((await readCheckpoint(folder)).checkpoint.step).toBe(7)
    expect(readdirSync(root)).toEqual(['step-7'])
    await writeCheckpoint(folder, parts({ describe: { ...parts().describe, step: 8 } }))
    expect((await readCheckpoint(folder)).checkpoint.step).toBe(8)
  })

  it('whose weights were exchanged is found out by its hash', async () => {
    const folder = join(root, 'step-7')
    await writeCheckpoint(folder, parts())
    await verifyCheckpoint(folder)
    const file = join(folder, 'model.safetensors')
    const bytes = readFileSync(file)
    bytes[bytes.length - 1]! ^= 1
    writeFileSync(file, bytes)
    expect((await faultOfPromise(verifyCheckpoint(folder))).code).toBe('corrupt-artifact')
  })

  it('with a tensor of no known name is refused by that name', async () => {
    const folder = join(root, 'step-7')
    await writeCheckpoint(folder, parts())
    writeFileSync(
      join(folder, 'model.safetensors'),
      writeSafetensors({ logit_scale: { shape: [1], values: Float32Array.of(1) } }),
    )
    const fault = await faultOfPromise(readCheckpoint(folder))
    expect([fault.code, fault.message.includes('logit_scale')]).toEqual(['corrupt-artifact', true])
  })

  it('whose weights were deleted by hand says so', async () => {
    const folder = join(root, 'step-8')
    await writeCheckpoint(folder, parts())
    rmSync(join(folder, 'model.safetensors'))
    expect(await faultOfPromise(verifyCheckpoint(folder))).toMatchObject({ code: 'corrupt-artifact', message: expect.stringMatching(/step-8\/model\.safetensors is not there.*train again/) })
  })

  it('that does not exist says which file is missing', async () => {
    const fault = await faultOfPromise(readCheckpoint(join(root, 'nowhere')))
    expect([fault.code, fault.message.includes('lab.json')]).toEqual(['not-found', true])
    expect(faultOf(() => readTensors(join(root, 'nowhere.safetensors'))).code).toBe('not-found')
  })
})

describe("a run's folder", () => {
  const complete = (name: string) => {
    mkdirSync(join(root, name))
    writeFileSync(join(root, name, 'lab.json'), '{}')
  }

  it('names its newest complete checkpoint by number, not by text', async () => {
    expect(await newestCheckpoint(join(root, 'nowhere'))).toBeNull()
    expect(await newestCheckpoint(root)).toBeNull()
    for (const name of ['step-9', 'step-00000010', 'step-00000002']) complete(name)
    mkdirSync(join(root, 'step-00000011'))
    complete('.step-00000012.7.partial')
    complete('step-13-copy')
    expect(await newestCheckpoint(root)).toBe(join(root, 'step-00000010'))
    expect(checkpointFolder(root, 10)).toBe(join(root, 'step-00000010'))
  })

  it('is tidied of other checkpoints and of half-written ones, and of nothing else', async () => {
    for (const name of ['step-00000001', 'step-00000002', '.step-00000003.7.partial', 'log']) complete(name)
    await tidyRunFolder(root, join(root, 'step-00000002'))
    expect(readdirSync(root).sort()).toEqual(['log', 'step-00000002'])
  })
})

describe("a tokenizer's files", () => {
  it('take the chat template from its own file, unless the configuration has one', async () => {
    writeFileSync(join(root, 'tokenizer.json'), '{}')
    writeFileSync(join(root, 'tokenizer_config.json'), '{"eos_token": "x"}')
    expect((await readTokenizerFiles(root)).config).toEqual({ eos_token: 'x' })
    writeFileSync(join(root, 'chat_template.jinja'), '{{ messages }}')
    expect((await readTokenizerFiles(root)).config).toEqual({ eos_token: 'x', chat_template: '{{ messages }}' })
    writeFileSync(join(root, 'tokenizer_config.json'), '{"chat_template": "own"}')
    expect((await readTokenizerFiles(root)).config).toEqual({ chat_template: '{{ messages }}' })
  })
})
