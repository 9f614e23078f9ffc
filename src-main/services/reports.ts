// Writes a study's report: gathers what the document needs, then one file, whole or not at all.

import { readFile } from 'node:fs/promises'
import { extname, isAbsolute, join } from 'node:path'
import type { ArtifactRow } from '../domain/run-view.ts'
import type { Parts } from './parts.ts'
import { CURVES, reportDocument, type ReportInput } from './report/report.ts'
import { writeTextWhole } from './report/write-text.ts'
import type { PresetService } from './presets.ts'
import type { ResultService } from './results.ts'
import type { RunService } from './runs.ts'
import type { StudyService } from './studies.ts'

export type ReportService = ReturnType<typeof createReportService>

const CURVE_POINTS = 200
const EXAMPLES = 6
/** Larger images would make the file too heavy to send; their examples are left out. */
const MOST_IMAGE_BYTES = 400_000
const MIME: Readonly<Record<string, string>> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
  '.gif': 'image/gif',
}

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
      const stored = store.datasets.findImage(example.image.sha256)
      const mime = stored && MIME[extname(stored.path).toLowerCase()]
      if (stored === null || mime === undefined || mime === null) continue
      const bytes = await readFile(isAbsolute(stored.path) ? stored.path : join(project, stored.path)).catch(() => null)
      if (bytes === null || bytes.length > MOST_IMAGE_BYTES) continue
      seen.add(example.itemId)
      found.push({
        example,
        image: { uri: `data:${mime};base64,${bytes.toString('base64')}`, width: stored.width, height: stored.height },
      })
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
