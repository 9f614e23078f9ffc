// What a run starts from: fresh weights, a checkpoint, or a transplant; equal identities are equal models.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSchema, type Start } from '../../src-main/domain/run-config.ts'
import type { MultimodalLmSpec } from '../../src-main/domain/model-spec.ts'
import { trainTokenizer } from '../../src-main/engine/text/train-tokenizer.ts'
import { initialWeights } from '../../src-main/engine/weights/initial.ts'
import { parameterCounts, startModel } from '../../src-main/jobs/start-model.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { TINY_SPEC, tinyProject } from './evaluate/tiny-project.ts'
import { plainArrays, plainModules } from '../support/plain-arrays.ts'

const root = mkdtempSync(join(tmpdir(), 'pivot-lab-start-'))
const WIDER: MultimodalLmSpec = { ...TINY_SPEC, languageModel: { ...TINY_SPEC.languageModel, hiddenSize: 24, vocabSize: 301 } }
let donor: string
let host: string
let wideHost: string
const tokenizerFolder = join(root, 'tokenizer')
beforeAll(async () => {
  const tiny = tinyProject(root, { train: 1, validation: 1, test: 1 })
  ;[donor, host, wideHost] = [await tiny.checkpoint(1), await tiny.checkpoint(2), await tiny.checkpoint(3, WIDER)]
  mkdirSync(tokenizerFolder)
  const { tokenizer, config } = trainTokenizer(['red blue green'], 270)
  writeFileSync(join(tokenizerFolder, 'tokenizer.json'), JSON.stringify(tokenizer))
  writeFileSync(join(tokenizerFolder, 'tokenizer_config.json'), JSON.stringify(config))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const scratch = (overrides: Record<string, unknown> = {}): Start =>
  startSchema.parse({ kind: 'scratch', model: TINY_SPEC, tokenizerFolder, seed: 5, ...overrides })
const transplant = (overrides: Record<string, unknown> = {}): Start =>
  startSchema.parse({ kind: 'transplant', folder: donor, languageModelFolder: host, seed: 5, ...overrides })

describe('from nothing', () => {
  it('are the fresh weights of the seed, with embeddings for every token', async () => {
    const start = await startModel(scratch())
    expect(start.weights).toEqual(initialWeights(TINY_SPEC, 5))
    const small = { ...TINY_SPEC, languageModel: { ...TINY_SPEC.languageModel, vocabSize: 10 } }
    const grown = await startModel(scratch({ model: small }))
    expect(grown.spec.languageModel.vocabSize).toBe(grown.tokenizer.vocabSize)
    expect(grown.weights.languageModel['model.embed_tokens.weight']!.shape[0]).toBe(grown.tokenizer.vocabSize)
  })

  it('equal seeds and models have equal identities; another of either has another', async () => {
    const identities = await Promise.all(
      [scratch(), scratch({ seed: 6 }), scratch({ model: WIDER })].map(async (start) => (await startModel(start)).identity),
    )
    expect(new Set(identities).size).toBe(3)
    expect((await startModel(scratch())).identity).toBe(identities[0])
  })
})

describe('from a checkpoint', () => {
  it('are its weights, its preprocessing and its identity', async () => {
    const start = await startModel({ kind: 'checkpoint', folder: donor })
    expect(plainModules(start.weights)).toEqual(initialWeights(TINY_SPEC, 1))
    expect(start.spec).toEqual(TINY_SPEC)
    expect(start.identity).not.toBe((await startModel({ kind: 'checkpoint', folder: host })).identity)
  })
})

describe('a transplant', () => {
  it("is the donor's encoder, bit for bit, under the host's language model with a fresh projector between", async () => {
    const start = await startModel(transplant())
    expect(plainArrays(start.weights.visionEncoder)).toEqual(initialWeights(TINY_SPEC, 1).visionEncoder)
    expect(plainArrays(start.weights.languageModel)).toEqual(initialWeights(TINY_SPEC, 2).languageModel)
    expect(start.weights.projector).toEqual(initialWeights(TINY_SPEC, 5).projector)
  })

  it('keeps as many projector layers as asked for', async () => {
    const [fresh, kept] = [initialWeights(TINY_SPEC, 5).projector, initialWeights(TINY_SPEC, 1).projector]
    for (const projectorLayers of [0, 1, 2]) {
      const projector = plainArrays((await startModel(transplant({ projectorLayers }))).weights.projector)
      for (const layer of [1, 2])
        for (const part of ['weight', 'bias']) {
          const name = `linear_${layer}.${part}`
          expect(projector[name], `${projectorLayers} layers: ${name}`).toEqual((layer <= projectorLayers ? kept : fresh)[name])
        }
    }
  })

  it('without a host has a fresh language model of the same shape', async () => {
    const start = await startModel(transplant({ languageModelFolder: null }))
    expect(start.weights.languageModel).toEqual(initialWeights(TINY_SPEC, 5).languageModel)
  })

  it('under a wider host has a projector of its width, and refuses to keep a layer that does not fit', async () => {
    const start = await startModel(transplant({ languageModelFolder: wideHost }))
    expect(start.weights.projector['linear_1.weight']!.shape).toEqual([24, 16])
    expect(start.spec.languageModel.hiddenSize).toBe(24)
    const fault = await faultOfPromise(startModel(transplant({ languageModelFolder: wideHost, projectorLayers: 1 })))
    expect([fault.code, fault.message.includes('linear_1')]).toEqual(['invalid-input', true])
  })

  it('has an identity that every part of it decides', async () => {
    const starts = [
      transplant(),
      transplant({ folder: host }),
      transplant({ languageModelFolder: donor }),
      transplant({ projectorLayers: 1 }),
      transplant({ seed: 6 }),
      transplant({ languageModelFolder: null }),
    ]
    const identities = await Promise.all(starts.map(async (start) => (await startModel(start)).identity))
    expect(new Set(identities).size).toBe(starts.length)
  })
})

it('parameters are counted by module', async () => {
  const counts = parameterCounts((await startModel({ kind: 'checkpoint', folder: donor })).weights)
  // The projector: 16·16 + 16, twice.
  expect(counts.projector).toBe(2 * (16 * 16 + 16))
  expect(counts.visionEncoder).toBeGreaterThan(counts.projector)
})
