// What one look at images tells, asked of the process for data where nobody has looked yet, and kept.

import type { ImageFacts } from '../domain/data-check.ts'
import type { ImageRef } from '../domain/sample.ts'
import type { TaskWork } from './data-tasks.ts'
import type { Parts } from './parts.ts'

/** @param again  looks at all of them: files may have changed since */
export async function examineImages(
  { store, project, dataRunner }: Pick<Parts, 'store' | 'project' | 'dataRunner'>,
  images: readonly ImageRef[],
  work: Pick<TaskWork, 'signal' | 'progress'>,
  again = false,
): Promise<ReadonlyMap<string, ImageFacts>> {
  const known = store.findings.facts()
  const unseen = again ? images : images.filter(({ sha256 }) => !known.has(sha256))
  if (unseen.length > 0)
    for await (const event of dataRunner({ kind: 'examine-images', project, images: [...unseen] }, work.signal)) {
      if (event.kind === 'examined') store.findings.insertFacts(event.images)
      if (event.kind === 'progress') work.progress('looking at images', event.done, event.of)
    }
  return unseen.length === 0 ? known : store.findings.facts()
}
