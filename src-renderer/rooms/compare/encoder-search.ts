// How the list of encoders is searched and grouped.

import type { EncoderRow } from '../../../src-main/domain/encoder.ts'

export interface EncoderGroup {
  readonly title: string
  readonly encoders: readonly EncoderRow[]
}

/**
 * Every word must stand in an encoder's name, its study's or its run's. Studies first, the newest first; then the rest. What
 * has neither weights nor numbers any more can be compared with nothing and is left out.
 */
export function encoderGroups(encoders: readonly EncoderRow[], query: string): readonly EncoderGroup[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  const found = encoders.filter((encoder) => {
    const text = `${encoder.name} ${encoder.study ?? ''} ${encoder.runId ?? ''} ${encoder.kind}`.toLowerCase()
    return (encoder.isAvailable || encoder.results > 0) && words.every((word) => text.includes(word))
  })
  const rank = { arm: 0, folder: 1, checkpoint: 2 }
  const newest = (group: readonly EncoderRow[]) => Math.max(...group.map(({ createdAtMs }) => createdAtMs))
  // By the study itself: two of one name are two.
  return [...Map.groupBy(found, ({ kind, studyId }) => `${kind} ${studyId ?? ''}`).values()]
    .toSorted((x, y) => rank[x[0]!.kind] - rank[y[0]!.kind] || newest(y) - newest(x))
    .map((group) => ({ title: titleOf(group[0]!), encoders: group }))
}

function titleOf({ kind, study }: EncoderRow): string {
  if (kind === 'folder') return 'Imported folders'
  return kind === 'arm' ? `${study ?? 'Study'}, all seeds` : `Checkpoints of ${study ?? 'single runs'}`
}
