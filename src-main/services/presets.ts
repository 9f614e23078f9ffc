// Presets: the JSON files of one folder. A file's name without `.json` is the preset's name.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import { parse } from '../domain/parse.ts'
import { presetSchema, type Preset, type PresetRow } from '../domain/preset.ts'
import type { Parts } from './parts.ts'

export type PresetService = ReturnType<typeof createPresetService>

export function createPresetService({ presetFolder }: Pick<Parts, 'presetFolder'>) {
  const names = (): readonly string[] =>
    existsSync(presetFolder)
      ? readdirSync(presetFolder)
          .filter((file) => file.endsWith('.json'))
          .map((file) => file.slice(0, -'.json'.length))
          .toSorted()
      : []
  /** @throws LabError 'not-found', naming the presets that there are */
  const get = (name: string): Preset => {
    if (!names().includes(name))
      throw new LabError('not-found', `there is no preset "${name}"; there are ${names().join(', ') || 'none'}`, { name })
    return parse(presetSchema, readJsonFile(join(presetFolder, `${name}.json`)), 'invalid-input', `preset ${name}`)
  }
  return {
    get,
    list: (): readonly PresetRow[] =>
      names().map((name) => {
        const { title, source, expect, quick } = get(name)
        return { name, title, source, expect, quick }
      }),
  }
}

function readJsonFile(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (thrown) {
    if (thrown instanceof SyntaxError)
      throw new LabError('invalid-input', `${file} is not JSON: ${thrown.message}`, { file }, thrown)
    throw thrown
  }
}
