// Colours for patch features that mean the same in several encoders. Widths and axes of encoders have nothing to do with each
// other, so principal components cannot be fitted on stacked rows. They are fitted on the columns laid side by side, each encoder
// scaled to the same total variance (SUM-PCA, Smilde et al. 2003; multiple factor analysis with another scale), and every
// encoder is shown by its own share of the common components. One encoder alone gives plain PCA.

import { LabError } from '../../../domain/errors.ts'
import { centreColumns, type DoubleMatrix, type Matrix } from '../measures/matrix.ts'
import { pca } from '../measures/pca.ts'

export interface SharedComponents {
  /** Of each encoder: its patches' places along the components, (P, count). Their mean over encoders is the common component's score. */
  readonly scores: readonly DoubleMatrix[]
  /** Share of the variance of all encoders together, (count). */
  readonly explained: readonly number[]
}

/**
 * @param encoders  features (P, D_k) of the same P patches
 * @throws LabError 'invalid-input' for different numbers of patches, or an encoder whose patches are all alike
 */
export function sharedComponents(encoders: readonly Matrix[], count = 3): SharedComponents {
  const rows = encoders[0]!.rows
  const columns = encoders.reduce((sum, each) => sum + each.columns, 0)
  const blocks = encoders.map((each, i) => {
    if (each.rows !== rows)
      throw new LabError('invalid-input', `encoder ${i}: expected ${rows} patches as the first has, got ${each.rows}`)
    const centred = centreColumns(each)
    const size = Math.sqrt(centred.values.reduce((sum, value) => sum + value * value, 0))
    if (!(size > 0)) throw new LabError('invalid-input', `encoder ${i}: all patches have the same features, so nothing tells them apart`)
    return { ...centred, values: centred.values.map((value) => value / size) }
  })
  const joined = new Float64Array(rows * columns)
  const starts: number[] = []
  let start = 0
  for (const block of blocks) {
    starts.push(start)
    for (let i = 0; i < rows; i++) joined.set(block.values.subarray(i * block.columns, (i + 1) * block.columns), i * columns + start)
    start += block.columns
  }
  const found = Math.min(count, rows, columns)
  const { components, explainedVarianceRatio } = pca({ rows, columns, values: joined }, found)
  const scores = blocks.map((block, b): DoubleMatrix => {
    const values = new Float64Array(rows * count)
    for (let i = 0; i < rows; i++)
      for (let k = 0; k < found; k++) {
        let sum = 0
        for (let j = 0; j < block.columns; j++)
          sum += block.values[i * block.columns + j]! * components.values[k * columns + starts[b]! + j]!
        values[i * count + k] = sum * blocks.length
      }
    return { rows, columns: count, values }
  })
  return { scores, explained: Array.from({ length: count }, (_, k) => explainedVarianceRatio[k] ?? 0) }
}

/** Features on another grid, bilinear between patch centres. @param features (rows·columns, D) */
export function onGrid(features: Matrix, from: Grid, to: Grid): Matrix {
  if (from.rows === to.rows && from.columns === to.columns) return features
  const D = features.columns
  const values = new Float32Array(to.rows * to.columns * D)
  const along = (at: number, length: number, of: number) => {
    const place = Math.min(of - 1, Math.max(0, ((at + 0.5) / length) * of - 0.5))
    const low = Math.floor(place)
    return { low, high: Math.min(of - 1, low + 1), share: place - low }
  }
  for (let row = 0; row < to.rows; row++)
    for (let column = 0; column < to.columns; column++) {
      const [y, x] = [along(row, to.rows, from.rows), along(column, to.columns, from.columns)]
      const corner = (r: number, c: number, d: number) => features.values[(r * from.columns + c) * D + d]!
      for (let d = 0; d < D; d++)
        values[(row * to.columns + column) * D + d] =
          (1 - y.share) * ((1 - x.share) * corner(y.low, x.low, d) + x.share * corner(y.low, x.high, d)) +
          y.share * ((1 - x.share) * corner(y.high, x.low, d) + x.share * corner(y.high, x.high, d))
    }
  return { rows: to.rows * to.columns, columns: D, values }
}

interface Grid {
  readonly rows: number
  readonly columns: number
}
