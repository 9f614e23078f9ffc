// Writes a study's report: gathers what the document needs, then one file, whole or not at all.

import { join } from 'node:path'
import type { ArtifactRow } from '../domain/run-view.ts'
import type { Parts } from './parts.ts'
import { CURVES, reportDocument, type ReportInput } from './report/report.ts'
import { pictureData } from './report/picture-data.ts'
import { writeTextWhole } from './report/write-text.ts'
import type { PresetService } from './presets.ts'
import type { ResultService } from './results.ts'
import type { RunService } from './runs.ts'
import type { StudyService } from './studies.ts'

export type ReportService = ReturnType<typeof createReportService>

const CURVE_POINTS = 200
const EXAMPLES = 6

export interface ReportServices {
  readonly runs: RunService
  readonly studies: StudyService
  readonly results: ResultService
  readonly presets: PresetService
}

export function createReportService(parts: Parts, { runs, studies, results, presets }: ReportServices) {
  const { store, project, now, newId } = parts

  async function examples(studyId: string, seed: number): Promise<ReportInput['examples']> {
    const found: { example: ReportInput['examples'][number]['example']; image: ReportInput['examples'][number]['image'] }[] = []
    const seen = new Set<string>()
    for (const example of results.examples(studyId, seed, 'localisation', 1000)) {
      // Every map metric carries the same items; an item is shown once.
      if (found.length === EXAMPLES || seen.has(example.itemId) || example.image === null) continue
      const image = await pictureData(parts, example.image.sha256)
      if (image === null) continue
      seen.add(example.itemId)
      found.push({ example, image })
    }
    return found
  }

  return {
    async write(studyId: string): Promise<ArtifactRow> {
      const study = studies.get(studyId)
      const names = [...new Set(CURVES.map(({ metric }) => metric))]
      const text = reportDocument({
        study,
        results: results.of(studyId),
        series: new Map(study.runs.map((run) => [run.id, runs.series(run.id, names, CURVE_POINTS)])),
        examples: await examples(studyId, study.row.seeds[0]!),
        isQuick: study.row.seeds.length < 3 || presets.list().find(({ name }) => name === study.row.preset)?.quick === true,
        writtenAtMs: now(),
      })
      const path = join(project, 'studies', studyId, 'report.html')
      await writeTextWhole(path, text)
      return store.artifacts.insert({
        id: newId('artifact'),
        studyId,
        phaseId: null,
        runId: null,
        name: 'report',
        path,
        createdAtMs: now(),
      })
    },
  }
}
