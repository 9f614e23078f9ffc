// Found against expected, tensor by tensor, under the tolerance that the case itself states.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import type { ParityGroup } from '../../domain/parity.ts'

/** |found − expected| ≤ relative · max(floor, largest |expected|). */
export interface Tolerance {
  readonly relative: number
  readonly floor: number
}

export type Numbers = tf.Tensor | ArrayLike<number>
export interface Expected {
  readonly shape: readonly number[]
  readonly values: ArrayLike<number>
}

export interface Comparison {
  /** Compares one tensor. A found tensor's shape must be the expected one; of a bare list only the length is known. */
  check(group: string, name: string, found: Numbers, expected: Expected, tolerance: Tolerance): void
  /** Compares values that must be the same: tokens, text, counts. */
  same(group: string, name: string, found: unknown, expected: unknown): void
  groups(): readonly ParityGroup[]
}

export function createComparison(): Comparison {
  const groups = new Map<string, { compared: number; worst: number; limit: number; at: string }>()
  const note = (group: string, at: string, worst: number, limit: number) => {
    const before = groups.get(group)
    if (before === undefined) groups.set(group, { compared: 1, worst, limit, at })
    else {
      before.compared += 1
      // What exceeds its own limit by the most is what a reader must see.
      if (share(worst, limit) > share(before.worst, before.limit)) Object.assign(before, { worst, limit, at })
    }
  }
  return {
    check(group, name, found, expected, tolerance) {
      note(group, name, hasShape(found, expected.shape) ? largestDeviation(found, expected.values, tolerance.floor) : Infinity, tolerance.relative)
    },
    same(group, name, found, expected) {
      note(group, name, JSON.stringify(found) === JSON.stringify(expected) ? 0 : Infinity, 0)
    },
    groups: () => [...groups].map(([name, group]) => ({ name, ...group, worst: Number.isFinite(group.worst) ? group.worst : null })),
  }
}

/** Whether every group stays within its limit, and there is one. */
export function allWithin(groups: readonly ParityGroup[]): boolean {
  return groups.length > 0 && groups.every(({ worst, limit }) => worst !== null && worst <= limit)
}

/**
 * Reads a tolerance as the cases write it: "max abs 2e-5 of max(1, max |expected|)".
 * @throws LabError 'invalid-input' for another form
 */
export function parseTolerance(text: unknown, where: string): Tolerance {
  const match = /^max abs ([\d.e+-]+) of max\(([\d.e+-]+), max \|expected\|\)/.exec(String(text))
  if (match === null)
    throw new LabError('invalid-input', `${where}: expected "max abs X of max(Y, max |expected|)" with numbers X and Y, found ${JSON.stringify(text)}`)
  return { relative: Number(match[1]), floor: Number(match[2]) }
}

/** Below this share of a case's largest gradient, a gradient is float32 rounding: eight units in the last place. */
const ROUNDING = 1e-6

/**
 * The tolerance for the gradient of an encoder's key bias. It is zero in exact arithmetic: the bias adds the same to a query's
 * scores with every key, and softmax ignores that. What float32 leaves is rounding, in the reference as here, and two
 * roundings agree in nothing but their size: a gradient of exact zeros would fail a stated "1e-4 of max(1e-3, …)" too, wherever
 * the reference recorded more than 1e-7 (it does, at gradients of 25 elsewhere). So where the reference's is no more than
 * rounding of the case's largest gradient, ours must be no more than that. Every other gradient is held to what is stated; so
 * is this one where positions rotate keys, since there it is not zero.
 * @param largest  of all gradients that the case records
 */
export function keyBiasTolerance(stated: Tolerance, expected: Expected, largest: number): Tolerance {
  return largestOf(expected) < ROUNDING * largest ? { ...stated, floor: Math.max(stated.floor, (ROUNDING * largest) / stated.relative) } : stated
}

export function largestOf({ values }: Expected): number {
  let largest = 0
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]!))
  return largest
}

function share(worst: number, limit: number): number {
  return limit === 0 ? (worst === 0 ? 0 : Infinity) : worst / limit
}

function hasShape(found: Numbers, shape: readonly number[]): boolean {
  const size = shape.reduce((product, each) => product * each, 1)
  if (!(found instanceof tf.Tensor)) return found.length === size
  // A loss is a scalar here and a list of one in files.
  return found.shape.join() === shape.join() || (size === 1 && found.size === 1)
}

function largestDeviation(found: Numbers, expected: ArrayLike<number>, floor: number): number {
  const values = found instanceof tf.Tensor ? found.dataSync() : found
  let [largest, worst] = [floor, 0]
  for (let i = 0; i < expected.length; i++) {
    const deviation = Math.abs(values[i]! - expected[i]!)
    if (!Number.isFinite(deviation)) return Infinity
    largest = Math.max(largest, Math.abs(expected[i]!))
    worst = Math.max(worst, deviation)
  }
  return worst / largest
}
