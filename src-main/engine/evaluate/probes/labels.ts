// Class labels as probes see them: integers, of which those that occur in training are the classes.

import { LabError } from '../../../domain/errors.ts'
import type { Matrix } from '../measures/matrix.ts'

export interface Classes {
  /** Labels that occur, ascending, (K). */
  readonly classes: Int32Array
  /** Position of each item's label among them, (n). */
  readonly positions: Int32Array
}

/** @throws LabError 'invalid-input' unless there is one integer label a row */
export function requireLabels(labels: ArrayLike<number>, features: Matrix, name: string): void {
  if (labels.length !== features.rows)
    throw new LabError('invalid-input', `${name}: expected one label for each of ${features.rows} items, got ${labels.length}`)
  for (let i = 0; i < labels.length; i++)
    if (!Number.isInteger(labels[i]))
      throw new LabError('invalid-input', `${name}[${i}]: expected an integer class, got ${labels[i]}`)
}

export function classesOf(labels: ArrayLike<number>): Classes {
  const classes = Int32Array.from(new Set(Array.from(labels))).sort()
  const position = new Map([...classes].map((label, i) => [label, i]))
  return { classes, positions: Int32Array.from(labels, (label) => position.get(label)!) }
}

/** 1 where prediction and truth agree, else 0, (n): what paired tests compare. */
export function correctness(predictions: ArrayLike<number>, truth: ArrayLike<number>): Uint8Array {
  if (predictions.length !== truth.length)
    throw new LabError('invalid-input', `expected one prediction an item, got ${predictions.length} for ${truth.length}`)
  return Uint8Array.from(predictions, (label, i) => (label === truth[i] ? 1 : 0))
}

/** Share of items whose prediction is right. */
export function accuracy(predictions: ArrayLike<number>, truth: ArrayLike<number>): number {
  const right = correctness(predictions, truth)
  if (right.length === 0) throw new LabError('invalid-input', 'accuracy: expected at least one item, got none')
  return right.reduce((sum, each) => sum + each, 0) / right.length
}

/** The column of the largest value in row i, the first one at ties. */
export function argmaxRow(table: ArrayLike<number>, columns: number, row: number): number {
  let best = 0
  for (let k = 1; k < columns; k++) if (table[row * columns + k]! > table[row * columns + best]!) best = k
  return best
}
