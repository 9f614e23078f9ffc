// The k-NN probe by DINO's protocol (Caron et al. 2021, arXiv 2104.14294; Wu et al. 2018, arXiv 1805.01978): normalised
// features, the k most similar training items vote for their classes, each with weight exp(cosine/T).

import { LabError } from '../../../domain/errors.ts'
import { normaliseRows, requireMatrix, requireSameColumns, type Matrix } from '../measures/matrix.ts'
import { nearestNeighbours } from '../measures/neighbours.ts'
import { classesOf, requireLabels } from './labels.ts'

/** DINO's and DINOv2's settings. */
export const DINO_NEIGHBOURS = [10, 20, 100, 200] as const
export const DINO_TEMPERATURE = 0.07

/**
 * Predicted labels of `test` for every k, each (n): neighbours are found once for the largest.
 *
 *   score(c) = Σ over the k nearest with label c of exp(cosine/T);  the largest wins, the lower label at ties
 *
 * @param train  (m, d); labels (m), integers; test (n, d)
 * @param ks     each 1 … m
 * @throws LabError 'invalid-input' for a k beyond the training items: that would silently be another protocol
 */
export function predictByNeighbours(
  train: Matrix,
  labels: ArrayLike<number>,
  test: Matrix,
  ks: readonly number[],
  temperature: number = DINO_TEMPERATURE,
): ReadonlyMap<number, Int32Array> {
  requireMatrix(train, 'train features', 1)
  requireMatrix(test, 'test features', 0)
  requireSameColumns(train, test, 'train, test')
  requireLabels(labels, train, 'train labels')
  if (!(temperature > 0)) throw new LabError('invalid-input', `temperature: expected more than 0, got ${temperature}`)
  for (const k of ks)
    if (!Number.isInteger(k) || k < 1 || k > train.rows)
      throw new LabError(
        'invalid-input',
        `k: expected 1 to ${train.rows}, the number of training items, got ${k}. Use fewer neighbours or more items.`,
      )
  if (ks.length === 0) return new Map()
  const { classes, positions } = classesOf(labels)
  const found = nearestNeighbours(normaliseRows(test), normaliseRows(train), Math.max(...ks))
  const ascending = [...new Set(ks)].sort((a, b) => a - b)
  const predictions = new Map(ascending.map((k) => [k, new Int32Array(test.rows)]))
  const votes = new Float64Array(classes.length)
  for (let i = 0; i < test.rows; i++) {
    votes.fill(0)
    const start = i * found.k
    let counted = 0
    for (const k of ascending) {
      // Relative to the nearest: a common factor changes no vote, and exp(1/T) would overflow at small T.
      for (; counted < k; counted++)
        votes[positions[found.indices[start + counted]!]!]! += Math.exp(
          (found.similarities[start + counted]! - found.similarities[start]!) / temperature,
        )
      predictions.get(k)![i] = classes[indexOfLargest(votes)]!
    }
  }
  return predictions
}

function indexOfLargest(values: Float64Array): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i
  return best
}
