// What a run starts from, made into weights, tokenizer and preprocessing: a checkpoint, fresh weights, or a transplant.

import { LabError } from '../domain/errors.ts'
import { MODULES, multimodalLmSpecSchema, type LanguageModelSpec, type Module, type MultimodalLmSpec } from '../domain/model-spec.ts'
import { parse } from '../domain/parse.ts'
import { freshPreprocess, type PreprocessSpec } from '../domain/preprocess-spec.ts'
import type { Start } from '../domain/run-config.ts'
import { numPrefixTokens } from '../domain/vision-encoder-spec.ts'
import { createChatTokenizer, type ChatTokenizer, type TokenizerFiles } from '../engine/text/tokenizer.ts'
import { drawWeights, initialWeights, projectorLayout, type NamedArrays } from '../engine/weights/initial.ts'
import { withAdapter } from '../engine/weights/peft.ts'
import { writeSafetensors } from '../engine/weights/safetensors.ts'
import { readAdapter, readCheckpoint, type LoadedCheckpoint } from './checkpoint.ts'
import { sha256 } from './files.ts'
import { assertTokens, isMultimodalFolder, readLanguageModelFolder, readVisionEncoderFolder } from './model-folder.ts'
import { readTokenizerFiles } from './tokenizer-files.ts'

export interface StartModel {
  readonly spec: MultimodalLmSpec
  readonly weights: Readonly<Record<Module, NamedArrays>>
  readonly tokenizerFiles: TokenizerFiles
  readonly tokenizer: ChatTokenizer
  readonly preprocess: PreprocessSpec
  /** Names these weights: equal identities are equal models. */
  readonly identity: string
  /** What a person should know of folders that others wrote. */
  readonly notes: readonly string[]
}

/** @throws LabError 'not-found', 'corrupt-artifact', or 'invalid-input' when the parts do not fit together */
export async function startModel(start: Start): Promise<StartModel> {
  switch (start.kind) {
    case 'checkpoint': {
      const model = fromCheckpoint(await readCheckpoint(start.folder))
      return start.adapter === undefined ? model : adaptedStart(model, start.adapter)
    }
    case 'scratch': {
      const tokenizerFiles = await readTokenizerFiles(start.tokenizerFolder)
      const tokenizer = createChatTokenizer(tokenizerFiles)
      // The vocabulary decides the size of the embeddings; a spec with room to spare is kept as it is.
      const vocabSize = Math.max(start.model.languageModel.vocabSize, tokenizer.vocabSize)
      const spec = { ...start.model, languageModel: { ...start.model.languageModel, vocabSize } }
      return {
        spec,
        weights: initialWeights(spec, start.seed),
        tokenizerFiles,
        tokenizer,
        preprocess: freshPreprocess(spec.visionEncoder),
        identity: sha256(JSON.stringify(['scratch', spec, start.seed, tokenizerFiles])),
        notes: [],
      }
    }
    case 'transplant': {
      const donor = await readCheckpoint(start.folder)
      const host = start.languageModelFolder === null ? null : await readHost(start.languageModelFolder)
      // It is put together afresh: what ended an image's tokens in the donor spoke to another language model.
      const { imageNewline: _, ...withoutNewline } = donor.checkpoint.model
      const spec: MultimodalLmSpec = { ...withoutNewline, languageModel: host?.spec ?? donor.checkpoint.model.languageModel }
      const fresh = initialWeights(spec, start.seed)
      const kept = Array.from({ length: start.projectorLayers }, (_, i) => `linear_${i + 1}.`)
      const projector = Object.fromEntries(
        Object.entries(fresh.projector).map(([name, tensor]) => [name, kept.some((layer) => name.startsWith(layer)) ? donor.weights.projector[name]! : tensor]),
      )
      for (const [name, { shape }] of Object.entries(projector))
        if (shape.join() !== fresh.projector[name]!.shape.join())
          throw new LabError('invalid-input', `projectorLayers: the kept projector's ${name} is [${shape.join(', ')}], the new language model needs [${fresh.projector[name]!.shape.join(', ')}]; keep fewer layers`)
      const { tokenizerFiles, tokenizer } = host ?? donor
      return {
        spec,
        weights: { visionEncoder: donor.weights.visionEncoder, projector, languageModel: host?.weights ?? fresh.languageModel },
        tokenizerFiles,
        tokenizer,
        preprocess: donor.preprocess,
        identity: sha256(JSON.stringify(['transplant', donor.checkpoint.sha256, host?.sha256, start.projectorLayers, start.seed])),
        notes: [...donor.notes, ...(host?.notes ?? [])],
      }
    }
    case 'parts':
      return fromParts(start)
  }
}

export function fromCheckpoint({ checkpoint, weights, tokenizerFiles, tokenizer, preprocess, notes }: LoadedCheckpoint): StartModel {
  return { spec: checkpoint.model, weights, tokenizerFiles, tokenizer, preprocess, identity: checkpoint.sha256, notes }
}

/** A language model to be put behind an encoder, with its tokenizer. */
interface Host {
  readonly spec: LanguageModelSpec
  readonly weights: NamedArrays
  readonly tokenizerFiles: TokenizerFiles
  readonly tokenizer: ChatTokenizer
  readonly sha256: string
  readonly notes: readonly string[]
}

/** The language model of a multimodal folder, or of one that holds it alone: then with a row for the image placeholder. */
async function readHost(folder: string): Promise<Host> {
  if (await isMultimodalFolder(folder)) {
    const { checkpoint, weights, tokenizerFiles, tokenizer, notes } = await readCheckpoint(folder)
    return { spec: checkpoint.model.languageModel, weights: weights.languageModel, tokenizerFiles, tokenizer, sha256: checkpoint.sha256, notes }
  }
  const { spec, weights, ...rest } = await readLanguageModelFolder(folder)
  const tokenizer = createChatTokenizer(rest.tokenizerFiles)
  // Only the placeholder may be new: ids of other tokens beyond the vocabulary are of another model.
  const vocabSize = spec.vocabSize + (tokenizer.imageId === spec.vocabSize ? 1 : 0)
  assertTokens(folder, tokenizer, vocabSize, null)
  return { ...rest, tokenizer, spec: { ...spec, vocabSize }, weights: withRows(weights, vocabSize) }
}

/** A published encoder and language model under a fresh projector. */
async function fromParts(start: Extract<Start, { kind: 'parts' }>): Promise<StartModel> {
  const encoder = await readVisionEncoderFolder(start.visionEncoderFolder)
  const host = await readHost(start.languageModelFolder)
  const spec = parse(multimodalLmSpecSchema, {
    visionEncoder: encoder.spec,
    languageModel: host.spec,
    visionFeatureLayer: start.visionFeatureLayer,
    visionFeatureSelectStrategy: start.visionFeatureSelectStrategy ?? (numPrefixTokens(encoder.spec) > 0 ? 'default' : 'full'),
  })
  return {
    spec,
    weights: { visionEncoder: encoder.weights, projector: drawWeights(projectorLayout(spec), start.seed), languageModel: host.weights },
    tokenizerFiles: host.tokenizerFiles,
    tokenizer: host.tokenizer,
    preprocess: encoder.preprocess,
    identity: sha256(JSON.stringify(['parts', encoder.sha256, host.sha256, spec, start.seed, host.tokenizerFiles])),
    notes: [...encoder.notes, ...host.notes],
  }
}

/** The same weights with a vocabulary of `rows`: a new token begins as the mean of all others (as transformers resizes). */
function withRows(weights: NamedArrays, rows: number): NamedArrays {
  const grow = (name: string): NamedArrays => {
    const tensor = weights[name]
    const [before, width] = (tensor?.shape ?? [rows, 0]) as [number, number]
    if (tensor === undefined || before === rows) return {}
    return {
      [name]: {
        shape: [rows, width],
        get values() {
          const grown = new Float32Array(rows * width)
          const { values } = tensor
          grown.set(values)
          for (let column = 0; column < width; column++) {
            let sum = 0
            for (let row = 0; row < before; row++) sum += values[row * width + column]!
            for (let row = before; row < rows; row++) grown[row * width + column] = sum / before
          }
          return grown
        },
      },
    }
  }
  return { ...weights, ...grow('model.embed_tokens.weight'), ...grow('lm_head.weight') }
}

/** The model with a PEFT adapter merged into it, from then on a model of its own. */
async function adaptedStart(model: StartModel, folder: string): Promise<StartModel> {
  const adapter = await readAdapter(folder)
  const identity = sha256(JSON.stringify(['adapter', model.identity, adapter.config, sha256(writeSafetensors(adapter.tensors))]))
  return { ...model, weights: withAdapter(model.weights, adapter, folder), identity }
}

/** How many numbers each module holds. */
export function parameterCounts(weights: StartModel['weights']): Readonly<Record<Module, number>> {
  return Object.fromEntries(
    MODULES.map((module) => [module, Object.values(weights[module]).reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0)]),
  ) as Record<Module, number>
}
