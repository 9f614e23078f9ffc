// Maps of one item under several encoders, for whoever looks at it now. They do not wait behind a training: a person is waiting, and
// they are over in a second or so. Only the newest look matters; an earlier one that is still being computed is given up.

import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, JobEvent, MapsJob } from '../domain/job.ts'
import { parse } from '../domain/parse.ts'
import { mapsSchema, type MapItem, type MapItemRequest, type Maps, type MapsRequest, type MapsSoFar } from '../domain/patch-maps.ts'
import type { AnnotatedObject } from '../domain/sample.ts'
import type { CurationService } from './curation.ts'
import type { DatasetService } from './datasets.ts'
import type { EncoderService } from './encoders.ts'
import { encodersNamed } from './experiments/experiments.ts'
import type { Parts } from './parts.ts'
import type { RunService } from './runs.ts'
import { createWorkQueue, inTurn } from './work-queue.ts'

export type PatchMapService = ReturnType<typeof createPatchMapService>

interface PatchMapServices {
  readonly curation: Pick<CurationService, 'get'>
  readonly datasets: Pick<DatasetService, 'named' | 'snapshotOf'>
  readonly encoders: EncoderService
  readonly runs: RunService
}

const NOTHING_YET: MapsSoFar = { image: null, maps: null, progress: null }

export function createPatchMapService({ store, project, runner, announce }: Parts, { curation, datasets, ...named }: PatchMapServices) {
  const looks = createWorkQueue()
  let newest: AbortController | null = null
  let soFar = NOTHING_YET

  /** @throws LabError 'not-found', 'invalid-input' for a sample without a picture */
  function itemOf(item: MapItemRequest): MapItem {
    if (item.kind === 'image') {
      const { kind, sha256, ...words } = item
      const image = store.datasets.findImage(sha256)
      if (image === null) throw new LabError('not-found', `there is no image ${sha256} in this project; choose one of its samples`, { sha256 })
      return { image, ...words, objects: null }
    }
    const row = item.kind === 'sample' ? item.row : store.samples.rowOfItem(item.itemId)
    if (row === null) throw new LabError('not-found', 'the sample that this number was measured on is no longer in the project; import its data again', { item })
    const { content, row: listed } = curation.get(row)
    const image = listed.image === null ? null : store.datasets.findImage(listed.image.sha256)
    if (image === null) throw new LabError('invalid-input', `sample ${row} has no picture: maps are of pictures; choose a sample with one`, { row })
    switch (content.kind) {
      case 'preferences':
        return { image, prompt: content.prompt, chosen: content.chosen, rejected: content.rejected, region: content.region, objects: null }
      case 'questions':
        return { image, prompt: content.question, chosen: content.answer, rejected: null, region: content.region, objects: null }
      case 'conversations': {
        const [first, second] = content.turns
        return { image, prompt: first?.text ?? null, chosen: second?.text || null, rejected: null, region: [], objects: null }
      }
      case 'objects':
        return { image, prompt: null, chosen: null, rejected: null, region: content.objects.map(({ box }) => box), objects: null }
    }
  }

  /** What the masks of a dataset say about a picture; null: it is none of its pictures. */
  function objectsOf(datasetId: string, sha256: string): AnnotatedObject[] | null {
    const row = store.samples.rowOfImage(datasetId, sha256)
    const content = row === null ? null : curation.get(row).content
    return content?.kind === 'objects' ? content.objects : null
  }

  async function jobOf({ encoders, item: asked, settings: { segmentation, ...settings } }: MapsRequest): Promise<MapsJob> {
    const item = itemOf(asked)
    // Of an arm, the first seed's.
    const job = { kind: 'maps', project, encoders: encoders.map((name) => ({ name, checkpoint: encodersNamed(named, [name])[0]!.folder })) } as const
    if (segmentation === null || !settings.methods.includes('segmentation')) return { ...job, item, settings: { ...settings, segmentation: null } }
    const { id, name } = datasets.named(segmentation.dataset)
    const snapshot = await datasets.snapshotOf(name)
    return { ...job, item: { ...item, objects: objectsOf(id, item.image.sha256) }, settings: { ...settings, segmentation: { snapshot, settings: segmentation.settings } } }
  }

  return {
    itemOf,
    /** @throws LabError 'cancelled' when a newer look or the signal takes its place */
    of(request: MapsRequest, signal?: AbortSignalLike, observe: (event: JobEvent) => void = () => {}): Promise<Maps> {
      newest?.abort()
      const mine = new AbortController()
      newest = mine
      soFar = NOTHING_YET
      const tell = (next: Partial<MapsSoFar>) => {
        if (newest !== mine) return
        soFar = { ...soFar, ...next }
        announce({ name: 'maps.changed', value: {} })
      }
      signal?.addEventListener?.('abort', () => mine.abort(), { once: true })
      return inTurn(looks, async () => {
        if (mine.signal.aborted) throw new LabError('cancelled', 'a newer look took the place of this one')
        const job = await jobOf(request)
        tell({ image: job.item.image.sha256 })
        let [part, maps] = ['', null as Maps | null]
        for await (const event of runner(job, mine.signal, { backend: store.settings.get().backend })) {
          observe(event)
          if (event.kind === 'answer') tell({ maps: (maps = parse(mapsSchema, event.value, 'internal', 'maps')) })
          if (event.kind === 'part') part = event.name
          if (event.kind === 'progress') tell({ progress: { part, done: event.done, of: event.of } })
        }
        if (maps === null) throw new LabError('internal', 'maps: the job ended without an answer')
        return maps
      })
    },
    /** What has come of the newest look, while the rest of it is computed. */
    soFar: (): MapsSoFar => soFar,
    /** Gives up what is being computed. */
    cancel: (): void => newest?.abort(),
  }
}
