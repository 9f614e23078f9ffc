// Curation from the command line: samples by a filter are listed, tagged, divided, excluded and exported; checks and their
// findings; the journal; versions; backups. Every filter of the window is here as --where.

import { resolve } from 'node:path'
import { Argument, Option, type Command } from 'commander'
import { selectionSchema, type CurationChange } from '../../domain/curation.ts'
import { CHECK_LABELS, DATA_CHECKS, dataCheckSettingsSchema, type DataCheck } from '../../domain/data-check.ts'
import { EXPORT_FORMATS, type ExportFormat } from '../../domain/data-export.ts'
import type { DataTaskRow } from '../../domain/data-task.ts'
import { parse } from '../../domain/parse.ts'
import { SAMPLE_STATES, sampleFilterSchema, type SampleFilter, type SampleState } from '../../domain/sample-query.ts'
import { SPLITS, type Split } from '../../domain/sample.ts'
import { splitRuleSchema } from '../../domain/split-rule.ts'
import { describeFault } from '../../services/datasets.ts'
import { formatDuration } from '../../services/number-text.ts'
import { withLab, type Access, type CliParts, type GlobalOptions, type Session } from '../session.ts'
import { collectSetting, withSettings } from '../settings-from-text.ts'
import { table } from '../table.ts'
import { progressOfJob, showChange, showTasks } from './data.ts'

interface FilterFlags extends GlobalOptions {
  readonly split?: Split
  readonly state?: SampleState
  readonly tag?: string
  readonly category?: string
  readonly text?: string
  readonly where?: readonly string[]
  readonly finding?: string
}

export function addCurationCommands(program: Command, parts: CliParts): void {
  const filtered = (command: Command) =>
    command
      .addOption(new Option('--split <split>', 'only of this split').choices([...SPLITS]))
      .addOption(new Option('--state <state>', 'only in this state; default: kept').choices([...SAMPLE_STATES]))
      .option('--tag <tag>', 'only with this tag')
      .option('--category <category>', 'only of this category')
      .option('--text <words>', 'only with these words')
      .option('--finding <check>', 'only what a check has found (its task)')
      .option('--where <key=value>', 'any other field of a filter, e.g. --where width.from=64 (repeatable)', collectSetting)
  /** An action on a lab that is opened as `access` says. */
  const on = <A extends unknown[]>(access: Access, work: (session: Session, options: never, ...args: A) => Promise<void>) =>
    (async (...given: unknown[]) => {
      const command = given.at(-1) as Command
      const options = command.optsWithGlobals()
      await withLab(parts, options, access, (session) => work(session, options as never, ...(given.slice(0, -2) as A)))
    }) as (...args: unknown[]) => Promise<void>
  const change = async (session: Session, filter: SampleFilter, what: CurationChange) => {
    showChange(session)
    const entry = await session.lab.curation.change(parse(selectionSchema, { kind: 'filter', filter }), what, session.signal)
    session.terminal.json({ event: 'changed', entry })
    session.terminal.out(entry === null ? 'nothing to change: it was so already' : `${entry.label}: ${entry.samples} samples (lab undo takes it back)`)
  }

  filtered(program.command('samples [dataset]').description('List samples of a filter, and how many there are'))
    .option('--limit <n>', 'at most this many', '20')
    .action(
      on('read', async ({ lab, terminal }, options: FilterFlags & { readonly limit: string }, dataset: string | undefined) => {
        const filter = filterOf(lab, dataset, options)
        const limit = Math.max(1, Math.min(1000, Number(options.limit) || 20))
        const { rows } = lab.curation.page({ filter, sort: 'imported', direction: 'ascending', after: null, limit })
        for (const row of rows) terminal.json(row)
        for (const { row, split, state, image, text, tags } of rows) {
          const size = image === null ? '' : `${image.width}×${image.height}`
          const marks = [state === 'kept' ? '' : state, ...tags.map((tag) => `#${tag}`)].filter(Boolean).join(' ')
          terminal.out(`${String(row).padStart(7)}  ${split.padEnd(10)}  ${size.padEnd(9)}  ${text.replaceAll(/\s+/g, ' ').slice(0, 80)}  ${marks}`)
        }
        const count = lab.curation.count(filter)
        terminal.json({ event: 'count', count })
        terminal.out(`${count} samples`)
      }),
    )

  filtered(program.command('tag <tag> [dataset]').description('Tag samples of a filter'))
    .option('--remove', 'take the tag away')
    .action(
      on('write', async (session, options: FilterFlags & { readonly remove?: boolean }, tag: string, dataset: string | undefined) => {
        // --tag is the filter's own; the tag to set is the argument.
        await change(session, filterOf(session.lab, dataset, options), { kind: options.remove === true ? 'untag' : 'tag', tag })
      }),
    )
  for (const [verb, state, what] of [
    ['exclude', 'excluded', 'Leave samples of a filter out of snapshots, and keep them'],
    ['keep', 'kept', 'Take excluded samples back'],
    ['delete-samples', 'deleted', 'Delete samples of a filter; lab undo brings them back'],
  ] as const)
    filtered(program.command(`${verb} [dataset]`).description(what)).action(
      on('write', async (session, options: FilterFlags, dataset: string | undefined) => {
        const filter = filterOf(session.lab, dataset, options.state === undefined && state === 'kept' ? { ...options, state: 'excluded' } : options)
        await change(session, filter, { kind: 'state', state })
      }),
    )

  program
    .command('split <dataset>')
    .description('Divide a dataset into splits by a seed: adding data later moves nothing')
    .option('--set <key=value>', 'seed, shares.train, shares.validation, shares.test, groupBy (image, source, sample), stratify', collectSetting)
    .option('--preview', 'show the division and change nothing')
    .action(
      on('write', async (session, options: GlobalOptions & { readonly set?: readonly string[]; readonly preview?: boolean }, dataset: string) => {
        const { lab, terminal } = session
        const rule = parse(splitRuleSchema, withSettings({}, options.set ?? []), 'invalid-input', '--set')
        const filter = sampleFilterSchema.parse({ datasetId: lab.datasets.named(dataset).id })
        const rows = await lab.curation.previewSplits({ kind: 'filter', filter, except: [] }, rule)
        terminal.json({ event: 'splits', rows })
        const right = (title: string) => ({ title, align: 'right' }) as const
        terminal.out(
          table(
            [{ title: rule.stratify ? 'Category' : '', align: 'left' }, ...SPLITS.map(right)],
            rows.map(({ stratum, counts }) => [stratum ?? (rule.stratify ? '(none)' : 'samples'), ...SPLITS.map((split) => String(counts[split]))]),
          ),
        )
        if (options.preview !== true) await change(session, filter, { kind: 'divide', rule })
      }),
    )

  for (const [verb, what] of [
    ['undo', 'Take back the last change of samples'],
    ['redo', 'Do again what was taken back last'],
  ] as const)
    program
      .command(verb)
      .description(what)
      .action(
        on('write', async (session) => {
          showChange(session)
          const { lab, terminal, signal } = session
          const entry = await lab.curation[verb](signal)
          terminal.json({ event: verb, entry })
          terminal.out(entry === null ? `nothing to ${verb}` : `${verb}: ${entry.label}, ${entry.samples} samples`)
        }),
      )
  program
    .command('journal')
    .description('List the changes of samples, newest first')
    .action(
      on('read', async ({ lab, terminal }) => {
        for (const entry of lab.curation.journal(100)) {
          terminal.json(entry)
          terminal.out(`${new Date(entry.atMs).toISOString().slice(0, 16)}  ${entry.label}: ${entry.samples} samples${entry.isUndone ? ' (taken back)' : ''}`)
        }
      }),
    )

  filtered(
    program
      .command('check')
      .addArgument(new Argument('<check>', DATA_CHECKS.map((check) => `${check}: ${CHECK_LABELS[check].help}`).join(' ')).choices([...DATA_CHECKS]))
      .argument('[dataset]', 'default: all datasets')
      .description('Look for faults in data; what is found is a filter (--finding)'),
  )
    .option('--set <key=value>', 'maxDistance, minSide, minContrast, maxTokens, minSimilarity, neighbours', collectSetting)
    .option('--model <model>', 'a run or a model folder: its encoder computes features, its tokenizer counts tokens')
    .action(
      on('write', async (session, options: CheckFlags, check: DataCheck, dataset: string | undefined) => {
        const { taskId } = await runCheck(session, options, check, dataset)
        for (const cluster of session.lab.checks.clusters(taskId, -1, 20)) {
          session.terminal.json({ event: 'cluster', members: cluster })
          session.terminal.out(cluster.map(({ row, isBest, detail }) => `${isBest ? '★' : ' '}${row}: ${detail}`).join('\n'))
        }
      }),
    )
  program
    .command('dedupe [dataset]')
    .description('Exclude near-duplicates, keeping the largest image of each cluster')
    .option('--set <key=value>', 'maxDistance: bits in which hashes may differ', collectSetting)
    .option('--exact', 'only samples that say the same about the same pixels')
    .action(
      on('write', async (session, options: CheckFlags & { readonly exact?: boolean }, dataset: string | undefined) => {
        const check = options.exact === true ? 'exact-duplicates' : 'near-duplicates'
        const { taskId } = await runCheck(session, options, check, dataset)
        const finding = { taskId, cluster: null, which: 'others' as const }
        await change(session, { ...filterOf(session.lab, dataset, options), finding }, { kind: 'state', state: 'excluded' })
      }),
    )

  filtered(program.command('export-data <dataset> [folder]').description('Write a dataset in the format of others; without a folder, into the project’s exports'))
    .addOption(new Option('--format <format>', 'what to write').choices([...EXPORT_FORMATS]).default('archive'))
    .option('--reference', 'name the images where they are instead of copying them')
    .action(
      on('write', async (session, options: FilterFlags & { readonly format: ExportFormat; readonly reference?: boolean }, dataset: string, folder: string | undefined) => {
        const { lab, terminal, signal } = session
        showTasks(session)
        const { taskId } = lab.dataExports.start({
          filter: filterOf(lab, dataset, options),
          format: options.format,
          images: options.reference === true ? 'reference' : 'copy',
          folder: folder === undefined ? null : resolve(folder),
        })
        const { result } = await lab.tasks.ended(taskId, signal)
        terminal.json({ event: 'exported', ...result })
        if (result?.kind === 'export') terminal.out(`${result.samples} samples in ${result.folder}`)
      }),
    )

  program
    .command('versions <dataset>')
    .description('List the snapshots of a dataset, and the runs that were trained on each')
    .option('--take', 'freeze the dataset as it is first')
    .action(
      on('write', async ({ lab, terminal }, options: GlobalOptions & { readonly take?: boolean }, dataset: string) => {
        const { id } = lab.datasets.named(dataset)
        if (options.take === true) await lab.datasets.takeSnapshot(id)
        for (const version of lab.datasets.versions(id)) {
          terminal.json(version)
          const { sha256, samples, createdAtMs, runs } = version
          terminal.out(`${sha256.slice(0, 16)}  ${new Date(createdAtMs).toISOString().slice(0, 16)}  ${samples} samples  ${runs.join(', ')}`)
        }
      }),
    )
  program
    .command('diff <from> <to>')
    .description('What changed between two snapshots')
    .action(
      on('read', async ({ lab, terminal }, _: GlobalOptions, from: string, to: string) => {
        const known = lab.datasets.list().flatMap(({ id }) => lab.datasets.versions(id).map(({ sha256 }) => sha256))
        const whole = (part: string) => known.find((sha256) => sha256.startsWith(part)) ?? part
        const difference = await lab.datasets.compareVersions(whole(from), whole(to))
        terminal.json(difference)
        terminal.out(`${difference.added} added, ${difference.removed} removed, ${difference.moved} in another split, ${difference.same} the same`)
      }),
    )

  program
    .command('tasks')
    .description('List imports, checks, exports and maps')
    .option('--cancel <task>', 'cancel one: an import then leaves nothing behind')
    .option('--resume <task>', 'go on with one that was paused or broke off')
    .option('--left-out <task>', 'list the rows that an import left out')
    .action(
      on('write', async (session, options: GlobalOptions & { readonly cancel?: string; readonly resume?: string; readonly leftOut?: string }) => {
        const { lab, terminal, signal } = session
        if (options.cancel !== undefined) await lab.tasks.cancel(options.cancel)
        if (options.resume !== undefined) {
          showTasks(session)
          lab.tasks.resume(options.resume)
          await lab.tasks.ended(options.resume, signal)
        }
        if (options.leftOut !== undefined) {
          for (const fault of lab.tasks.faults(options.leftOut, 0, 1_000_000).rows) {
            terminal.json(fault)
            terminal.out(describeFault(fault))
          }
          return
        }
        for (const task of lab.tasks.list()) {
          terminal.json(task)
          terminal.out(describeTask(task))
        }
      }),
    )

  program
    .command('backup <file>')
    .description('Pack the whole project into one file, also while it is in use')
    .action(
      on('write', async ({ lab, terminal, signal }, _: GlobalOptions, file: string) => {
        await lab.dataExports.backup(resolve(file), signal, progressOfJob(terminal, 'backup'))
        terminal.json({ event: 'backed-up', file: resolve(file) })
        terminal.out(resolve(file))
      }),
    )
  program
    .command('restore <file> <folder>')
    .description('Make a project of a backup, every file checked; the folder must not exist')
    .action(
      on('none', async ({ lab, terminal, signal }, _: GlobalOptions, file: string, folder: string) => {
        await lab.dataExports.restore(resolve(file), resolve(folder), signal, progressOfJob(terminal, 'restore'))
        terminal.json({ event: 'restored', folder: resolve(folder) })
        terminal.out(`${resolve(folder)}: use it with --project ${resolve(folder)}`)
      }),
    )
}

interface CheckFlags extends FilterFlags {
  readonly set?: readonly string[]
  readonly model?: string
}

async function runCheck(session: Session, options: CheckFlags, check: DataCheck, dataset: string | undefined): Promise<{ readonly taskId: string }> {
  const { lab, terminal, signal } = session
  showTasks(session)
  const checkpoint =
    options.model === undefined ? null : lab.runs.list().some(({ id }) => id === options.model) ? lab.runs.newestCheckpoint(options.model) : resolve(options.model)
  const settings = parse(dataCheckSettingsSchema, { ...(withSettings({}, options.set ?? []) as object), checkpoint }, 'invalid-input', '--set')
  const { taskId } = lab.checks.start({ check, filter: filterOf(lab, dataset, options), settings })
  const { result } = await lab.tasks.ended(taskId, signal)
  terminal.json({ event: 'checked', taskId, ...result })
  if (result?.kind === 'check')
    terminal.out(`${CHECK_LABELS[check].label}: ${result.findings} of ${result.samples} samples, in ${result.clusters} clusters (--finding ${taskId})`)
  return { taskId }
}

function filterOf(lab: Session['lab'], dataset: string | undefined, flags: FilterFlags): SampleFilter {
  const more = withSettings({}, flags.where ?? []) as Record<string, unknown>
  return parse(
    sampleFilterSchema,
    {
      datasetId: dataset === undefined ? null : lab.datasets.named(dataset).id,
      ...(flags.split === undefined ? {} : { splits: [flags.split] }),
      ...(flags.state === undefined ? {} : { states: [flags.state] }),
      ...(flags.tag === undefined ? {} : { tags: [flags.tag] }),
      ...(flags.category === undefined ? {} : { categories: [flags.category] }),
      ...(flags.text === undefined ? {} : { text: flags.text }),
      ...(flags.finding === undefined ? {} : { finding: { taskId: flags.finding } }),
      ...more,
    },
    'invalid-input',
    '--where',
  )
}

function describeTask({ id, title, status, progress, leftMs, failure }: DataTaskRow): string {
  const where = progress === null || status === 'finished' ? '' : ` · ${progress.part} ${Math.round(progress.done)}/${Math.round(progress.of)}`
  const left = leftMs === null ? '' : `, ${formatDuration(leftMs)} left`
  return `${id}  ${status.padEnd(9)}  ${title}${where}${left}${failure === null ? '' : ` · ${failure.message}`}`
}
