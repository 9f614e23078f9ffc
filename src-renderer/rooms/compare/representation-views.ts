// A representation of two encoders as its charts want it: layers by name, before and after by the encoders' own names.

import type { LayerTable, Representation } from '../../../src-main/domain/representation.ts'
import type { LayerMatrix } from '../../charts/layer-heat-map.ts'
import type { Motion } from '../../charts/feature-motion.ts'

export interface PairNames {
  readonly a: string
  readonly b: string
}

const MEASURES: Readonly<Record<LayerTable['measure'], string>> = { cka: 'linear CKA', 'mutual-knn': 'mutual k-NN' }

/** "embeddings, block 1 …": the first is what enters the blocks. */
export function layerNames(number: number): readonly string[] {
  return Array.from({ length: number }, (_, layer) => (layer === 0 ? 'embeddings' : `block ${layer}`))
}

export function layerMatrix(table: LayerTable, names: PairNames): LayerMatrix {
  const nameOf = (side: LayerTable['columns']) => (side === 'language' ? 'language model' : names[side])
  return {
    upwards: { name: nameOf(table.rows), layers: layerNames(table.values.length) },
    across: { name: nameOf(table.columns), layers: layerNames(table.values[0]?.length ?? 0) },
    values: table.values,
    measure: MEASURES[table.measure],
    chance: null,
  }
}

/** The measure first: it tells tables apart where a title is cut short. */
export function tableTitle(table: LayerTable, { a, b }: PairNames): string {
  if (table.columns === 'language') return `${capital(MEASURES[table.measure])} to language: ${table.rows === 'a' ? a : b}`
  return `${capital(MEASURES[table.measure])}, layer by layer`
}

const capital = (words: string) => words.charAt(0).toUpperCase() + words.slice(1)

/** What chance gives beside the best. */
export function tableNote({ best, shuffled }: LayerTable): string {
  // Adding nought takes the sign off a rounded minus zero.
  const short = (value: number) => (Number(value.toFixed(2)) + 0).toFixed(2)
  return `best ${short(best.value)}, pictures shuffled ${short(shuffled.mean)} (≤ ${short(shuffled.largest)})`
}

export const MEASURE_MEANINGS: Readonly<Record<LayerTable['measure'], string>> = {
  cka: 'Linear centred kernel alignment, minibatch and unbiased: 1, the same up to rotation and scale; 0, nothing in common. Of mean-pooled features of the same pictures. Shuffled: the same with the pictures of one side mixed up, which is what chance gives.',
  'mutual-knn': 'Share of each picture’s nearest neighbours in one layer that are also its nearest neighbours in the other. Shuffled: the same with the pictures of one side mixed up, which is what chance gives.',
}

/** The pictures that moved farthest first. */
export function motionsOf({ moved }: Representation): readonly (Motion & { readonly image: string })[] {
  const length = ({ before, after }: Representation['moved'][number]) => Math.hypot(after[0] - before[0], after[1] - before[1])
  return moved.toSorted((x, y) => length(y) - length(x)).map(({ image, before, after }) => ({ image, label: `picture ${image.slice(0, 8)}`, before, after }))
}
