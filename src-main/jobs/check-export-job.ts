// Reads an export back: is every file still what the manifest says? Whoever got the folder by a copy or a download asks this.

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExportCheck } from '../domain/export.ts'
import type { CheckExportJob, JobEvent } from '../domain/job.ts'
import { MANIFEST, verifiedManifest } from './exported-encoder.ts'
import { sha256OfFile } from './files.ts'

/** @throws LabError 'not-found' without a manifest, 'corrupt-artifact' naming the file that is not what was exported */
export async function* runCheckExportJob({ folder }: CheckExportJob): AsyncGenerator<JobEvent> {
  const { kind, settings, files } = await verifiedManifest(folder)
  const names = Object.keys(files)
  const sizes = await Promise.all([...names, MANIFEST].map(async (name) => (await stat(join(folder, name))).size))
  const check: ExportCheck = {
    folder,
    kind,
    settings,
    files: names.length + 1,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    sha256: await sha256OfFile(join(folder, MANIFEST)),
  }
  yield { kind: 'answer', value: check }
}
