// How the list of encoders is searched and grouped.

import type { EncoderRow } from '../../../src-main/domain/encoder.ts'

export interface EncoderGroup {
  readonly title: string
  readonly encoders: readonly EncoderRow[]
}

/** Every word must stand in an encoder's name, its study's or its run's. Studies first, the newest first; then the rest. */
export function encoderGroups(encoders: readonly EncoderRow[], query: string): readonly EncoderGroup[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  const found = encoders.filter((encoder) => {
    const text = `${encoder.name} ${encoder.study ?? ''} ${encoder.runId ?? ''} ${encoder.kind}`.toLowerCase()
    return words.every((word) => text.includes(word))
  })
  const titleOf = (encoder: EncoderRow) =>
    encoder.kind === 'folder' ? 'Imported folders' : encoder.kind === 'arm' ? `${encoder.study ?? 'Study'}, all seeds` : `Checkpoints of ${encoder.study ?? 'single runs'}`
  const newest = (group: readonly EncoderRow[]) => Math.max(...group.map(({ createdAtMs }) => createdAtMs))
  const rank = { arm: 0, folder: 1, checkpoint: 2 }
  return [...Map.groupBy(found, titleOf)]
    .toSorted(([, x], [, y]) => rank[x[0]!.kind] - rank[y[0]!.kind] || newest(y) - newest(x))
    .map(([title, group]) => ({ title, encoders: group }))
}
