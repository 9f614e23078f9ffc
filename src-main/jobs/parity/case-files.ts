// A reference case as a folder: case.json says what it is and how closely it must be met, safetensors hold the numbers, and
// beside them may lie a model as save_pretrained writes it.

import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import { nearestName } from '../../engine/weights/match.ts'
import { readSafetensors } from '../../engine/weights/safetensors.ts'
import type { NamedArray, NamedArrays } from '../../engine/weights/initial.ts'
import { readJson } from '../files.ts'
import { parseTolerance, type Tolerance } from './comparison.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export interface CaseFiles {
  readonly folder: string
  /** case.json. */
  readonly json: JsonObject
  has(file: string): boolean
  /** A JSON file of the folder. @throws LabError 'not-found' */
  object(file: string): Promise<JsonObject>
  /** All tensors of a file of the folder. @throws LabError 'not-found', 'corrupt-artifact' */
  tensors(file: string): Promise<CaseTensors>
}

export interface CaseTensors {
  readonly names: readonly string[]
  /** @throws LabError 'not-found' listing the nearest name there is */
  get(name: string): NamedArray
  has(name: string): boolean
  all(): NamedArrays
}

export async function openCase(folder: string): Promise<CaseFiles> {
  const path = (file: string) => {
    if (!existsSync(join(folder, file))) throw new LabError('not-found', `${join(folder, file)}: expected this file of a reference case, found none`)
    return join(folder, file)
  }
  const object = async (file: string) => (await readJson(path(file))) as JsonObject
  return {
    folder,
    json: await object('case.json'),
    has: (file) => existsSync(join(folder, file)),
    object,
    async tensors(file) {
      const arrays = readSafetensors(await readFile(path(file)), join(folder, file))
      return {
        names: Object.keys(arrays),
        has: (name) => name in arrays,
        all: () => arrays,
        get(name) {
          const found = arrays[name]
          if (found === undefined) throw new LabError('not-found', `${join(folder, file)}: expected a tensor ${name}, found none; the nearest is ${nearestName(name, Object.keys(arrays)) ?? 'none'}`)
          return found
        },
      }
    },
  }
}

/** Every folder at or below `root` that holds a case.json, by path. @throws LabError 'not-found' when there is none */
export async function findCases(root: string): Promise<readonly { readonly name: string; readonly folder: string }[]> {
  if (!existsSync(root)) throw new LabError('not-found', `${root}: expected a folder of reference cases, found nothing`)
  const below = await readdir(root, { recursive: true, withFileTypes: true })
  const folders = below
    .filter((entry) => entry.isFile() && entry.name === 'case.json')
    .map(({ parentPath }) => parentPath)
    .sort()
  if (folders.length === 0) throw new LabError('not-found', `${root}: expected folders that hold a case.json, found none; name a case or a folder of cases`)
  return folders.map((folder) => ({ folder, name: relative(root, folder) || folder }))
}

/** The tolerances that case.json states for values and for gradients. @throws LabError 'invalid-input' */
export function tolerancesOf({ json, folder }: CaseFiles): { readonly forward: Tolerance; readonly gradient: Tolerance } {
  const stated = (json['tolerance'] ?? {}) as JsonObject
  const of = (name: string) => parseTolerance(stated[name], `${join(folder, 'case.json')}: tolerance.${name}`)
  return { forward: of('forward'), gradient: of('gradient') }
}

/** The caller's tidy disposes. */
export function toTensor({ shape, values }: NamedArray): tf.Tensor {
  return tf.tensor(values, [...shape])
}
