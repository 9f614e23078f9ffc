// A dry look into a model folder: what it is, which tensors there are and which of them are missing or over, tokenizer and
// preprocessing. Only headers and configs are read, so that it takes a moment however large the model is.

import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { InspectJob, JobEvent } from '../domain/job.ts'
import { LabError } from '../domain/errors.ts'
import type { Module } from '../domain/model-spec.ts'
import type { ModelInspection, ModuleInspection } from '../domain/model-view.ts'
import { dualEncoderLayout, dualEncoderSpec, isDualEncoder } from '../engine/models/dual-encoder.ts'
import { languageModelSpec, languageModelWeights } from '../engine/models/language/families.ts'
import { preprocessWords } from '../domain/preprocess-spec.ts'
import { specFromHuggingFace } from '../engine/preprocess/hugging-face.ts'
import { createChatTokenizer, withImageToken } from '../engine/text/tokenizer.ts'
import { imageTokenIdOf, multimodalLmSpec, visionEncoderSpec, withoutTiles } from '../engine/weights/hugging-face-config.ts'
import { projectorLayout, visionEncoderLayout } from '../engine/weights/initial.ts'
import { weightDifferences } from '../engine/weights/match.ts'
import { splitByModule, visionEncoderTensors } from '../engine/weights/names.ts'
import { readJson } from './files.ts'
import { assertTokens, readConfig } from './model-folder.ts'
import { readTokenizerFiles } from './tokenizer-files.ts'
import { readTensors, readWeights, type FileTensor } from './weight-files.ts'

type Shapes = Parameters<typeof weightDifferences>[0]
type Expected = Readonly<Partial<Record<Module, { readonly spec: object; readonly weights: Shapes }>>>

/** What PEFT names the description of an adapter. */
const ADAPTER_CONFIG = 'adapter_config.json'

export async function* runInspectJob({ folder }: InspectJob): AsyncGenerator<JobEvent> {
  yield { kind: 'inspection', inspection: await inspectFolder(folder) }
}

/** @throws LabError when there is no config.json, or nothing that the lab knows in it, or no weights; all else is told as a fault */
export async function inspectFolder(folder: string): Promise<ModelInspection> {
  if (existsSync(join(folder, ADAPTER_CONFIG)) && !existsSync(join(folder, 'config.json'))) return inspectAdapter(folder)
  const config = await readConfig(folder)
  const { kind, expected } = expectedOf(config)
  const tensors = await readWeights(folder)
  const { modules, unknown } = splitByModule<FileTensor>(tensors)
  const faults: string[] = []
  const attempt = async <T>(read: () => Promise<T> | T): Promise<T | null> => {
    try {
      return await read()
    } catch (thrown) {
      if (!(thrown instanceof LabError)) throw thrown
      faults.push(thrown.message)
      return null
    }
  }
  const looked = (Object.keys(expected) as Module[]).map((module) => inspectModule(module, expected[module]!, modules[module]))
  for (const { module, missing, misshapen } of looked) {
    if (missing.length > 0) faults.push(`${module}: ${missing.length} weights are missing: ${missing.slice(0, 4).join(', ')}${missing.length > 4 ? ', …' : ''}`)
    if (misshapen.length > 0) faults.push(`${module}: ${misshapen.length} weights have another shape: ${misshapen.slice(0, 4).join(', ')}${misshapen.length > 4 ? ', …' : ''}`)
  }
  const dual = kind === 'dual encoder' ? dualEncoderLayout(dualEncoderSpec(config, join(folder, 'config.json'))) : {}
  const wordless = Object.keys(dual).filter((name) => tensors[name] === undefined && !name.startsWith('vision_model.'))
  if (wordless.length > 0) faults.push(`text side: ${wordless.length} weights are missing: ${wordless.slice(0, 4).join(', ')}${wordless.length > 4 ? ', …' : ''}; it can see, and cannot classify by words`)
  const { languageModel } = expected
  const tokenizer =
    languageModel === undefined
      ? null
      : await attempt(async () => {
          const files = await readTokenizerFiles(folder)
          const { files: usable, addedId } = kind === 'language model' ? withImageToken(files) : { files, addedId: null }
          const chat = createChatTokenizer(usable)
          const { vocabSize } = languageModel.spec as { readonly vocabSize: number }
          assertTokens(folder, chat, Math.max(vocabSize, addedId === null ? 0 : addedId + 1), imageTokenIdOf(config))
          const prompt = chat.encodePrompt([{ from: 'human', text: '<image>\nWhat is this?' }])
          return { tokens: chat.vocabSize, endId: chat.endId, imageId: chat.imageId, prompt: chat.decode(prompt), endIds: [...chat.endIds], sampling: chat.recommended, notComputed: [...chat.notComputed] }
        })
  const path = join(folder, 'preprocessor_config.json')
  const preprocess =
    expected.visionEncoder === undefined
      ? null
      : await attempt(async () => preprocessWords(specFromHuggingFace(await readJson(path), path)))
  return {
    folder,
    kind: existsSync(join(folder, 'lab.json')) ? 'checkpoint' : kind,
    modelType: String(config['model_type']),
    files: [...new Set(Object.values(tensors).map(({ file }) => file))],
    bytes: Object.values(tensors).reduce((sum, { bytes }) => sum + bytes, 0),
    modules: looked,
    unknown: [...unknown, ...(Object.keys(modules) as Module[]).filter((module) => expected[module] === undefined).flatMap((module) => Object.keys(modules[module]))].filter((name) => !(name in dual)),
    tokenizer,
    preprocess,
    faults,
    notes: notesOf(config),
  }
}

function notesOf(config: Readonly<Record<string, unknown>>): string[] {
  const note = withoutTiles(config)
  return note === null ? [] : [note]
}

function expectedOf(config: Readonly<Record<string, unknown>>): { readonly kind: ModelInspection['kind']; readonly expected: Expected } {
  const read = <T>(parse: () => T): T | LabError => {
    try {
      return parse()
    } catch (thrown) {
      if (thrown instanceof LabError) return thrown
      throw thrown
    }
  }
  const type = String(config['model_type'])
  if (/^llava/.test(type)) {
    const spec = multimodalLmSpec(config)
    return {
      kind: 'multimodal model',
      expected: {
        visionEncoder: { spec: spec.visionEncoder, weights: visionEncoderLayout(spec.visionEncoder) },
        projector: { spec: spec.projector, weights: projectorLayout(spec) },
        languageModel: { spec: spec.languageModel, weights: languageModelWeights(spec.languageModel) },
      },
    }
  }
  const language = read(() => languageModelSpec(config))
  if (!(language instanceof LabError)) return { kind: 'language model', expected: { languageModel: { spec: language, weights: languageModelWeights(language) } } }
  const vision = read(() => visionEncoderSpec(config))
  if (!(vision instanceof LabError)) return { kind: isDualEncoder(config) ? 'dual encoder' : 'vision encoder', expected: { visionEncoder: { spec: vision, weights: visionEncoderLayout(vision) } } }
  // Whichever recognises the type says what is wrong with it; where none does, all that are known are listed.
  const recognises = [language, vision].filter(({ message }) => !message.includes('model_type: expected'))
  throw recognises[0] ?? new LabError('invalid-input', `${language.message}. ${vision.message}`, { field: 'model_type' })
}

function inspectModule(module: Module, { spec, weights }: { readonly spec: object; readonly weights: Shapes }, found: Readonly<Record<string, FileTensor>>): ModuleInspection {
  const renamed = module === 'visionEncoder' ? visionEncoderTensors(spec as Parameters<typeof visionEncoderTensors>[0], found) : found
  const dtypes: Record<string, number> = {}
  for (const { dtype } of Object.values(found)) dtypes[dtype] = (dtypes[dtype] ?? 0) + 1
  const { missing, extra, misshapen } = weightDifferences(weights, renamed)
  const parameters = Object.values(weights).reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0)
  return { module, spec: { ...spec }, tensors: Object.keys(weights).length, parameters, dtypes, missing: [...missing], extra: [...extra], misshapen: [...misshapen] }
}

/** A folder in PEFT's layout: which kind of adapter, of which rank, and how large. Whether it fits a model, the model decides. */
async function inspectAdapter(folder: string): Promise<ModelInspection> {
  const path = join(folder, ADAPTER_CONFIG)
  const { peft_type: type, r: rank } = (await readJson(path)) as { readonly peft_type?: unknown; readonly r?: unknown }
  const weights = join(folder, 'adapter_model.safetensors')
  const tensors = existsSync(weights) ? readTensors(weights) : {}
  return {
    folder,
    kind: 'adapter',
    modelType: `${String(type)}, rank ${String(rank)}, ${Object.keys(tensors).length} tensors`,
    files: existsSync(weights) ? [weights] : [],
    bytes: existsSync(weights) ? statSync(weights).size : 0,
    modules: [],
    unknown: [],
    tokenizer: null,
    preprocess: null,
    faults: [
      ...(type === 'LORA' ? [] : [`${path}: peft_type: expected LORA, found ${String(type)}; merge it with PEFT first`]),
      ...(existsSync(weights) ? [] : [`${weights} does not exist: save the adapter with safe_serialization=True`]),
    ],
    notes: [],
  }
}
