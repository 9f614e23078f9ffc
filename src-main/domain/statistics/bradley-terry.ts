// Bradley–Terry strengths from pairwise preferences: P(i beats j) = 1/(1 + e^(θ_j − θ_i)) (Bradley & Terry 1952), and, where it
// is known who judged and which of the two stood at A, an offset of each labeller for that side: P(A is chosen) =
// 1/(1 + e^(θ_B − θ_A − β_labeller)), as Davidson & Beaver (1977) have it for the order. Maximum likelihood by Newton's method
// on the concave log-likelihood. A tie is half a win for each side.

import { LabError } from '../errors.ts'

export interface Comparison {
  readonly winner: number
  readonly loser: number
  /** How often, 1 by default; ½ twice over, once each way, is a tie. */
  readonly weight?: number
  /** Whose offset counts, and for which of the two: the one at A. A player may then meet itself, which tells of the side alone. */
  readonly seen?: { readonly labeller: number; readonly atA: 'winner' | 'loser' }
}

export interface SideOffset {
  /** β in nats: above 0 the answer at A is favoured, whoever gave it. */
  readonly value: number
  readonly standardError: number
}

export interface BradleyTerry {
  /** θ of each player, centred to mean 0, in nats, (players). */
  readonly logStrengths: readonly number[]
  /** Standard error of each centred θ, from the Fisher information, (players). */
  readonly standardErrors: readonly number[]
  /** (labellers); null where the sides that were seen cannot tell a liking for a side from one for a player. */
  readonly sideOffsets: readonly (SideOffset | null)[]
  readonly logLikelihood: number
}

/** Comparisons that are alike, taken together. `side`: −1 without one; `sign`: +1 with the winner at A, −1 with the loser. */
interface Row {
  readonly winner: number
  readonly loser: number
  readonly side: number
  readonly sign: 1 | -1
  weight: number
}

/**
 * Strengths of `players` ≥ 2 players; with labellers one is enough.
 *
 * @param ridge  ½·ridge·Σθ² is subtracted from the log-likelihood. 0 is plain maximum likelihood, which exists only if
 *   nobody, and no group, beat all others without ever losing to them (Ford 1957); a small ridge answers always.
 * @param labellers  how many have an offset of their own, which no ridge holds: each must have chosen both sides
 * @throws LabError 'invalid-input' for an unknown player, a player against itself, a labeller who chose one side only, and,
 *   with ridge 0, where the estimate does not exist, naming the players between whom wins go one way only
 */
export function bradleyTerry(players: number, comparisons: readonly Comparison[], ridge = 0, labellers = 0): BradleyTerry {
  const fewest = labellers > 0 ? 1 : 2
  if (!Number.isInteger(players) || players < fewest)
    throw new LabError('invalid-input', `players: expected at least ${fewest}, got ${players}`)
  if (!(ridge >= 0 && Number.isFinite(ridge))) throw new LabError('invalid-input', `ridge: expected at least 0, got ${ridge}`)
  if (labellers > 0 && ridge === 0)
    throw new LabError('invalid-input', 'ridge: with offsets of labellers expected above 0, got 0: whether an estimate without it exists is not decided here')
  const rows = rowsOf(players, labellers, comparisons)
  if (ridge === 0) assertStronglyConnected(players, rows)
  assertBothSides(labellers, rows)
  const size = players + labellers
  let x = new Float64Array(size)
  let likelihood = penalisedLikelihood(rows, x, players, ridge)
  for (let iteration = 0; iteration < 200; iteration++) {
    const { gradient, information } = derivatives(rows, x, players, ridge)
    const step = solve(information, gradient)
    // Newton may overshoot where the curve flattens; halving restores the ascent that concavity promises.
    let scale = 1
    let next = x.map((value, i) => value + step[i]!)
    let nextLikelihood = penalisedLikelihood(rows, next, players, ridge)
    while (nextLikelihood < likelihood && scale > 1e-10) {
      scale /= 2
      next = x.map((value, i) => value + scale * step[i]!)
      nextLikelihood = penalisedLikelihood(rows, next, players, ridge)
    }
    x = next
    likelihood = Math.max(likelihood, nextLikelihood)
    if (step.every((each) => Math.abs(each) < 1e-12)) break
  }
  const theta = x.subarray(0, players)
  const centre = theta.reduce((sum, value) => sum + value, 0) / players
  const covariance = inverse(derivatives(rows, x, players, ridge).information, size)
  const isIdentified = identifiedOffsets(rows, players, labellers)
  return {
    logStrengths: Array.from(theta, (value) => value - centre),
    standardErrors: centredErrors(covariance, players, size),
    sideOffsets: isIdentified.map((is, labeller) => {
      const at = players + labeller
      return is ? { value: x[at]!, standardError: Math.sqrt(covariance[at * size + at]!) } : null
    }),
    logLikelihood: penalisedLikelihood(rows, x, players, 0),
  }
}

function rowsOf(players: number, labellers: number, comparisons: readonly Comparison[]): readonly Row[] {
  const rows = new Map<string, Row>()
  comparisons.forEach(({ winner, loser, weight = 1, seen }, i) => {
    const known = [winner, loser].every((player) => Number.isInteger(player) && player >= 0 && player < players)
    if (!known || (winner === loser && seen === undefined))
      throw new LabError(
        'invalid-input',
        `comparison ${i}: expected two different players of 0 … ${players - 1}, got ${winner} and ${loser}`,
      )
    if (!(weight >= 0 && Number.isFinite(weight)))
      throw new LabError('invalid-input', `comparison ${i}: expected a weight of at least 0, got ${weight}`)
    if (seen !== undefined && !(Number.isInteger(seen.labeller) && seen.labeller >= 0 && seen.labeller < labellers))
      throw new LabError('invalid-input', `comparison ${i}: expected a labeller of 0 … ${labellers - 1}, got ${seen.labeller}`)
    if (weight === 0) return
    const [side, sign] = seen === undefined ? ([-1, 1] as const) : ([seen.labeller, seen.atA === 'winner' ? 1 : -1] as const)
    const key = [winner, loser, side, sign].join()
    const row = rows.get(key) ?? { winner, loser, side, sign, weight: 0 }
    row.weight += weight
    rows.set(key, row)
  })
  return [...rows.values()]
}

/** Everyone must be reachable from player 0 along wins and along losses: that is strong connection. */
function assertStronglyConnected(players: number, rows: readonly Row[]): void {
  for (const [verb, from, to] of [
    ['beaten', 'winner', 'loser'],
    ['lost to', 'loser', 'winner'],
  ] as const) {
    const reached = new Set([0])
    for (const i of reached) for (const row of rows) if (row[from] === i) reached.add(row[to])
    if (reached.size < players) {
      const rest = Array.from({ length: players }, (_, i) => i).filter((i) => !reached.has(i))
      throw new LabError(
        'invalid-input',
        `no finite strengths: of players ${[...reached].join(', ')} none has ${verb} any of ${rest.join(', ')}. ` +
          'Compare them more, or give a ridge above 0.',
        { players: rest },
      )
    }
  }
}

function assertBothSides(labellers: number, rows: readonly Row[]): void {
  for (let labeller = 0; labeller < labellers; labeller++) {
    const signs = new Set(rows.filter(({ side }) => side === labeller).map(({ sign }) => sign))
    if (signs.size < 2)
      throw new LabError('invalid-input', `no finite offset: labeller ${labeller} chose ${signs.size === 0 ? 'nothing' : `only side ${signs.has(1) ? 'A' : 'B'}`}. Leave it out.`, { labeller })
  }
}

/** How far the winner is ahead: θ_winner − θ_loser, plus or minus β. */
function lead(row: Row, x: Float64Array, players: number): number {
  return x[row.winner]! - x[row.loser]! + (row.side < 0 ? 0 : row.sign * x[players + row.side]!)
}

/** Which unknowns move a row's lead, and by how much; none twice. */
function slopes({ winner, loser, side, sign }: Row, players: number): readonly (readonly [number, number])[] {
  const strengths = winner === loser ? [] : ([[winner, 1], [loser, -1]] as const)
  return side < 0 ? strengths : [...strengths, [players + side, sign]]
}

function penalisedLikelihood(rows: readonly Row[], x: Float64Array, players: number, ridge: number): number {
  let sum = 0
  for (let i = 0; i < players; i++) sum -= 0.5 * ridge * x[i]! ** 2
  for (const row of rows) sum -= row.weight * softplus(-lead(row, x, players))
  return sum
}

/** log(1 + e^z) without overflow. */
function softplus(z: number): number {
  return Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)))
}

function derivatives(rows: readonly Row[], x: Float64Array, players: number, ridge: number) {
  const n = x.length
  const gradient = new Float64Array(n)
  const information = new Float64Array(n * n)
  for (let i = 0; i < players; i++) {
    gradient[i]! -= ridge * x[i]!
    information[i * n + i]! += ridge
  }
  for (const row of rows) {
    const chance = 1 / (1 + Math.exp(-lead(row, x, players)))
    const along = slopes(row, players)
    for (const [i, slope] of along) {
      gradient[i]! += row.weight * (1 - chance) * slope
      for (const [j, other] of along) information[i * n + j]! += row.weight * chance * (1 - chance) * slope * other
    }
  }
  // A common shift of θ changes nothing but a ridge's penalty, which holds their sum at 0. Pinning the sum makes the matrix
  // invertible, and well so under a small ridge, and moves no difference.
  for (let i = 0; i < players; i++) for (let j = 0; j < players; j++) information[i * n + j]! += 1 / players
  return { gradient, information }
}

/** Whether the rows fix an offset, without the ridge's help: whether no change of the unknowns that leaves every lead as it is moves it. */
function identifiedOffsets(rows: readonly Row[], players: number, labellers: number): readonly boolean[] {
  const size = players + labellers
  const left = rows.map((row) => {
    const dense = new Float64Array(size)
    for (const [i, slope] of slopes(row, players)) dense[i] = slope
    return dense
  })
  // Reduced row echelon form: an offset is fixed where its pivot's row holds nothing else.
  const reduced = new Map<number, Float64Array>()
  for (let column = 0; column < size; column++) {
    const at = left.findIndex((row) => Math.abs(row[column]!) > 1e-9)
    if (at < 0) continue
    const [found] = left.splice(at, 1)
    const pivot = found!.map((value) => value / found![column]!)
    for (const row of [...left, ...reduced.values()]) {
      const factor = row[column]!
      if (factor !== 0) for (let j = 0; j < size; j++) row[j]! -= factor * pivot[j]!
    }
    reduced.set(column, pivot)
  }
  return Array.from({ length: labellers }, (_, labeller) => {
    const row = reduced.get(players + labeller)
    return row !== undefined && row.every((value, j) => j === players + labeller || Math.abs(value) < 1e-9)
  })
}

function inverse(matrix: Float64Array, n: number): Float64Array {
  const found = new Float64Array(n * n)
  for (let k = 0; k < n; k++) {
    const column = solve(
      matrix,
      Float64Array.from({ length: n }, (_, i) => (i === k ? 1 : 0)),
    )
    for (let i = 0; i < n; i++) found[i * n + k] = column[i]!
  }
  return found
}

/** Of the first `players` of `size` unknowns, each less their mean: Var(θ_i − θ̄) = C_ii − 2·mean_j C_ij + mean_jk C_jk. */
function centredErrors(covariance: Float64Array, players: number, size: number): number[] {
  const rowMeans = Array.from({ length: players }, (_, i) => covariance.subarray(i * size, i * size + players).reduce((sum, each) => sum + each, 0) / players)
  const all = rowMeans.reduce((sum, each) => sum + each, 0) / players
  return rowMeans.map((mean, i) => Math.sqrt(Math.max(0, covariance[i * size + i]! - 2 * mean + all)))
}

/** x with A·x = y, by Gaussian elimination with pivoting; A is (n, n), row by row. */
function solve(matrix: Float64Array, right: Float64Array): Float64Array {
  const n = right.length
  const a = matrix.slice()
  const x = right.slice()
  for (let k = 0; k < n; k++) {
    let pivot = k
    for (let i = k + 1; i < n; i++) if (Math.abs(a[i * n + k]!) > Math.abs(a[pivot * n + k]!)) pivot = i
    if (a[pivot * n + k] === 0) throw new LabError('internal', 'Bradley–Terry: the information matrix is singular')
    for (let j = 0; j < n; j++) [a[k * n + j], a[pivot * n + j]] = [a[pivot * n + j]!, a[k * n + j]!]
    ;[x[k], x[pivot]] = [x[pivot]!, x[k]!]
    for (let i = k + 1; i < n; i++) {
      const factor = a[i * n + k]! / a[k * n + k]!
      if (factor === 0) continue
      for (let j = k; j < n; j++) a[i * n + j]! -= factor * a[k * n + j]!
      x[i]! -= factor * x[k]!
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let j = i + 1; j < n; j++) x[i]! -= a[i * n + j]! * x[j]!
    x[i]! /= a[i * n + i]!
  }
  return x
}
