// Which encoder sees better? Encoders side by side over everything that was measured on them under the same conditions, the items
// behind every number, and the whole as a file. Nothing is measured here: it reads what benchmarks, probes and studies have left.

import { join } from 'node:path'
import type { ComparedItems, ComparedItemsRequest, Comparison, ComparisonFormat, ComparisonRequest } from '../domain/comparison.ts'
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
import { comparisonReport } from './report/comparison-report.ts'
import { writeTextWhole } from './report/write-text.ts'

const EXTENSIONS: Readonly<Record<ComparisonFormat, string>> = { csv: 'csv', latex: 'tex', html: 'html' }

export type ComparisonService = ReturnType<typeof createComparisonService>

export function createComparisonService({ store, project, now, newId }: Parts, encoders: EncoderService) {
  /** @throws LabError 'not-found' for an encoder that is not in the list, 'invalid-input' for a reference that is not compared */
  function table({ encoders: ids, scope, reference }: ComparisonRequest): Comparison {
    const compared = encoders.findAll(ids)
    if (reference !== null && !ids.includes(reference))
      throw new LabError('invalid-input', `reference: expected one of the encoders that are compared, got "${reference}"`, { reference })
    const measured = measuredRows(store, compared, (metric) => scope === 'all' || isHeadline(metric))
    const rows = [...measured, ...paperMeans(measured)]
    return comparisonTable(compared, rows, (row) => rowScores(store, row), { reference, datasetOf: store.itemFacts.datasetOf })
  }

  return {
    table,
    /** @throws LabError 'not-found' for a row that none of the encoders has */
    items(request: ComparedItemsRequest): ComparedItems {
      const compared = encoders.findAll(request.encoders)
      const metric = metricOfRow(request.row)
      const row = measuredRows(store, compared, (each) => each === metric).find(({ id }) => id === request.row)
      if (row === undefined || row.results[0]!.length === 0 || row.results[1]!.length === 0)
        throw new LabError('not-found', `${request.row}: expected a measurement of both "${compared[0]!.name}" and "${compared[1]!.name}"; choose a row where both have a number`, { row: request.row })
      return comparedItems(store, compared, row, request)
    },
    /** @param file  where to write; null: the project's exports */
    async export(request: ComparisonRequest, format: ComparisonFormat, file: string | null = null): Promise<ArtifactRow> {
      const comparison = table(request)
      const text = format === 'csv' ? comparisonCsv(comparison) : format === 'latex' ? comparisonLatex(comparison) : comparisonReport(comparison, now())
      const path = file ?? join(project, 'exports', `comparison-${new Date(now()).toISOString().replaceAll(/[:.]/g, '-')}.${EXTENSIONS[format]}`)
      await writeTextWhole(path, text)
      return store.artifacts.insert({ id: newId('artifact'), studyId: null, phaseId: null, runId: null, name: `comparison (${format})`, path, createdAtMs: now() })
    },
  }
}
