// The weights of a folder: model.safetensors, or shards that model.safetensors.index.json lists. Headers are read and
// checked when a folder is opened; a tensor's bytes are read when its values are asked for, each time anew and by range,
// so that loading a model holds the tensors it makes and the one that is being read.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import type { NamedArray } from '../engine/weights/initial.ts'
import { FLOAT_DTYPES, headerLength, parseHeader, toFloat32, type SafetensorsEntry } from '../engine/weights/safetensors.ts'
import { readJson } from './files.ts'

const SINGLE = 'model.safetensors'
const INDEX = `${SINGLE}.index.json`
/** A real index has about a hundred bytes a tensor. */
const MAX_INDEX_BYTES = 100_000_000
/** One read of a file takes at most 2 GiB. */
const MAX_READ_BYTES = 1 << 30

/** A tensor in a file. `values` reads it. */
export interface FileTensor extends NamedArray {
  readonly file: string
  readonly dtype: SafetensorsEntry['dtype']
  /** In the file. */
  readonly bytes: number
}
export type FileTensors = Readonly<Record<string, FileTensor>>

/**
 * All tensors of a safetensors file. The file must stay as it is for as long as they are used.
 * @throws LabError 'not-found', 'corrupt-artifact' naming the file and what its header says wrong
 */
export function readTensors(path: string): Record<string, FileTensor> {
  const { entries, dataOffset, size } = withFile(path, (file) => {
    const { size: fileBytes } = fstatSync(file)
    const length = headerLength(readRange(file, 0, Math.min(8, fileBytes), path), fileBytes, path)
    return { ...parseHeader(readRange(file, 8, length, path), fileBytes, path), size: fileBytes }
  })
  const tensors: Record<string, FileTensor> = {}
  for (const [name, entry] of entries)
    tensors[name] = {
      file: path,
      dtype: entry.dtype,
      bytes: entry.end - entry.begin,
      shape: entry.shape,
      get values() {
        return withFile(path, (file) => {
          if (fstatSync(file).size !== size) throw new LabError('corrupt-artifact', `${path} changed while it was in use; start again`, { path })
          return named(`${path}: ${name}`, () => toFloat32(entry, readRange(file, dataOffset + entry.begin, entry.end - entry.begin, path)).values)
        })
      },
    }
  return tensors
}

/**
 * The weights of a model folder, single or sharded.
 * @throws LabError 'not-found' when there are none, saying what is there instead; 'invalid-input' for pickles;
 *   'corrupt-artifact' naming the shard, or the tensor that index and shards disagree on
 */
export async function readWeights(folder: string): Promise<Record<string, FileTensor>> {
  const names = await readdir(folder).catch((thrown: unknown) => {
    throw new LabError('not-found', `${folder} does not exist or cannot be read; choose a model folder`, { path: folder }, thrown)
  })
  if (names.includes(SINGLE)) return readTensors(join(folder, SINGLE))
  if (names.includes(INDEX)) return readShards(folder)
  const pickle = names.find((name) => /\.(bin|pt|pth|ckpt)(\.index\.json)?$/.test(name))
  if (pickle !== undefined)
    throw new LabError(
      'invalid-input',
      `${join(folder, pickle)}: expected ${SINGLE}, found a pickle, which is a program: opening one may run anything. Convert it where you trust it: python -c "from transformers import AutoModel; AutoModel.from_pretrained('${folder}').save_pretrained('${folder}-safetensors')"`,
      { path: join(folder, pickle) },
    )
  const others = names.filter((name) => name.endsWith('.safetensors'))
  const found = others.length > 0 ? `found ${others.slice(0, 3).join(', ')}; rename the file that holds the whole model` : 'found no safetensors file; choose the folder that holds the weights'
  throw new LabError('not-found', `${folder}: expected ${SINGLE} or ${INDEX}, ${found}`, { path: folder })
}

async function readShards(folder: string): Promise<Record<string, FileTensor>> {
  const path = join(folder, INDEX)
  const fault = (what: string) => new LabError('corrupt-artifact', `${path}: ${what}. Copy or download the folder again.`, { path })
  const { size } = await stat(path)
  if (size > MAX_INDEX_BYTES) throw fault(`expected at most ${MAX_INDEX_BYTES} bytes, found ${size}`)
  const map = ((await readJson(path)) as { weight_map?: unknown } | null)?.weight_map
  if (typeof map !== 'object' || map === null || Object.values(map).some((file) => typeof file !== 'string'))
    throw fault('expected "weight_map", from tensors to files')
  const fileOf = map as Record<string, string>
  const shards = [...new Set(Object.values(fileOf))]
  const outside = shards.find((shard) => basename(shard) !== shard || !shard.endsWith('.safetensors'))
  if (outside !== undefined) throw fault(`expected shards to be safetensors files in the folder itself, found ${JSON.stringify(outside)}`)
  const tensors: Record<string, FileTensor> = {}
  for (const shard of shards)
    for (const [name, tensor] of Object.entries(readTensors(join(folder, shard)))) {
      if (fileOf[name] !== shard) throw fault(`the tensor ${name} lies in ${shard}, the index says ${fileOf[name] ?? 'nothing of it'}`)
      tensors[name] = tensor
    }
  for (const [name, shard] of Object.entries(fileOf)) if (tensors[name] === undefined) throw fault(`the tensor ${name} is not in ${shard}, where the index puts it`)
  return tensors
}

/**
 * The same tensor, refused on reading when it is no weight or holds a number that is not finite.
 * @param name  for the message
 */
export function checkedWeight(name: string, tensor: FileTensor): FileTensor {
  if (!FLOAT_DTYPES.includes(tensor.dtype))
    throw new LabError(
      'invalid-input',
      `${tensor.file}: ${name}: expected ${FLOAT_DTYPES.join(', ')}, found ${tensor.dtype}: whole numbers as weights are quantised. Choose the folder with the original weights.`,
      { name },
    )
  return {
    file: tensor.file,
    dtype: tensor.dtype,
    bytes: tensor.bytes,
    shape: tensor.shape,
    get values() {
      const { values } = tensor
      const at = values.findIndex((value) => !Number.isFinite(value))
      if (at >= 0)
        throw new LabError(
          'corrupt-artifact',
          `${tensor.file}: ${name} holds ${values[at]} at number ${at} of ${values.length}; such weights make every answer not-a-number. Copy or convert the file again.`,
          { name },
        )
      return values
    },
  }
}

function withFile<T>(path: string, use: (file: number) => T): T {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (thrown) {
    throw new LabError('not-found', `${path} does not exist or cannot be read`, { path }, thrown)
  }
  try {
    return use(file)
  } finally {
    closeSync(file)
  }
}

function readRange(file: number, begin: number, length: number, path: string): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; ) {
    const read = readSync(file, bytes, at, Math.min(length - at, MAX_READ_BYTES), begin + at)
    if (read === 0) throw new LabError('corrupt-artifact', `${path}: expected ${length} bytes at ${begin}, the file ends after ${at}. Copy or export the file again.`, { path })
    at += read
  }
  return bytes
}

/** Puts the tensor's name before a fault of its bytes. */
function named<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    if (thrown instanceof LabError) throw new LabError(thrown.code, `${what}: ${thrown.message}`, thrown.details)
    throw thrown
  }
}
