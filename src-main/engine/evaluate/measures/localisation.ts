// Does a map over patches sit on the deciding region? The paper shows its gradient maps as pictures only; these are the
// numbers the lab adds: energy inside, pointing game (Zhang et al. 2016, arXiv 1608.00507), AUROC, IoU of the brightest
// patches, entropy and Gini coefficient. Maps are row-major over the patch grid and not negative.

import { LabError } from '../../../domain/errors.ts'

/** Patches of an image: row-major (rows, columns). */
export interface PatchGrid {
  readonly rows: number
  readonly columns: number
}

/** In the image's own unit, which `width` and `height` give. */
export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface LocalisationScores {
  /** Σ map·coverage/Σ map, in [0, 1]. */
  readonly energyInside: number
  /** energyInside divided by the region's share of the image; 1 is a flat map. */
  readonly energyRatio: number
  /** 1 if the largest value lies in the region, else 0; at ties the share of the largest that do. */
  readonly pointing: number
  /** Chance that a patch of the region is brighter than one outside, ties half; null where the region is everything. */
  readonly auroc: number | null
  /** IoU of the region with as many of the brightest patches as the region has. */
  readonly iou: number
  /** −Σ p·log p/log P with p = map/Σ map, in [0, 1]; 1 is a flat map. */
  readonly entropy: number
  /** Gini coefficient, in [0, 1); 0 is a flat map. */
  readonly gini: number
}

/**
 * All scores of one map, or null for a map of zeros: no gradient is no place, and must be counted as such by the caller.
 * @param map       ≥ 0, (P)
 * @param coverage  share of each patch that the region covers, in [0, 1], (P); a 0/1 mask will do
 * @throws LabError 'invalid-input' for NaN, a negative value, coverage outside [0, 1], or an empty region
 */
export function localisationScores(map: ArrayLike<number>, coverage: ArrayLike<number>): LocalisationScores | null {
  requireMap(map)
  requireCoverage(coverage, map.length)
  if (sumOf(map) === 0) return null
  const inside = patchesInside(coverage)
  const energy = energyInside(map, coverage)
  return {
    energyInside: energy,
    energyRatio: (energy * map.length) / sumOf(coverage),
    pointing: pointingGame(map, inside),
    auroc: auroc(map, inside),
    iou: brightestIou(map, inside),
    entropy: normalisedEntropy(map),
    gini: gini(map),
  }
}

/** Σ map·coverage/Σ map: a patch that is half covered counts half. */
export function energyInside(map: ArrayLike<number>, coverage: ArrayLike<number>): number {
  let inside = 0
  for (let i = 0; i < map.length; i++) inside += map[i]! * coverage[i]!
  return inside / positiveSum(map)
}

/** 1 if the patch of the largest value is inside; where several share it, the share of them that are. */
export function pointingGame(map: ArrayLike<number>, inside: ArrayLike<boolean>): number {
  let largest = -Infinity
  let [hits, ties] = [0, 0]
  for (let i = 0; i < map.length; i++) {
    if (map[i]! > largest) [largest, hits, ties] = [map[i]!, 0, 0]
    if (map[i] === largest) {
      ties++
      if (inside[i]) hits++
    }
  }
  return hits / ties
}

/**
 * P(score of a positive > score of a negative) + ½·P(equal): the rank-sum form of the area under the ROC curve.
 * null where there are no positives or no negatives.
 */
export function auroc(scores: ArrayLike<number>, positive: ArrayLike<boolean | number>): number | null {
  const order = Array.from({ length: scores.length }, (_, i) => i).sort((i, j) => scores[i]! - scores[j]!)
  let positives = 0
  let rankSum = 0
  for (let start = 0; start < order.length;) {
    let end = start
    while (end + 1 < order.length && scores[order[end + 1]!] === scores[order[start]!]) end++
    // Ranks from 1; equal scores share the mean of theirs.
    const rank = (start + end) / 2 + 1
    for (let i = start; i <= end; i++)
      if (positive[order[i]!]) {
        positives++
        rankSum += rank
      }
    start = end + 1
  }
  const negatives = scores.length - positives
  return positives === 0 || negatives === 0 ? null : (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives)
}

/** IoU of the region with the m brightest patches, m the region's size; equal values in reading order. */
export function brightestIou(map: ArrayLike<number>, inside: ArrayLike<boolean>): number {
  const order = Array.from({ length: map.length }, (_, i) => i).sort((i, j) => map[j]! - map[i]!)
  const size = order.filter((i) => inside[i]).length
  const hits = order.slice(0, size).filter((i) => inside[i]).length
  return hits / (2 * size - hits)
}

/** Entropy of the map as a distribution, divided by that of a flat one; 0·log 0 is 0. One patch alone has entropy 1. */
export function normalisedEntropy(map: ArrayLike<number>): number {
  const total = positiveSum(map)
  if (map.length === 1) return 1
  let entropy = 0
  for (let i = 0; i < map.length; i++) if (map[i]! > 0) entropy -= (map[i]! / total) * Math.log(map[i]! / total)
  return entropy / Math.log(map.length)
}

/** Gini coefficient: 2·Σ i·x₍ᵢ₎/(n·Σ x) − (n + 1)/n over ascending x; (n − 1)/n when one patch holds everything. */
export function gini(map: ArrayLike<number>): number {
  const sorted = Float64Array.from(map).sort()
  let weighted = 0
  for (let i = 0; i < sorted.length; i++) weighted += (i + 1) * sorted[i]!
  return (2 * weighted) / (sorted.length * positiveSum(map)) - (sorted.length + 1) / sorted.length
}

/** Share of each patch that the boxes cover together, (P): exact for one box, overlaps of several counted once. */
export function coverageOfBoxes(
  boxes: readonly Box[],
  image: { readonly width: number; readonly height: number },
  grid: PatchGrid,
): Float64Array {
  if (!(image.width > 0 && image.height > 0))
    throw new LabError('invalid-input', `image: expected a positive size, got ${image.width} × ${image.height}`)
  const coverage = new Float64Array(grid.rows * grid.columns)
  const spans = boxes.map((box, i) => {
    if (![box.x, box.y, box.width, box.height].every(Number.isFinite) || box.width < 0 || box.height < 0)
      throw new LabError('invalid-input', `box ${i}: expected finite x, y and a size of at least 0, got ${JSON.stringify(box)}`)
    // In patches.
    return {
      left: (box.x / image.width) * grid.columns,
      right: ((box.x + box.width) / image.width) * grid.columns,
      top: (box.y / image.height) * grid.rows,
      bottom: ((box.y + box.height) / image.height) * grid.rows,
    }
  })
  for (let row = 0; row < grid.rows; row++)
    for (let column = 0; column < grid.columns; column++) {
      const within = spans
        .map(({ left, right, top, bottom }) => ({
          left: Math.max(left, column),
          right: Math.min(right, column + 1),
          top: Math.max(top, row),
          bottom: Math.min(bottom, row + 1),
        }))
        .filter(({ left, right, top, bottom }) => right > left && bottom > top)
      coverage[row * grid.columns + column] = areaOfUnion(within)
    }
  return coverage
}

/**
 * Share of each patch that a pixel mask covers, (P). Patches need not be whole pixels wide: each pixel counts for the
 * patch that holds its centre.
 * @param mask  0 or 1 a pixel, row-major (height, width)
 */
export function coverageOfMask(
  mask: ArrayLike<number>,
  image: { readonly width: number; readonly height: number },
  grid: PatchGrid,
): Float64Array {
  const { width, height } = image
  if (mask.length !== width * height)
    throw new LabError('invalid-input', `mask: expected ${width} × ${height} pixels, got ${mask.length}`)
  if (width < grid.columns || height < grid.rows)
    throw new LabError(
      'invalid-input',
      `mask: expected at least one pixel a patch, got ${width} × ${height} pixels for ${grid.columns} × ${grid.rows} patches`,
    )
  const covered = new Float64Array(grid.rows * grid.columns)
  const pixels = new Float64Array(grid.rows * grid.columns)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const patch = Math.floor(((y + 0.5) / height) * grid.rows) * grid.columns + Math.floor(((x + 0.5) / width) * grid.columns)
      pixels[patch]!++
      if (mask[y * width + x]! > 0) covered[patch]!++
    }
  return covered.map((count, patch) => count / pixels[patch]!)
}

/** Share of each patch that boxes cover which do not overlap each other, (P): however many, each is counted where it lies. */
export function coverageOfParts(
  parts: readonly Box[],
  image: { readonly width: number; readonly height: number },
  grid: PatchGrid,
): Float64Array {
  const coverage = new Float64Array(grid.rows * grid.columns)
  for (const { x, y, width, height } of parts) {
    const [left, right] = [(x / image.width) * grid.columns, ((x + width) / image.width) * grid.columns]
    const [top, bottom] = [(y / image.height) * grid.rows, ((y + height) / image.height) * grid.rows]
    for (let row = Math.max(0, Math.floor(top)); row < Math.min(grid.rows, bottom); row++)
      for (let column = Math.max(0, Math.floor(left)); column < Math.min(grid.columns, right); column++)
        coverage[row * grid.columns + column]! +=
          Math.max(0, Math.min(right, column + 1) - Math.max(left, column)) * Math.max(0, Math.min(bottom, row + 1) - Math.max(top, row))
  }
  return coverage
}

/**
 * The patches that count as inside: covered by half or more. A region too small to half cover any patch is where it
 * covers most, so that a small object can still be hit.
 */
export function patchesInside(coverage: ArrayLike<number>): boolean[] {
  let most = 0
  for (let i = 0; i < coverage.length; i++) most = Math.max(most, coverage[i]!)
  const least = Math.min(0.5, most)
  return Array.from(coverage, (share) => share >= least)
}

interface Span {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

/** Area of the union: over every strip between neighbouring tops and bottoms, the length covered from left to right. */
function areaOfUnion(spans: readonly Span[]): number {
  if (spans.length <= 1) return spans.reduce((_, { left, right, top, bottom }) => (right - left) * (bottom - top), 0)
  const edges = [...new Set(spans.flatMap(({ top, bottom }) => [top, bottom]))].sort((a, b) => a - b)
  let area = 0
  for (let e = 0; e + 1 < edges.length; e++) {
    const crossing = spans
      .filter(({ top, bottom }) => top <= edges[e]! && bottom >= edges[e + 1]!)
      .sort((a, b) => a.left - b.left)
    let reach = -Infinity
    for (const { left, right } of crossing) {
      area += Math.max(0, right - Math.max(left, reach)) * (edges[e + 1]! - edges[e]!)
      reach = Math.max(reach, right)
    }
  }
  return Math.min(1, area)
}

function requireMap(map: ArrayLike<number>): void {
  if (map.length === 0) throw new LabError('invalid-input', 'map: expected at least one patch, got none')
  for (let i = 0; i < map.length; i++)
    if (!(map[i]! >= 0 && map[i]! < Infinity))
      throw new LabError('invalid-input', `map: expected finite magnitudes of at least 0, got ${map[i]} at patch ${i}`)
}

function requireCoverage(coverage: ArrayLike<number>, patches: number): void {
  if (coverage.length !== patches)
    throw new LabError('invalid-input', `coverage: expected ${patches} patches as the map has, got ${coverage.length}`)
  for (let i = 0; i < patches; i++)
    if (!(coverage[i]! >= 0 && coverage[i]! <= 1 + 1e-9))
      throw new LabError('invalid-input', `coverage: expected a share between 0 and 1, got ${coverage[i]} at patch ${i}`)
  if (sumOf(coverage) === 0)
    throw new LabError('invalid-input', 'coverage: the region covers no patch; leave out items without a region')
}

function positiveSum(map: ArrayLike<number>): number {
  const total = sumOf(map)
  if (!(total > 0))
    throw new LabError('invalid-input', `map: expected a positive sum, got ${total}: a map without energy has no place`)
  return total
}

function sumOf(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  return sum
}
