// What one look at images tells, asked of the process for data where nobody has looked yet, and kept.

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SampleFilter } from '../domain/sample-query.ts'
import type { TaskWork } from './data-tasks.ts'
import type { Parts } from './parts.ts'

/** Images of one question to the database and one job: main answers others in between. */
const IMAGES_AT_ONCE = 2000

/**
 * Looks at the images of the filter's samples.
 * @param again  at all of them: files may have changed since
 */
export async function examineImages(
  { store, project, dataRunner }: Pick<Parts, 'store' | 'project' | 'dataRunner'>,
  filter: SampleFilter,
  work: Pick<TaskWork, 'signal' | 'progress'>,
  again = false,
): Promise<void> {
  const of = store.findings.imageCount()
  let seen = 0
  for (let after: string | null = ''; after !== null; ) {
    const { images, last } = store.findings.imagesAfter(filter, after, IMAGES_AT_ONCE, again)
    if (images.length > 0)
      for await (const event of dataRunner({ kind: 'examine-images', project, images: [...images] }, work.signal)) {
        if (event.kind === 'examined') store.findings.insertFacts(event.images)
        if (event.kind === 'progress') work.progress('looking at images', Math.min(of, seen + event.done), of)
      }
    seen += IMAGES_AT_ONCE
    after = last
    await nextTurn()
  }
}
