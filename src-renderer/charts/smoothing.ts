// An exponential moving average without the pull towards zero at the start (the correction of Adam's moments). It is
// drawn over the raw line and never instead of it.

export type Point = readonly [step: number, value: number]

/**
 * m_t = s·m_(t−1) + (1−s)·x_t, divided by 1 − s^t.
 * @param strength  s in [0, 1); 0 gives the points back
 */
export function smooth(points: readonly Point[], strength: number): readonly Point[] {
  if (strength <= 0) return points
  let mean = 0
  let weight = 1
  return points.map(([step, value]) => {
    mean = strength * mean + (1 - strength) * value
    weight *= strength
    return [step, mean / (1 - weight)] as const
  })
}
