// What a run starts from, made into weights, tokenizer and preprocessing: a checkpoint, fresh weights, or a transplant.

import { LabError } from '../domain/errors.ts'
import { MODULES, type Module, type MultimodalLmSpec } from '../domain/model-spec.ts'
import { siglipPreprocess, type PreprocessSpec } from '../domain/preprocess-spec.ts'
import type { Start } from '../domain/run-config.ts'
import { createChatTokenizer, type ChatTokenizer, type TokenizerFiles } from '../engine/text/tokenizer.ts'
import { initialWeights, type NamedArrays } from '../engine/weights/initial.ts'
import { withAdapter } from '../engine/weights/peft.ts'
import { writeSafetensors } from '../engine/weights/safetensors.ts'
import { readAdapter, readCheckpoint, readTokenizerFiles, type LoadedCheckpoint } from './checkpoint.ts'
import { sha256 } from './files.ts'

export interface StartModel {
  readonly spec: MultimodalLmSpec
  readonly weights: Readonly<Record<Module, NamedArrays>>
  readonly tokenizerFiles: TokenizerFiles
  readonly tokenizer: ChatTokenizer
  readonly preprocess: PreprocessSpec
  /** Names these weights: equal identities are equal models. */
  readonly identity: string
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
        preprocess: siglipPreprocess(spec.visionEncoder.imageSize),
        identity: sha256(JSON.stringify(['scratch', spec, start.seed, tokenizerFiles])),
      }
    }
    case 'transplant': {
      const donor = await readCheckpoint(start.folder)
      const host = start.languageModelFolder === null ? null : await readCheckpoint(start.languageModelFolder)
      const spec: MultimodalLmSpec = { ...donor.checkpoint.model, languageModel: (host ?? donor).checkpoint.model.languageModel }
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
        weights: { visionEncoder: donor.weights.visionEncoder, projector, languageModel: host?.weights.languageModel ?? fresh.languageModel },
        tokenizerFiles,
        tokenizer,
        preprocess: donor.preprocess,
        identity: sha256(JSON.stringify(['transplant', donor.checkpoint.sha256, host?.checkpoint.sha256, start.projectorLayers, start.seed])),
      }
    }
  }
}

export function fromCheckpoint({ checkpoint, weights, tokenizerFiles, tokenizer, preprocess }: LoadedCheckpoint): StartModel {
  return { spec: checkpoint.model, weights, tokenizerFiles, tokenizer, preprocess, identity: checkpoint.sha256 }
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
