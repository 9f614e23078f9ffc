// Maps of one item under several encoders, for whoever looks at it now. They do not wait behind a training: a person is waiting, and
// they are over in a second or so. Only the newest look matters; an earlier one that is still being computed is given up.

import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent, MapsJob } from '../domain/job.ts'
import { mapsSchema, type MapItem, type MapItemRequest, type Maps, type MapsRequest } from '../domain/patch-maps.ts'
import { answerOf } from './answer-of.ts'
import type { CurationService } from './curation.ts'
import type { EncoderService } from './encoders.ts'
import { encodersNamed } from './experiments/experiments.ts'
import type { Parts } from './parts.ts'
import type { RunService } from './runs.ts'
import { createWorkQueue, inTurn } from './work-queue.ts'

export type PatchMapService = ReturnType<typeof createPatchMapService>

interface PatchMapServices {
  readonly curation: Pick<CurationService, 'get'>
  readonly encoders: EncoderService
  readonly runs: RunService
}

export function createPatchMapService({ store, project, runner }: Parts, { curation, ...named }: PatchMapServices) {
  const looks = createWorkQueue()
  let newest: AbortController | null = null

  /** @throws LabError 'not-found', 'invalid-input' for a sample without a picture */
  function itemOf(item: MapItemRequest): MapItem {
    if (item.kind === 'image') {
      const { kind, sha256, ...words } = item
      const image = store.datasets.findImage(sha256)
      if (image === null) throw new LabError('not-found', `there is no image ${sha256} in this project; choose one of its samples`, { sha256 })
      return { image, ...words }
    }
    const row = item.kind === 'sample' ? item.row : store.samples.rowOfItem(item.itemId)
    if (row === null) throw new LabError('not-found', 'the sample that this number was measured on is no longer in the project; import its data again', { item })
    const { content, row: listed } = curation.get(row)
    const image = listed.image === null ? null : store.datasets.findImage(listed.image.sha256)
    if (image === null) throw new LabError('invalid-input', `sample ${row} has no picture: maps are of pictures; choose a sample with one`, { row })
    switch (content.kind) {
      case 'preferences':
        return { image, prompt: content.prompt, chosen: content.chosen, rejected: content.rejected, region: content.region }
      case 'questions':
        return { image, prompt: content.question, chosen: content.answer, rejected: null, region: content.region }
      case 'conversations': {
        const [first, second] = content.turns
        return { image, prompt: first?.text ?? null, chosen: second?.text || null, rejected: null, region: [] }
      }
      case 'objects':
        return { image, prompt: null, chosen: null, rejected: null, region: content.objects.map(({ box }) => box) }
    }
  }

  return {
    itemOf,
    /** @throws LabError 'cancelled' when a newer look or the signal takes its place */
    of(request: MapsRequest, signal?: AbortSignalLike, observe: (event: JobEvent) => void = () => {}): Promise<Maps> {
      const job: MapsJob = {
        kind: 'maps',
        project,
        // Of an arm, the first seed's.
        encoders: request.encoders.map((name) => ({ name, checkpoint: encodersNamed(named, [name])[0]!.folder })),
        item: itemOf(request.item),
        settings: request.settings,
      }
      newest?.abort()
      const mine = new AbortController()
      newest = mine
      signal?.addEventListener?.('abort', () => mine.abort(), { once: true })
      return inTurn(looks, async () => {
        if (mine.signal.aborted) throw new LabError('cancelled', 'a newer look took the place of this one')
        return answerOf(runner(job, mine.signal, { backend: store.settings.get().backend }), mapsSchema, 'maps', observe)
      })
    },
    /** Gives up what is being computed. */
    cancel: (): void => newest?.abort(),
  }
}
