// A checkpoint is a folder in Hugging Face's layout (LLaVA): model.safetensors, config.json, tokenizer.json,
// tokenizer_config.json, generation_config.json, preprocessor_config.json; beside them optimizer.safetensors (what continues the training: AdamW's
// moments, adapters and the weights under them), adapter/ in PEFT's layout where adapters were trained, and, written last,
// lab.json: a folder without it is not a checkpoint. The model is always whole: adapters are merged into its weights.

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import { checkpointSchema, type Checkpoint } from '../domain/job.ts'
import { MODULES, type Module } from '../domain/model-spec.ts'
import { parse } from '../domain/parse.ts'
import type { PreprocessSpec } from '../domain/preprocess-spec.ts'
import { specToHuggingFace } from '../engine/preprocess/hugging-face.ts'
import { createChatTokenizer, type ChatTokenizer, type TokenizerFiles } from '../engine/text/tokenizer.ts'
import { configText, multimodalLmConfig } from '../engine/weights/hugging-face-config.ts'
import type { NamedArray, NamedArrays } from '../engine/weights/initial.ts'
import { multimodalName, splitByModule } from '../engine/weights/names.ts'
import type { AdapterFiles } from '../engine/weights/peft.ts'
import { safetensorsPieces } from '../engine/weights/safetensors.ts'
import { makeFolder, readJson, sha256OfFile, writeFolderWhole } from './files.ts'
import { readMultimodalFolder } from './model-folder.ts'
import { readTokenizerFiles } from './tokenizer-files.ts'
import { readPreprocess } from './preprocessor-file.ts'
import { readTensors } from './weight-files.ts'

export interface LoadedCheckpoint {
  readonly folder: string
  readonly checkpoint: Checkpoint
  readonly weights: Readonly<Record<Module, NamedArrays>>
  readonly tokenizerFiles: TokenizerFiles
  readonly tokenizer: ChatTokenizer
  readonly preprocess: PreprocessSpec
  /** What a person should know of a folder that others wrote: tensors that have no use here. */
  readonly notes: readonly string[]
}

/**
 * Everything of a model folder but AdamW's moments: a checkpoint of the lab, or a folder as Hugging Face's libraries write it.
 * @throws LabError 'not-found', 'corrupt-artifact' naming the file, 'invalid-input' for a published model that the lab cannot compute
 */
export async function readCheckpoint(folder: string): Promise<LoadedCheckpoint> {
  if (!existsSync(join(folder, 'lab.json')) && existsSync(join(folder, 'config.json'))) return readPublished(folder)
  const checkpoint = parse(checkpointSchema, await readJson(join(folder, 'lab.json')), 'corrupt-artifact', join(folder, 'lab.json'))
  const { modules, unknown } = splitByModule(readTensors(join(folder, 'model.safetensors')))
  if (unknown.length > 0) throw new LabError('corrupt-artifact', `${folder}: unknown tensors ${unknown.slice(0, 5).join(', ')}`)
  const tokenizerFiles = await readTokenizerFiles(folder)
  return {
    folder,
    checkpoint,
    weights: modules,
    tokenizerFiles,
    tokenizer: createChatTokenizer(tokenizerFiles),
    preprocess: await readPreprocess(folder),
    notes: [],
  }
}

async function readPublished(folder: string): Promise<LoadedCheckpoint> {
  const { spec, weights, tokenizerFiles, tokenizer, preprocess, notes, sha256: identity } = await readMultimodalFolder(folder)
  const checkpoint = { formatVersion: 1 as const, step: 0, model: spec, config: null, sha256: identity, execution: null, numTokens: 0 }
  return { folder, checkpoint, weights, tokenizerFiles, tokenizer, preprocess, notes }
}

/** What continues a training, named `first/visionEncoder/…`; none for a checkpoint that is not to be continued. */
export async function readMoments(folder: string): Promise<NamedArrays> {
  return readTensors(join(folder, 'optimizer.safetensors'))
}

export interface CheckpointParts {
  readonly weights: Readonly<Record<Module, NamedArrays>>
  /** Moments, and what else continues the training (`stateBesideModel`); null: a model that will not be trained on. */
  readonly moments: NamedArrays | null
  /** The adapters that were trained, for PEFT; the model has them merged. */
  readonly adapter?: AdapterFiles | null
  readonly tokenizerFiles: TokenizerFiles
  readonly preprocess: PreprocessSpec
  readonly describe: Omit<Checkpoint, 'formatVersion' | 'sha256'>
  /** Further files of the run's state, as JSON by name. */
  readonly state?: Readonly<Record<string, unknown>>
}

/** Writes the folder whole or not at all. @returns SHA-256 of model.safetensors: the model's identity */
export async function writeCheckpoint(folder: string, { weights, moments, adapter = null, tokenizerFiles, preprocess, describe, state = {} }: CheckpointParts): Promise<string> {
  const named = Object.fromEntries(
    MODULES.flatMap((module) => Object.entries(weights[module]).map(([name, tensor]): [string, NamedArray] => [multimodalName(module, name), tensor])),
  )
  const { imageId, endIds, padId } = createChatTokenizer(tokenizerFiles)
  let identity = ''
  await writeFolderWhole(folder, async (temporary) => {
    const write = (name: string, content: unknown) =>
      flushed(join(temporary, name), [Buffer.from(typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`)])
    identity = await flushed(join(temporary, 'model.safetensors'), safetensorsPieces(named))
    if (moments !== null) await flushed(join(temporary, 'optimizer.safetensors'), safetensorsPieces(moments))
    if (adapter !== null) await writeAdapter(join(temporary, 'adapter'), adapter)
    await write('config.json', configText(multimodalLmConfig(describe.model, imageId)))
    await write('tokenizer.json', tokenizerFiles.tokenizer)
    await write('tokenizer_config.json', tokenizerFiles.config)
    // Without it transformers would not know where an answer ends; what the model came with (sampling) is kept.
    await write('generation_config.json', { ...tokenizerFiles.generation, eos_token_id: endIds.length === 1 ? endIds[0] : endIds, pad_token_id: padId })
    await write('preprocessor_config.json', specToHuggingFace(preprocess))
    for (const [name, content] of Object.entries(state)) await write(name, content)
    await write('lab.json', parse(checkpointSchema, { formatVersion: 1, sha256: identity, ...describe }))
  })
  return identity
}

/** Writes an adapter in PEFT's layout. */
export async function writeAdapter(folder: string, { config, tensors }: AdapterFiles): Promise<void> {
  await flushed(join(folder, 'adapter_config.json'), [Buffer.from(`${JSON.stringify(config, null, 2)}\n`)])
  await flushed(join(folder, 'adapter_model.safetensors'), safetensorsPieces(tensors))
}

/** An adapter in PEFT's layout. @throws LabError 'not-found', 'corrupt-artifact' naming the file */
export async function readAdapter(folder: string): Promise<AdapterFiles> {
  return { config: await readJson(join(folder, 'adapter_config.json')), tensors: readTensors(join(folder, 'adapter_model.safetensors')) }
}

/** The newest complete checkpoint of a run's folder; null when there is none. */
export async function newestCheckpoint(runFolder: string): Promise<string | null> {
  let names: string[]
  try {
    names = await readdir(runFolder)
  } catch {
    return null
  }
  const folders = names.filter((name) => /^step-\d+$/.test(name)).sort((a, b) => stepOf(b) - stepOf(a))
  for (const name of folders) {
    const folder = join(runFolder, name)
    if ((await readdir(folder)).includes('lab.json')) return folder
  }
  return null
}

export function checkpointFolder(runFolder: string, step: number): string {
  return join(runFolder, `step-${String(step).padStart(8, '0')}`)
}

/** Removes what an interrupted write left, and all checkpoints but `keep`. */
export async function tidyRunFolder(runFolder: string, keep: string): Promise<void> {
  for (const name of await readdir(runFolder)) {
    const path = join(runFolder, name)
    if ((/^step-\d+$/.test(name) && path !== keep) || name.endsWith('.partial')) await rm(path, { recursive: true, force: true })
  }
}

/** @throws LabError 'corrupt-artifact' when the weights are gone, or not those that lab.json names */
export async function verifyCheckpoint(folder: string): Promise<void> {
  // What others wrote names no hash.
  if (!existsSync(join(folder, 'lab.json'))) return
  const { sha256: expected } = parse(checkpointSchema, await readJson(join(folder, 'lab.json')), 'corrupt-artifact')
  const weights = join(folder, 'model.safetensors')
  if (!existsSync(weights)) throw new LabError('corrupt-artifact', `${weights} is not there, though lab.json names it; restore it from a backup or train again`, { path: weights })
  const found = await sha256OfFile(weights)
  if (found !== expected)
    throw new LabError('corrupt-artifact', `${folder}/model.safetensors: expected SHA-256 ${expected}, found ${found}; restore it from a backup or train again`)
}

/** Writes chunk by chunk. @returns SHA-256 of the whole */
async function flushed(path: string, chunks: Iterable<Uint8Array>): Promise<string> {
  await makeFolder(dirname(path))
  const hash = createHash('sha256')
  const file = await open(path, 'w')
  try {
    for (const chunk of chunks) {
      hash.update(chunk)
      for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}

function stepOf(name: string): number {
  return Number(name.slice('step-'.length))
}
