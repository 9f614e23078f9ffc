// No file can crash the importers or make them hang. `npm run bench -- --fuzz 100000` reads as many as one likes.

import { join } from 'node:path'
import { expect, it } from 'vitest'
import { fuzzImporters } from '../../support/hostile-files.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

it('hostile files are refused or their rows are named, never worse; and some of what is in them still comes in', async () => {
  const outcome = await fuzzImporters(join(temporaryFolder(), 'fuzz'), 1500)
  expect(outcome.broken).toEqual([])
  expect(outcome.samples).toBeGreaterThan(50)
  expect(outcome.faults).toBeGreaterThan(500)
})
