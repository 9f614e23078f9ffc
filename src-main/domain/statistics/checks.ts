// What every statistic refuses: too few values, unequal lengths, NaN and infinities. A number that entered as NaN would
// otherwise leave as a plausible interval. Absent: any repair of the input.

import { LabError } from '../errors.ts'

/** @throws LabError 'invalid-input' naming the first value that is not a finite number */
export function requireFinite(values: ArrayLike<number>, name: string): void {
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(values[i]))
      throw new LabError(
        'invalid-input',
        `${name}[${i}]: expected a finite number, got ${String(values[i])}. Drop or repair that item first.`,
        { index: i },
      )
}

export function requireCount(values: ArrayLike<unknown>, atLeast: number, name: string): void {
  if (values.length < atLeast)
    throw new LabError('invalid-input', `${name}: expected at least ${atLeast} values, got ${values.length}`, {
      found: values.length,
    })
}

export function requireSameLength(a: ArrayLike<unknown>, b: ArrayLike<unknown>, names: string): void {
  if (a.length !== b.length)
    throw new LabError('invalid-input', `${names}: expected the same items in both, got ${a.length} and ${b.length}`, {
      a: a.length,
      b: b.length,
    })
}

/** A share strictly between 0 and 1: a confidence level, a power, an error rate. */
export function requireOpenShare(value: number, name: string): void {
  if (!(value > 0 && value < 1))
    throw new LabError('invalid-input', `${name}: expected a share between 0 and 1, both excluded, got ${value}`)
}

export function requireInteger(value: number, atLeast: number, name: string): void {
  if (!Number.isInteger(value) || value < atLeast)
    throw new LabError('invalid-input', `${name}: expected an integer of at least ${atLeast}, got ${value}`)
}
