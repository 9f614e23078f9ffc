// `lab sight-test`, `lab import`, `lab datasets`, `lab presets`: what can be trained on, and ready-made configurations.

import { resolve } from 'node:path'
import { Option, type Command } from 'commander'
import { BENCHMARKS, MEASURES, type BenchmarkName, type Measure } from '../../domain/benchmark.ts'
import type { DatasetRow, ImportSummary } from '../../domain/dataset-view.ts'
import { importOptionsSchema, type ImportOptions } from '../../domain/import-event.ts'
import { sightTestSchema, type SightTest } from '../../domain/job.ts'
import { parse } from '../../domain/parse.ts'
import { textOfContent } from '../../domain/sample-facts.ts'
import { DATASET_KINDS, SPLITS, type DatasetKind, type Split } from '../../domain/sample.ts'
import { describeFault } from '../../services/datasets.ts'
import { createProgressView } from '../progress-view.ts'
import { withLab, type CliParts, type GlobalOptions, type Session } from '../session.ts'
import { collectSetting, withSettings } from '../settings-from-text.ts'
import { table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

export function addDataCommands(program: Command, parts: CliParts): void {
  program
    .command('sight-test [folder]')
    .description(
      'Write the built-in sight test in ordinary formats (PNG, LLaVA JSON, preference JSONL, COCO); without a folder, import it',
    )
    .option('--set <key=value>', 'change one setting: seed, imageSize, scenes.train, pairs.test, … (repeatable)', collectSetting)
    .action(async (folder: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly set?: readonly string[] }>()
      const settings = parse(sightTestSchema, withSettings({}, options.set ?? []), 'invalid-input', '--set')
      if (folder === undefined) await withLab(parts, options, 'write', (session) => importSightTest(session, settings))
      else await withLab(parts, options, 'none', (session) => writeSightTest(session, settings, resolve(folder)))
    })

  program
    .command('import <path>')
    .description('Import a data set: a JSON, JSONL, CSV, Parquet or tar file, or a folder; the format is recognised by its fields')
    .option('--name <name>', 'name in the project; default: after the file')
    .addOption(new Option('--kind <kind>', 'read only this kind').choices([...DATASET_KINDS]))
    .addOption(new Option('--split <split>', 'put every sample into this split').choices([...SPLITS]))
    .addOption(new Option('--benchmark <name>', "read the records of this benchmark; own: one's own").choices([...BENCHMARKS]))
    .addOption(new Option('--measure <measure>', 'how answers of --benchmark own are judged').choices([...MEASURES]))
    .option('--images <folder>', 'folder that image paths are relative to; default: the folder of the file')
    .option('--reference', 'leave images where they are instead of copying them into the project')
    .option('--column <ours=theirs>', 'which column of a table is which: image, question, answer, prompt, chosen, rejected, id, split, group, category (repeatable)', collectSetting)
    .option('--examine', 'look at every image too: thumbnails, perceptual hashes, damaged files')
    .option('--preview', 'show the format and the first ten rows, and write nothing')
    .action(async (path: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & ImportFlags>()
      if (options.preview === true) return previewImport(parts, options, resolve(path))
      await withLab(parts, options, 'write', async (session) => {
        const { lab, terminal, signal } = session
        showTasks(session)
        const request = {
          path: resolve(path),
          name: options.name ?? null,
          images: options.reference === true ? 'reference' : 'copy',
          options: importOptions(options),
          examine: options.examine === true,
        } as const
        tellImport(terminal, await lab.datasets.import(request, signal))
      })
    })

  program
    .command('datasets')
    .description('List the data sets of the project')
    .action(async (_: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'read', async ({ lab, terminal }) => {
        const rows = lab.datasets.list()
        for (const row of rows) terminal.json(row)
        tellDatasets(terminal, rows)
      })
    })

  program
    .command('presets')
    .description('List ready-made studies, where their numbers come from and what to expect')
    .action(async (_: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'none', async ({ lab, terminal }) => {
        for (const preset of lab.presets.list()) {
          terminal.json(preset)
          terminal.out(`${preset.name}: ${preset.title}\n  source: ${preset.source}\n  expect: ${preset.expect}`)
        }
      })
    })
}

interface ImportFlags {
  readonly name?: string
  readonly kind?: DatasetKind
  readonly split?: Split
  readonly benchmark?: BenchmarkName
  readonly measure?: Measure
  readonly images?: string
  readonly reference?: boolean
  readonly column?: readonly string[]
  readonly examine?: boolean
  readonly preview?: boolean
}

async function previewImport(parts: CliParts, options: GlobalOptions & ImportFlags, path: string): Promise<void> {
  await withLab(parts, options, 'none', async ({ lab, terminal, signal }) => {
    const preview = await lab.datasets.previewImport(path, importOptions(options), signal)
    terminal.json({ event: 'preview', ...preview })
    for (const { file, format, kind } of preview.files) terminal.out(`${file || path}: ${kind}, read as ${format}`)
    if (preview.columns.length > 0) terminal.out(`columns: ${preview.columns.join(', ')}`)
    for (const { split, image, content } of preview.rows) {
      const size = image === null ? 'no image' : `${image.format} ${image.width}×${image.height}`
      terminal.out(`  ${split}  ${size}  ${textOfContent(content).replaceAll(/\s+/g, ' ').slice(0, 100)}`)
    }
    for (const fault of preview.faults) terminal.out(`  left out: ${describeFault(fault)}`)
    terminal.out(preview.isWhole ? 'these are all rows' : 'more rows follow')
  })
}

function importOptions({ kind, split, images, column, benchmark, measure }: ImportFlags): ImportOptions {
  const columns = Object.fromEntries((column ?? []).map((each) => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)]))
  return {
    ...(column === undefined ? {} : { columns: parse(importOptionsSchema, { columns }, 'invalid-input', '--column').columns! }),
    ...(benchmark === undefined ? {} : { benchmark }),
    ...(measure === undefined ? {} : { measure }),
    ...(kind === undefined ? {} : { kind }),
    ...(split === undefined ? {} : { split }),
    ...(images === undefined ? {} : { imageRoot: resolve(images) }),
  }
}

async function importSightTest({ lab, terminal, signal }: Session, settings: SightTest): Promise<void> {
  const view = progressOfJob(terminal, 'sight test')
  tellImport(terminal, await lab.sightTest.create(settings, signal, view))
}

async function writeSightTest({ lab, terminal, signal }: Session, settings: SightTest, folder: string): Promise<void> {
  await lab.sightTest.write(settings, folder, signal, progressOfJob(terminal, 'sight test'))
  terminal.json({ event: 'written', folder })
  terminal.out(folder)
}

/** Events of a job that is not part of a study, as progress. */
export function progressOfJob(
  terminal: Terminal,
  title: string,
): (event: { readonly kind: string; readonly name?: string; readonly done?: number; readonly of?: number; readonly leftMs?: number | null }) => void {
  const view = createProgressView(terminal)
  const startedMs = Date.now()
  let part = title
  return ({ kind, name, done = 0, of = 0, leftMs = null }) => {
    if (kind === 'part') part = name ?? title
    if (kind !== 'part' && kind !== 'progress') return
    const elapsedMs = Date.now() - startedMs
    const share = of > 0 ? done / of : 0
    view.show({
      studyId: null,
      runId: null,
      phaseId: null,
      title,
      part,
      done,
      of,
      elapsedMs,
      leftMs,
      share,
      totalLeftMs: leftMs,
    })
  }
}

/** Progress of data tasks on the terminal until the command ends. */
export function showTasks({ lab, terminal, listen }: Session): void {
  let show: ReturnType<typeof progressOfJob> | null = null
  listen((announcement) => {
    if (announcement.name !== 'task.changed') return
    const { title, status, progress, leftMs } = lab.tasks.get(announcement.value.taskId)
    if (status !== 'running' || progress === null) return
    show ??= progressOfJob(terminal, title)
    show({ kind: 'part', name: progress.part, of: progress.of })
    show({ kind: 'progress', done: progress.done, of: progress.of, leftMs })
  })
}

/** Progress of a change of samples on the terminal until the command ends. */
export function showChange({ terminal, listen }: Session): void {
  let show: ReturnType<typeof progressOfJob> | null = null
  listen((announcement) => {
    if (announcement.name !== 'samples.changing' || announcement.value.progress === null) return
    const { title, part, done, of, leftMs } = announcement.value.progress
    show ??= progressOfJob(terminal, title)
    show({ kind: 'part', name: part, of })
    show({ kind: 'progress', done, of, leftMs })
  })
}

function tellImport(terminal: Terminal, summary: ImportSummary): void {
  terminal.json({ event: 'imported', ...summary })
  for (const problem of summary.problems) terminal.note(`left out: ${problem}`)
  terminal.out(`${summary.added} samples added, ${summary.unchanged} were there already`)
  tellDatasets(terminal, summary.datasets)
}

function tellDatasets(terminal: Terminal, rows: readonly DatasetRow[]): void {
  const right = (title: string) => ({ title, align: 'right' }) as const
  const left = (title: string) => ({ title, align: 'left' }) as const
  terminal.out(
    table(
      [left('Data set'), left('Kind'), ...SPLITS.map(right), right('Images'), left('Snapshot')],
      rows.map(({ name, kind, samples, images, snapshot }) => [
        name,
        kind,
        ...SPLITS.map((split) => String(samples[split])),
        String(images),
        snapshot?.slice(0, 12) ?? 'unfinished',
      ]),
    ),
  )
}
