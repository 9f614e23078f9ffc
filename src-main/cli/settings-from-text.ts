// `--set training.steps=20`: a value put into a plain object at its path. What it may be, the schema says afterwards.

import { readFileSync } from 'node:fs'
import { InvalidArgumentError } from 'commander'
import { LabError } from '../domain/errors.ts'

/** Collects a repeated `--set key=value`. */
export function collectSetting(text: string, earlier: readonly string[] = []): readonly string[] {
  if (!/^[^=\s]+=/.test(text)) throw new InvalidArgumentError(`expected key=value, got "${text}"`)
  return [...earlier, text]
}

/** A copy of `base` with each `path=value` set; a value that is JSON is taken as such, everything else as text. */
export function withSettings(base: unknown, settings: readonly string[]): unknown {
  const copy = structuredClone(base ?? {})
  for (const setting of settings) {
    const split = setting.indexOf('=')
    const path = setting.slice(0, split).split('.')
    let place = copy as Record<string, unknown>
    for (const key of path.slice(0, -1)) {
      if (typeof place[key] !== 'object' || place[key] === null) place[key] = {}
      place = place[key] as Record<string, unknown>
    }
    place[path.at(-1)!] = jsonOrText(setting.slice(split + 1))
  }
  return copy
}

export function readJsonFile(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (thrown) {
    if (thrown instanceof SyntaxError)
      throw new LabError('invalid-input', `${file} is not JSON: ${thrown.message}`, { file }, thrown)
    throw thrown
  }
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
