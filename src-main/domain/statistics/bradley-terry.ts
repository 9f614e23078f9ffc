// Bradley–Terry strengths from pairwise preferences: P(i beats j) = 1/(1 + e^(θ_j − θ_i)) (Bradley & Terry 1952).
// Maximum likelihood by Newton's method on the concave log-likelihood. A tie is half a win for each side.

import { LabError } from '../errors.ts'

export interface Comparison {
  readonly winner: number
  readonly loser: number
  /** How often, 1 by default; ½ twice over, once each way, is a tie. */
  readonly weight?: number
}

export interface BradleyTerry {
  /** θ of each player, centred to mean 0, in nats, (players). */
  readonly logStrengths: readonly number[]
  /** Standard error of each centred θ, from the Fisher information, (players). */
  readonly standardErrors: readonly number[]
  readonly logLikelihood: number
}

/**
 * Strengths of `players` ≥ 2 players.
 *
 * @param ridge  ½·ridge·Σθ² is subtracted from the log-likelihood. 0 is plain maximum likelihood, which exists only if
 *   nobody, and no group, beat all others without ever losing to them (Ford 1957); a small ridge answers always.
 * @throws LabError 'invalid-input' for an unknown player, a player against itself, and, with ridge 0, where the estimate
 *   does not exist, naming the players between whom wins go one way only
 */
export function bradleyTerry(players: number, comparisons: readonly Comparison[], ridge = 0): BradleyTerry {
  if (!Number.isInteger(players) || players < 2)
    throw new LabError('invalid-input', `players: expected at least 2, got ${players}`)
  if (!(ridge >= 0 && Number.isFinite(ridge))) throw new LabError('invalid-input', `ridge: expected at least 0, got ${ridge}`)
  const wins = winTable(players, comparisons)
  if (ridge === 0) assertStronglyConnected(players, wins)
  let theta = new Float64Array(players)
  let likelihood = penalisedLikelihood(wins, theta, ridge)
  for (let iteration = 0; iteration < 200; iteration++) {
    const { gradient, information } = derivatives(wins, theta, ridge)
    const step = solve(information, gradient)
    // Newton may overshoot where the curve flattens; halving restores the ascent that concavity promises.
    let scale = 1
    let next = theta.map((value, i) => value + step[i]!)
    let nextLikelihood = penalisedLikelihood(wins, next, ridge)
    while (nextLikelihood < likelihood && scale > 1e-10) {
      scale /= 2
      next = theta.map((value, i) => value + scale * step[i]!)
      nextLikelihood = penalisedLikelihood(wins, next, ridge)
    }
    theta = next
    likelihood = Math.max(likelihood, nextLikelihood)
    if (step.every((each) => Math.abs(each) < 1e-12)) break
  }
  const centre = theta.reduce((sum, value) => sum + value, 0) / players
  return {
    logStrengths: Array.from(theta, (value) => value - centre),
    standardErrors: standardErrors(wins, theta, ridge),
    logLikelihood: penalisedLikelihood(wins, theta, 0),
  }
}

/** wins[i·n + j]: how often i beat j. */
function winTable(players: number, comparisons: readonly Comparison[]): Float64Array {
  const wins = new Float64Array(players * players)
  comparisons.forEach(({ winner, loser, weight = 1 }, i) => {
    const known = [winner, loser].every((player) => Number.isInteger(player) && player >= 0 && player < players)
    if (!known || winner === loser)
      throw new LabError(
        'invalid-input',
        `comparison ${i}: expected two different players of 0 … ${players - 1}, got ${winner} and ${loser}`,
      )
    if (!(weight >= 0 && Number.isFinite(weight)))
      throw new LabError('invalid-input', `comparison ${i}: expected a weight of at least 0, got ${weight}`)
    wins[winner * players + loser]! += weight
  })
  return wins
}

/** Everyone must be reachable from player 0 along wins and along losses: that is strong connection. */
function assertStronglyConnected(players: number, wins: Float64Array): void {
  for (const [verb, at] of [
    ['beaten', (i: number, j: number) => wins[i * players + j]!],
    ['lost to', (i: number, j: number) => wins[j * players + i]!],
  ] as const) {
    const reached = new Set([0])
    for (const i of reached) for (let j = 0; j < players; j++) if (at(i, j) > 0) reached.add(j)
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

function penalisedLikelihood(wins: Float64Array, theta: Float64Array, ridge: number): number {
  const n = theta.length
  let sum = 0
  for (let i = 0; i < n; i++) {
    sum -= 0.5 * ridge * theta[i]! ** 2
    for (let j = 0; j < n; j++) if (wins[i * n + j]! > 0) sum -= wins[i * n + j]! * softplus(theta[j]! - theta[i]!)
  }
  return sum
}

/** log(1 + e^z) without overflow. */
function softplus(z: number): number {
  return Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)))
}

function derivatives(wins: Float64Array, theta: Float64Array, ridge: number) {
  const n = theta.length
  const gradient = new Float64Array(n)
  const information = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    gradient[i]! -= ridge * theta[i]!
    information[i * n + i]! += ridge
    for (let j = 0; j < n; j++) {
      const count = wins[i * n + j]! + wins[j * n + i]!
      if (i === j || count === 0) continue
      const chance = 1 / (1 + Math.exp(theta[j]! - theta[i]!))
      gradient[i]! += wins[i * n + j]! - count * chance
      information[i * n + i]! += count * chance * (1 - chance)
      information[i * n + j]! -= count * chance * (1 - chance)
    }
  }
  // Without a ridge a common shift changes nothing; pinning the sum of θ makes the matrix invertible and moves no difference.
  if (ridge === 0) for (let k = 0; k < n * n; k++) information[k]! += 1 / n
  return { gradient, information }
}

function standardErrors(wins: Float64Array, theta: Float64Array, ridge: number): number[] {
  const n = theta.length
  const { information } = derivatives(wins, theta, ridge)
  const columns = Array.from({ length: n }, (_, k) =>
    solve(
      information,
      Float64Array.from({ length: n }, (_, i) => (i === k ? 1 : 0)),
    ),
  )
  const at = (i: number, j: number) => columns[j]![i]!
  // Var(θ_i − θ̄) = C_ii − 2·mean_j C_ij + mean_jk C_jk.
  let all = 0
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) all += at(i, j) / (n * n)
  return Array.from({ length: n }, (_, i) => {
    let row = 0
    for (let j = 0; j < n; j++) row += at(i, j) / n
    return Math.sqrt(Math.max(0, at(i, i) - 2 * row + all))
  })
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
