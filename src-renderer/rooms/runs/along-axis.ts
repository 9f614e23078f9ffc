// Curves over steps, laid over time worked or over tokens seen instead: each point moves to where its run was at that step.

import type { Point } from '../../charts/smoothing.ts'

export const ALONG = [
  { value: 'step', label: 'Steps', axis: 'step' },
  { value: 'time', label: 'Time', axis: 'minutes worked' },
  { value: 'tokens', label: 'Tokens', axis: 'tokens seen' },
] as const
export type Along = (typeof ALONG)[number]['value']

/**
 * @param clock  [step, where it was], ascending; a step that it does not have stands between its neighbours
 * @returns points in the order of `clock`; none where there is no clock
 */
export function along(points: readonly Point[], clock: readonly Point[]): readonly Point[] {
  if (clock.length === 0) return []
  let next = 0
  return points.map(([step, value]): Point => {
    while (next < clock.length - 1 && clock[next]![0] < step) next++
    const after = clock[next]!
    const before = clock[Math.max(0, next - 1)]!
    if (after[0] <= step || before[0] >= step) return [after[0] <= step ? after[1] : before[1], value]
    return [before[1] + ((after[1] - before[1]) * (step - before[0])) / (after[0] - before[0]), value]
  })
}
