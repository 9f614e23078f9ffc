// Model folders as Hugging Face's libraries write them: a multimodal model, a vision encoder or a language model. config.json
// says what there must be; every weight of it must be there, of its shape, and finite. What is over is told, never used.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import type { LanguageModelSpec, Module, MultimodalLmSpec } from '../domain/model-spec.ts'
import type { PreprocessSpec } from '../domain/preprocess-spec.ts'
import type { VisionEncoderSpec } from '../domain/vision-encoder-spec.ts'
import { languageModelSpec, languageModelWeights } from '../engine/models/language/families.ts'
import { withPoolingThatIsThere } from '../engine/models/vision/families.ts'
import { createChatTokenizer, withImageToken, type ChatTokenizer, type TokenizerFiles } from '../engine/text/tokenizer.ts'
import { imageTokenIdOf, multimodalLmSpec, visionEncoderSpec, withoutTiles } from '../engine/weights/hugging-face-config.ts'
import { projectorLayout, visionEncoderLayout, type NamedArrays } from '../engine/weights/initial.ts'
import { matchWeights, weightDifferences, type WeightDifferences } from '../engine/weights/match.ts'
import { splitByModule, visionEncoderTensors } from '../engine/weights/names.ts'
import { readJson, sha256OfFile } from './files.ts'
import { readSquarePreprocess } from './preprocessor-file.ts'
import { readTokenizerFiles } from './tokenizer-files.ts'
import { checkedWeight, readWeights, type FileTensor } from './weight-files.ts'

type Json = Readonly<Record<string, unknown>>
type Tensors = Readonly<Record<string, FileTensor>>

interface Folder {
  /** Names the weights: equal hashes are equal models. */
  readonly sha256: string
  /** What a person should know: tensors of the folder that have no use here. */
  readonly notes: readonly string[]
}

export interface MultimodalFolder extends Folder {
  readonly spec: MultimodalLmSpec
  readonly weights: Readonly<Record<Module, NamedArrays>>
  readonly tokenizerFiles: TokenizerFiles
  readonly tokenizer: ChatTokenizer
  readonly preprocess: PreprocessSpec
}
export interface VisionEncoderFolder extends Folder {
  readonly spec: VisionEncoderSpec
  readonly weights: NamedArrays
  readonly preprocess: PreprocessSpec
}
export interface LanguageModelFolder extends Folder {
  readonly spec: LanguageModelSpec
  readonly weights: NamedArrays
  readonly tokenizerFiles: TokenizerFiles
}

/** @throws LabError 'not-found', 'corrupt-artifact', 'invalid-input' naming file and field, weight or token */
export async function readMultimodalFolder(folder: string): Promise<MultimodalFolder> {
  const config = await readConfig(folder)
  const described = inFolder(folder, () => multimodalLmSpec(config))
  const tensors = await readFiniteWeights(folder)
  const tokenizerFiles = await readTokenizerFiles(folder)
  const tokenizer = inFolder(folder, () => createChatTokenizer(tokenizerFiles))
  assertTokens(folder, tokenizer, described.languageModel.vocabSize, imageTokenIdOf(config))
  const { modules, unknown } = splitByModule(tensors)
  const found = { ...modules, visionEncoder: visionEncoderTensors(described.visionEncoder, modules.visionEncoder) }
  const spec = { ...described, visionEncoder: withPoolingThatIsThere(described.visionEncoder, (name) => Object.hasOwn(found.visionEncoder, name)) }
  const expected = expectedWeights(spec)
  const tiles = withoutTiles(config)
  const matched = {
    visionEncoder: matchWeights(expected.visionEncoder, found.visionEncoder, `${folder}: vision encoder`),
    projector: matchWeights(expected.projector, found.projector, `${folder}: projector`),
    languageModel: matchWeights(expected.languageModel, found.languageModel, `${folder}: language model`),
  }
  return {
    spec,
    weights: { visionEncoder: matched.visionEncoder.weights, projector: matched.projector.weights, languageModel: matched.languageModel.weights },
    tokenizerFiles,
    tokenizer,
    preprocess: await readSquarePreprocess(folder, spec.visionEncoder),
    sha256: await hashOf(tensors),
    notes: [...notesOf([...unknown, ...Object.values(matched).flatMap(({ extra }) => extra)]), ...(tiles === null ? [] : [tiles])],
  }
}

/** The encoder of a folder that holds it alone, in a dual encoder, or in a multimodal model. */
export async function readVisionEncoderFolder(folder: string): Promise<VisionEncoderFolder> {
  const config = await readConfig(folder)
  const described = inFolder(folder, () => encoderOf(config))
  const tensors = await readFiniteWeights(folder)
  const { modules } = splitByModule(tensors)
  const found = visionEncoderTensors(described, modules.visionEncoder)
  const spec = withPoolingThatIsThere(described, (name) => Object.hasOwn(found, name))
  const { weights, extra } = matchWeights(visionEncoderLayout(spec), found, `${folder}: vision encoder`)
  return {
    spec,
    weights,
    preprocess: await readSquarePreprocess(folder, spec),
    sha256: await hashOf(tensors),
    notes: notesOf(extra),
  }
}

/** A language model alone. Its tokenizer gets an image placeholder where it has none. */
export async function readLanguageModelFolder(folder: string): Promise<LanguageModelFolder> {
  const config = await readConfig(folder)
  const spec = inFolder(folder, () => languageModelSpec(config))
  const tensors = await readFiniteWeights(folder)
  const { weights, extra } = matchWeights(languageModelWeights(spec), splitByModule(tensors).modules.languageModel, `${folder}: language model`)
  return { spec, weights, tokenizerFiles: withImageToken(await readTokenizerFiles(folder)).files, sha256: await hashOf(tensors), notes: notesOf(extra) }
}

/** Every weight of a multimodal model, by module, with its shape. */
export function expectedWeights(spec: MultimodalLmSpec) {
  return { visionEncoder: visionEncoderLayout(spec.visionEncoder), projector: projectorLayout(spec), languageModel: languageModelWeights(spec.languageModel) }
}

/** How the weights of a folder differ from what its config.json asks for, without reading any. */
export function differencesIn(spec: MultimodalLmSpec, tensors: Tensors): Readonly<Record<Module, WeightDifferences>> {
  const { modules } = splitByModule(tensors)
  const encoder = visionEncoderTensors(spec.visionEncoder, modules.visionEncoder)
  const expected = expectedWeights({ ...spec, visionEncoder: withPoolingThatIsThere(spec.visionEncoder, (name) => Object.hasOwn(encoder, name)) })
  return {
    visionEncoder: weightDifferences(expected.visionEncoder, encoder),
    projector: weightDifferences(expected.projector, modules.projector),
    languageModel: weightDifferences(expected.languageModel, modules.languageModel),
  }
}

export async function readConfig(folder: string): Promise<Json> {
  return (await readJson(join(folder, 'config.json'))) as Json
}

/** Whether the folder holds encoder, projector and language model together. */
export async function isMultimodalFolder(folder: string): Promise<boolean> {
  return /^llava/.test(String((await readConfig(folder))['model_type']))
}

function encoderOf(config: Json): VisionEncoderSpec {
  return /^llava/.test(String(config['model_type'])) ? multimodalLmSpec(config).visionEncoder : visionEncoderSpec(config)
}

/**
 * Ids that no embedding has would read outside the table.
 * @throws LabError 'invalid-input' naming the token and both sizes
 */
export function assertTokens(folder: string, tokenizer: Pick<ChatTokenizer, 'vocabSize' | 'imageId'>, vocabSize: number, imageTokenId: number | null): void {
  if (tokenizer.vocabSize > vocabSize)
    throw new LabError(
      'invalid-input',
      `${folder}: tokenizer.json: expected token ids below the vocabulary of ${vocabSize} in config.json, found ids up to ${tokenizer.vocabSize - 1}. Tokenizer and weights are of different models; choose a folder where they belong together.`,
      { vocabSize, found: tokenizer.vocabSize },
    )
  if (imageTokenId !== null && imageTokenId !== tokenizer.imageId)
    throw new LabError(
      'invalid-input',
      `${folder}: config.json: image_token_index: expected ${tokenizer.imageId}, the id of the image token in tokenizer.json, found ${imageTokenId}. Correct image_token in tokenizer_config.json, or the id in config.json.`,
      { field: 'image_token_index' },
    )
}

/** The tensors of the folder's files by their names there; one that is no weight, or not finite, is refused when it is read. */
async function readFiniteWeights(folder: string): Promise<Tensors> {
  return Object.fromEntries(Object.entries(await readWeights(folder)).map(([name, tensor]) => [name, checkedWeight(name, tensor)]))
}

/** Of all weight files: their bytes, in the order of their names. */
async function hashOf(tensors: Tensors): Promise<string> {
  const files = [...new Set(Object.values(tensors).map(({ file }) => file))].sort()
  if (files.length === 1) return sha256OfFile(files[0]!)
  const hash = createHash('sha256')
  for (const file of files) hash.update(await sha256OfFile(file))
  return hash.digest('hex')
}

function notesOf(extra: readonly string[]): string[] {
  if (extra.length === 0) return []
  return [`${extra.length} tensors of the folder have no use here: ${extra.slice(0, 4).join(', ')}${extra.length > 4 ? ', …' : ''}`]
}

/** Puts the folder before a fault of what was read from it. */
function inFolder<T>(folder: string, read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    if (thrown instanceof LabError) throw new LabError(thrown.code, `${folder}: ${thrown.message}`, thrown.details, thrown)
    throw thrown
  }
}
