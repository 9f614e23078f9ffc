// Agreement of labellers: Cohen's and Fleiss' kappa, Krippendorff's nominal alpha, Gwet's AC1. Where chance alone explains
// everything (all ratings alike) a chance-corrected coefficient is 0/0: it is reported as undefined with the reason, since
// neither 1 nor NaN would be true.

import { LabError } from '../errors.ts'
import { requireCount, requireSameLength } from './checks.ts'

export type Category = string | number
export type Agreement =
  | { readonly kind: 'defined'; readonly value: number; readonly observed: number; readonly expected: number }
  | { readonly kind: 'undefined'; readonly reason: string; readonly observed: number }

/** Cohen's kappa of two labellers over the same items, (n) each: (p_o − p_e)/(1 − p_e) (Cohen 1960). */
export function cohenKappa(a: ArrayLike<Category>, b: ArrayLike<Category>): Agreement {
  requireSameLength(a, b, 'a, b')
  requireCount(a, 1, 'items')
  const countA = new Map<Category, number>()
  const countB = new Map<Category, number>()
  let same = 0
  for (let i = 0; i < a.length; i++) {
    const [left, right] = [category(a[i], i), category(b[i], i)]
    countA.set(left, (countA.get(left) ?? 0) + 1)
    countB.set(right, (countB.get(right) ?? 0) + 1)
    if (left === right) same++
  }
  let chance = 0
  for (const [each, count] of countA) chance += (count * (countB.get(each) ?? 0)) / a.length ** 2
  return corrected(same / a.length, chance)
}

/**
 * Fleiss' kappa (Fleiss 1971): (P̄ − P̄_e)/(1 − P̄_e), P_i = (Σ n_ij² − n)/(n(n − 1)), P̄_e = Σ p_j².
 * @param table  how many raters put item i into category j, (items, categories); each row sums to the same n ≥ 2
 */
export function fleissKappa(table: readonly (readonly number[])[]): Agreement {
  const { raters, shares, observed } = ratingTable(table)
  if (raters < 2) throw new LabError('invalid-input', `table: expected at least 2 raters an item, got ${raters}`)
  return corrected(
    observed,
    shares.reduce((sum, share) => sum + share * share, 0),
  )
}

/**
 * Gwet's AC1 (Gwet 2008): as Fleiss' kappa with P_e = Σ p_j(1 − p_j)/(q − 1). It does not collapse where one category
 * is rare, kappa's paradox; q counts the columns of the table, used or not.
 */
export function gwetAc1(table: readonly (readonly number[])[]): Agreement {
  const { raters, shares, observed } = ratingTable(table)
  if (raters < 2) throw new LabError('invalid-input', `table: expected at least 2 raters an item, got ${raters}`)
  if (shares.length < 2) return { kind: 'undefined', reason: 'there is only one category to choose from', observed }
  return corrected(observed, shares.reduce((sum, share) => sum + share * (1 - share), 0) / (shares.length - 1))
}

/**
 * Krippendorff's alpha for nominal data (Krippendorff 2011): 1 − D_o/D_e from the coincidence matrix. Raters may skip
 * items; an item with fewer than two ratings has nothing to compare and drops out. 0.8 is customary, 0.667 the least.
 * @param ratings  one row a rater, one column an item, (raters, items); null where a rater skipped
 */
export function krippendorffAlpha(ratings: readonly (readonly (Category | null)[])[]): Agreement {
  requireCount(ratings, 2, 'raters')
  const items = ratings[0]!.length
  const totals = new Map<Category, number>()
  let pairable = 0
  let disagreement = 0
  ratings.forEach((row, rater) => {
    if (row.length !== items)
      throw new LabError(
        'invalid-input',
        `rater ${rater}: expected ${items} items as rater 0, got ${row.length}. Put null where a rater skipped.`,
      )
  })
  for (let item = 0; item < items; item++) {
    const counts = new Map<Category, number>()
    let given = 0
    for (const row of ratings) {
      const rating = row[item]
      if (rating === null) continue
      counts.set(category(rating, item), (counts.get(rating!) ?? 0) + 1)
      given++
    }
    if (given < 2) continue
    pairable += given
    let samePairs = 0
    for (const [each, count] of counts) {
      totals.set(each, (totals.get(each) ?? 0) + count)
      samePairs += count * (count - 1)
    }
    disagreement += (given * (given - 1) - samePairs) / (given - 1)
  }
  if (pairable === 0) return { kind: 'undefined', reason: 'no item was rated by two people', observed: 0 }
  let samePairs = 0
  for (const count of totals.values()) samePairs += count * (count - 1)
  const expectedAgreement = samePairs / (pairable * (pairable - 1))
  return corrected(1 - disagreement / pairable, expectedAgreement)
}

function corrected(observed: number, expected: number): Agreement {
  // The share expected by chance is a sum of squares: all-alike gives 1 up to rounding.
  if (expected > 1 - 1e-12)
    return { kind: 'undefined', reason: 'every rating is the same category, so chance alone would agree as well', observed }
  return { kind: 'defined', value: (observed - expected) / (1 - expected), observed, expected }
}

function category(value: Category | undefined | null, item: number): Category {
  if (value === undefined || value === null || Number.isNaN(value))
    throw new LabError('invalid-input', `item ${item}: expected a category, got ${String(value)}`)
  return value
}

function ratingTable(table: readonly (readonly number[])[]) {
  requireCount(table, 1, 'items')
  const categories = table[0]!.length
  const raters = table[0]!.reduce((sum, count) => sum + count, 0)
  const totals = new Array<number>(categories).fill(0)
  let agreement = 0
  table.forEach((row, item) => {
    const sum = row.reduce((all, count) => all + count, 0)
    if (row.length !== categories || sum !== raters || row.some((count) => !Number.isInteger(count) || count < 0))
      throw new LabError(
        'invalid-input',
        `item ${item}: expected ${categories} counts that sum to ${raters}, as item 0, got [${row.join(', ')}]`,
      )
    row.forEach((count, j) => {
      totals[j]! += count
      agreement += (count * (count - 1)) / (raters * (raters - 1))
    })
  })
  return { raters, observed: agreement / table.length, shares: totals.map((total) => total / (table.length * raters)) }
}
