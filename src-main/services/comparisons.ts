// Which encoder sees better? Encoders side by side over everything that was measured on them under the same conditions, the items
// behind every number, and the whole as a file. Nothing is measured here: it reads what benchmarks, probes and studies have left.

import { join } from 'node:path'
import { comparedItemsRequestSchema, type ComparedItem, type ComparedItems, type ComparedItemsRequest, type Comparison, type ComparisonFormat, type ComparisonRequest } from '../domain/comparison.ts'
import { LabError } from '../domain/errors.ts'
import { isHeadline } from '../domain/metric.ts'
import type { ArtifactRow } from '../domain/run-view.ts'
import { metricOfRow } from './comparison/conditions.ts'
import { comparisonCsv, comparisonLatex } from './comparison/export-text.ts'
import { comparedItems } from './comparison/items.ts'
import { measuredRows, rowScores } from './comparison/measurements.ts'
import { paperMeans } from './comparison/paper-means.ts'
import { comparisonTable } from './comparison/table.ts'
import type { EncoderService } from './encoders.ts'
import type { Parts } from './parts.ts'
import { hasMaps, isOfMaps, type ShownItems } from './report/comparison-items.ts'
import { comparisonReport } from './report/comparison-report.ts'
import type { ImageData } from './report/maps.ts'
import { pictureData } from './report/picture-data.ts'
import { writeTextWhole } from './report/write-text.ts'

const EXTENSIONS: Readonly<Record<ComparisonFormat, string>> = { csv: 'csv', latex: 'tex', html: 'html' }

/** Of each kind, in a report. */
const ITEMS_SHOWN = 4

export type ComparisonService = ReturnType<typeof createComparisonService>

export function createComparisonService({ store, project, now, newId }: Parts, encoders: EncoderService) {
  /** @throws LabError 'not-found' for an encoder that is not in the list, 'invalid-input' for a reference that is not compared */
  function table({ encoders: ids, scope, reference }: ComparisonRequest): Comparison {
    const compared = encoders.findAll(ids)
    if (reference !== null && !ids.includes(reference))
      throw new LabError('invalid-input', `reference: expected one of the encoders that are compared, got "${reference}"`, { reference })
    const measured = measuredRows(store, compared, (metric) => scope === 'all' || isHeadline(metric))
    const rows = [...measured, ...paperMeans(measured)]
    return comparisonTable(compared, rows, (row) => rowScores(store, row), { reference, datasetOf: store.itemFacts.datasetOf, protocolOf })
  }

  function protocolOf(id: string): string | null {
    const study = store.studies.find(id)
    if (study !== null) return `the study ${study.config.name}`
    const task = store.dataTasks.find(id)
    return task === null ? null : `an experiment of ${new Date(task.createdAtMs).toISOString().slice(0, 16).replace('T', ' ')}`
  }

  /** Of the last two encoders: pictures where the second gains most, with the maps that a study kept, and answers to questions. */
  async function shownItems({ encoders: ids }: ComparisonRequest, { encoders: compared, rows }: Comparison): Promise<readonly ShownItems[]> {
    const [a, b] = [compared.at(-2)!, compared.at(-1)!]
    const open = rows.filter(({ hasItems, cells }) => hasItems && cells.at(-2) != null && cells.at(-1) != null)
    const chosen = [open.find(({ metric }) => metric === 'localisation/dpo/energy'), open.find(({ family }) => family === 'Questions') ?? open.find(({ family }) => family === 'Benchmarks')]
    const found: ShownItems[] = []
    for (const row of chosen) {
      if (row === undefined) continue
      const { items } = itemsOf(comparedItemsRequestSchema.parse({ encoders: [a.id, b.id, ...ids.filter((id) => id !== a.id && id !== b.id)], row: row.id, show: isOfMaps(row) ? 'all' : 'discordant', limit: 200 }))
      const shown: { item: ComparedItem; image: ImageData }[] = []
      for (const item of items) {
        if (shown.length === ITEMS_SHOWN || (!isOfMaps(row) && item.gain <= 0)) break
        if (isOfMaps(row) && !hasMaps(item, row.metric, a.id, b.id)) continue
        const image = item.image === null ? null : await pictureData({ store, project }, item.image.sha256)
        if (image !== null) shown.push({ item, image })
      }
      found.push({ row, a, b, items: shown })
    }
    return found
  }

  /** @throws LabError 'not-found' for a row that none of the encoders has */
  function itemsOf(request: ComparedItemsRequest): ComparedItems {
    const compared = encoders.findAll(request.encoders)
    const metric = metricOfRow(request.row)
    const row = measuredRows(store, compared, (each) => each === metric).find(({ id }) => id === request.row)
    if (row === undefined || row.results[0]!.length === 0 || row.results[1]!.length === 0)
      throw new LabError('not-found', `${request.row}: expected a measurement of both "${compared[0]!.name}" and "${compared[1]!.name}"; choose a row where both have a number`, { row: request.row })
    return comparedItems(store, compared, row, request)
  }

  return {
    table,
    items: itemsOf,
    /** @param file  where to write; null: the project's exports */
    async export(request: ComparisonRequest, format: ComparisonFormat, file: string | null = null): Promise<ArtifactRow> {
      const comparison = table(request)
      const text = format === 'csv' ? comparisonCsv(comparison) : format === 'latex' ? comparisonLatex(comparison) : comparisonReport(comparison, await shownItems(request, comparison), now())
      const path = file ?? join(project, 'exports', `comparison-${new Date(now()).toISOString().replaceAll(/[:.]/g, '-')}.${EXTENSIONS[format]}`)
      await writeTextWhole(path, text)
      return store.artifacts.insert({ id: newId('artifact'), studyId: null, phaseId: null, runId: null, name: `comparison (${format})`, path, createdAtMs: now() })
    },
  }
}
