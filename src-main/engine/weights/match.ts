// The weights that a model needs against those that a file has: all there, of the right shape; what is over is told.

import { LabError } from '../../domain/errors.ts'
import { editDistance } from '../evaluate/measures/answers.ts'
import type { NamedArray } from './initial.ts'

/** Names in a message at most; a wrong folder lacks hundreds. */
const NAMED = 4

export interface WeightDifferences {
  /** Expected and not found. */
  readonly missing: readonly string[]
  /** Found and not expected; what only caches what the config says is left out. */
  readonly extra: readonly string[]
  /** Found with another shape. */
  readonly misshapen: readonly string[]
}

type Shapes = Readonly<Record<string, { readonly shape: readonly number[] }>>

/** Positions and frequencies that older releases of transformers saved; they follow from the config. */
const CACHED = /(^|\.)(position_ids|rotary_emb\.inv_freq|masked_bias)$/

export function weightDifferences(expected: Shapes, found: Shapes): WeightDifferences {
  return {
    missing: Object.keys(expected).filter((name) => !Object.hasOwn(found, name)),
    extra: Object.keys(found).filter((name) => !Object.hasOwn(expected, name) && !CACHED.test(name)),
    misshapen: Object.entries(expected).flatMap(([name, { shape }]) => (Object.hasOwn(found, name) && shape.join() !== found[name]!.shape.join() ? [name] : [])),
  }
}

/**
 * @param expected  local names with their shapes
 * @param found     tensors by local name
 * @param where     the file or folder, for messages
 * @returns the expected weights, and the names of what the file has beside them
 * @throws LabError 'invalid-input' naming every kind of fault: missing (with the nearest name that is over), and shapes expected and found
 */
export function matchWeights<Tensor extends NamedArray>(
  expected: Shapes,
  found: Readonly<Record<string, Tensor>>,
  where: string,
): { readonly weights: Record<string, Tensor>; readonly extra: readonly string[] } {
  const { missing, extra, misshapen } = weightDifferences(expected, found)
  if (missing.length > 0) {
    const listed = missing.slice(0, NAMED).map((name) => {
      const nearest = nearestName(name, extra)
      return nearest === null ? name : `${name} (nearest: ${nearest})`
    })
    throw new LabError(
      'invalid-input',
      `${where}: ${missing.length} of ${Object.keys(expected).length} weights are missing: ${listed.join(', ')}${missing.length > NAMED ? ', …' : ''}. ${whatToDo(missing)}`,
      { missing, extra },
    )
  }
  if (misshapen.length > 0) {
    const listed = misshapen.slice(0, NAMED).map((name) => `${name}: expected [${expected[name]!.shape.join(', ')}], found [${found[name]!.shape.join(', ')}]`)
    throw new LabError(
      'invalid-input',
      `${where}: ${listed.join('; ')}${misshapen.length > NAMED ? '; …' : ''}. config.json and weights are of different models; choose a folder where they belong together.`,
      { names: misshapen },
    )
  }
  return { weights: Object.fromEntries(Object.keys(expected).map((name) => [name, found[name]!])), extra }
}

function whatToDo(missing: readonly string[]): string {
  if (missing.length === 1 && missing[0] === 'lm_head.weight')
    return 'config.json says that the head is not tied to the embeddings; if it is, set "tie_word_embeddings": true there.'
  return 'config.json and weights are of different models, or a file is incomplete; copy the folder again.'
}

/** The name with the fewest edits, when it shares more than it changes. */
export function nearestName(name: string, among: readonly string[]): string | null {
  let best: { readonly name: string; readonly edits: number } | null = null
  for (const each of among) {
    const edits = editDistance([...name], [...each])
    if (edits < (best?.edits ?? Math.ceil(name.length / 2))) best = { name: each, edits }
  }
  return best?.name ?? null
}
