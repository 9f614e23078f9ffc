// `lab train`, `lab runs`: one training on its own.

import { resolve } from 'node:path'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { fromFailure, LabError } from '../../domain/errors.ts'
import { parse } from '../../domain/parse.ts'
import { lineageColumns } from '../../domain/lineage.ts'
import { RUN_GROUPINGS, RUN_LOG_FORMATS, runFilterSchema, runNotesSchema, type RunGrouping, type RunLogFormat } from '../../domain/run-browser.ts'
import { RUN_STATUSES, type RunStatus } from '../../domain/run.ts'
import { runRequestSchema, type RunRequest } from '../../domain/run-view.ts'
import type { DataRole } from '../../domain/study.ts'
import { formatDuration } from '../../services/number-text.ts'
import { createProgressView } from '../progress-view.ts'
import { assertNotStopped, withLab, type CliParts, type GlobalOptions, type Session } from '../session.ts'
import { collectSetting, readJsonFile, withSettings } from '../settings-from-text.ts'
import { table } from '../table.ts'
import { planText } from '../training-plan.ts'

const STAGES = ['pretraining', 'language', 'alignment', 'instruction', 'sft', 'dpo'] as const
const DATA_OF: Readonly<Record<(typeof STAGES)[number], DataRole>> = {
  pretraining: 'captions',
  language: 'texts',
  alignment: 'captions',
  instruction: 'instructions',
  sft: 'preferences',
  dpo: 'preferences',
}

interface TrainOptions extends GlobalOptions {
  readonly preset?: string
  readonly stage: (typeof STAGES)[number]
  readonly config?: string
  readonly set?: readonly string[]
  readonly dryRun?: boolean
  /** Bytes. */
  readonly memory?: number
}

/** "12", "1.5" → bytes. */
function gigabytes(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError(`expected a number of gigabytes above 0, got "${text}"`)
  return value * 1e9
}

interface ListOptions {
  readonly group: RunGrouping
  readonly text?: string
  readonly tag?: string
  readonly status?: RunStatus
  readonly metric: readonly string[]
}

export function addRunCommands(program: Command, parts: CliParts): void {
  program
    .command('train')
    .description('Train one model and follow it to its end')
    .addOption(
      new Option('--preset <name>', 'take settings, model and data from a preset (see: lab presets)').conflicts('config'),
    )
    .addOption(new Option('--stage <stage>', 'which stage of the preset').choices([...STAGES]).default('instruction'))
    .option('--config <file>', 'a run request as JSON: name, dataset, start, training')
    .option(
      '--set <key=value>',
      'change one setting, e.g. --set training.steps=20 --set dataset=mine (repeatable)',
      collectSetting,
    )
    .option('--dry-run', 'only say what would be trained, in which shapes, and how much memory it takes')
    .option('--memory <GB>', 'with --dry-run: what it may take; default: what is free', gigabytes)
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<TrainOptions>()
      await withLab(parts, options, 'write', async (session) => {
        if (options.dryRun === true) {
          const plan = await session.lab.runs.plan(runRequest(session, options), options.memory ?? null, session.signal)
          session.terminal.json({ event: 'plan', plan })
          return session.terminal.out(planText(plan))
        }
        const { runId } = await session.lab.runs.start(runRequest(session, options))
        await followRun(session, runId)
      })
    })

  const runs = program.command('runs').description('List, show and go on with runs')
  runs
    .command('list', { isDefault: true })
    .description('List the runs of the project; values are differences to the pinned run where one is pinned')
    .addOption(new Option('--group <by>', 'under heads').choices([...RUN_GROUPINGS]).default('none'))
    .option('--text <words>', 'only runs with every word in name, objective, data, tags or note')
    .option('--tag <tag>', 'only runs with this tag')
    .addOption(new Option('--status <status>', 'only runs in this state').choices([...RUN_STATUSES]))
    .option('--metric <names...>', 'last values to show', ['loss'])
    .action(async (_: unknown, command: Command) => {
      const { group, text, tag, status, metric, ...options } = command.optsWithGlobals<GlobalOptions & ListOptions>()
      const filter = parse(runFilterSchema, { text, tag, status }, 'invalid-input', 'runs')
      await withLab(parts, options, 'read', async ({ lab, terminal }) => {
        const groups = lab.runBrowser.browse(filter, group)
        const latest = lab.runBrowser.latest(metric)
        const baseline = lab.settings.get().baselineRun
        const right = (title: string) => ({ title, align: 'right' }) as const
        const left = (title: string) => ({ title, align: 'left' }) as const
        const shown = (runId: string, name: string) => {
          const [value, base] = [latest[runId]?.[name], baseline === null || runId === baseline ? undefined : latest[baseline]?.[name]]
          if (value === undefined) return '–'
          return base === undefined ? value.toPrecision(4) : `${value >= base ? '+' : ''}${(value - base).toPrecision(4)}`
        }
        for (const { key, label, runs: rows } of groups) {
          for (const row of rows) terminal.json(group === 'none' ? row : { group: key, ...row })
          if (group !== 'none') terminal.out(`\n${label} (${rows.length})`)
          terminal.out(
            table(
              [left('Run'), left('Name'), left('Objective'), left('Status'), right('Step'), ...metric.map(right), right('Time'), left('Engine'), left('Tags')],
              rows.map(({ id, name, origin, objective, status: state, step, steps, workedMs, engine, tags }) => [
                id === baseline ? `${id} *` : id,
                origin === null ? name : `${name} (${origin})`,
                objective ?? 'other',
                state,
                `${step}/${steps}`,
                ...metric.map((each) => shown(id, each)),
                formatDuration(workedMs),
                engine ?? '–',
                tags.join(', '),
              ]),
            ),
          )
        }
        if (groups.length === 0) terminal.out('No run is like that.')
        if (baseline !== null && lab.runs.list().some(({ id }) => id === baseline)) terminal.note(`* pinned: values of the other runs are differences to ${baseline}`)
      })
    })
  runs
    .command('compare <runs...>')
    .description('Show the settings in which runs differ')
    .action(async (runIds: readonly string[], _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'read', async ({ lab, terminal }) => {
        const differences = lab.runBrowser.differences(runIds)
        for (const each of differences) terminal.json(each)
        if (differences.length === 0) return terminal.out('Their configurations are the same.')
        const left = (title: string) => ({ title, align: 'left' }) as const
        terminal.out(table([left('Setting'), ...runIds.map(left)], differences.map(({ setting, values }) => [setting, ...values])))
      })
    })
  runs
    .command('lineage <run>')
    .description('Show what a run comes from and what came of it')
    .action(async (runId: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'read', async ({ lab, terminal }) => {
        const lineage = lab.runBrowser.lineage(runId)
        terminal.json(lineage)
        lineageColumns(lineage).forEach((column, depth) => {
          for (const { id, kind, label, detail } of column) terminal.out(`${'  '.repeat(depth)}${id === runId ? '▸ ' : ''}${kind}: ${label} (${detail})`)
        })
      })
    })
  runs
    .command('pin [run]')
    .description('Show other runs’ values as differences to this one; without a run: as they are')
    .action(async (runId: string | undefined, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'write', async ({ lab, terminal }) => {
        lab.runBrowser.pin(runId ?? null)
        terminal.json({ event: 'pinned', runId: runId ?? null })
        terminal.out(runId === undefined ? 'no run is pinned' : `${runId} is pinned`)
      })
    })

  runs
    .command('show <run>')
    .description('Show a run: status, last metrics, checkpoints, log')
    .action(async (runId: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'read', async ({ lab, terminal }) => {
        const view = lab.runs.get(runId)
        const log = lab.runs.log(runId, 0, 20)
        terminal.json({ ...view, log })
        terminal.out(
          `${view.row.name}: ${view.row.status}, step ${view.row.step} of ${view.row.steps}, ${formatDuration(view.row.workedMs)}, ${view.row.engine ?? 'no engine yet'}`,
        )
        if (view.row.failure !== null) terminal.out(`failed: ${view.row.failure.message}`)
        terminal.out(
          table(
            [
              { title: 'Metric', align: 'left' },
              { title: 'Last', align: 'right' },
            ],
            view.metrics.map((name) => [name, String(view.latest[name])]),
          ),
        )
        for (const { step, folder } of view.checkpoints) terminal.out(`checkpoint of step ${step}  ${folder}`)
        for (const { level, message } of log) terminal.out(`${level}: ${message}`)
      })
    })
  runs
    .command('export <runs...>')
    .description('Write what runs have logged: event files for TensorBoard (a folder a run), or one CSV')
    .addOption(new Option('--format <format>', 'for whom').choices([...RUN_LOG_FORMATS]).default('tensorboard'))
    .option('--out <folder>', 'a folder that is not there yet; default: one in the exports of the project')
    .action(async (runIds: readonly string[], _: unknown, command: Command) => {
      const { format, out, ...options } = command.optsWithGlobals<GlobalOptions & { readonly format: RunLogFormat; readonly out?: string }>()
      await withLab(parts, options, 'write', async ({ lab, terminal }) => {
        const artifact = await lab.runLogs.write(runIds, format, out === undefined ? null : resolve(out))
        terminal.json({ event: 'exported', artifact })
        terminal.out(artifact.path)
      })
    })
  runs
    .command('import <folder>')
    .description('Take in runs that wandb logged offline (offline-run-…, or a folder of them), to be listed and drawn beside the lab’s own')
    .action(async (folder: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'write', async ({ lab, terminal }) => {
        const { added, renewed, faults } = await lab.runImports.import(resolve(folder))
        terminal.json({ event: 'imported', added, renewed, faults })
        for (const id of added) terminal.out(`${id}  ${lab.runs.get(id).row.name}`)
        for (const id of renewed) terminal.out(`${id}  ${lab.runs.get(id).row.name}, read anew`)
        for (const { message } of faults) terminal.note(message)
        if (added.length + renewed.length === 0) throw new LabError('corrupt-artifact', `none of ${faults.length} logs could be read`, { folder })
      })
    })
  runs
    .command('resume <run>')
    .description('Go on with a run that was paused, cancelled or failed, from its last checkpoint')
    .action(async (runId: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'write', async (session) => {
        session.lab.runs.resume(runId)
        await followRun(session, runId)
      })
    })
  addNoteCommands(runs, parts)
}

/** What a person writes beside a run. */
function addNoteCommands(runs: Command, parts: CliParts): void {
  runs
    .command('note <run> [text]')
    .description('Write a note beside a run; without a text, show it')
    .action(async (runId: string, text: string | undefined, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), text === undefined ? 'read' : 'write', async ({ lab, terminal }) => {
        if (text !== undefined) lab.runBrowser.annotate(runId, parse(runNotesSchema, { note: text }, 'invalid-input', 'note'))
        const { note } = lab.runs.get(runId).row
        terminal.json({ runId, note })
        terminal.out(note)
      })
    })

  runs
    .command('tag <run> <tags...>')
    .description('Put tags on a run, or take them off')
    .option('--remove', 'take them off')
    .action(async (runId: string, given: readonly string[], _: unknown, command: Command) => {
      const { remove, ...options } = command.optsWithGlobals<GlobalOptions & { readonly remove?: boolean }>()
      await withLab(parts, options, 'write', async ({ lab, terminal }) => {
        const before = lab.runs.get(runId).row.tags
        const tags = remove === true ? before.filter((tag) => !given.includes(tag)) : [...before, ...given]
        lab.runBrowser.annotate(runId, parse(runNotesSchema, { tags }, 'invalid-input', 'tag'))
        const after = lab.runs.get(runId).row.tags
        terminal.json({ runId, tags: after })
        terminal.out(after.join(', '))
      })
    })
}

async function followRun({ lab, terminal, listen }: Session, runId: string): Promise<void> {
  const view = createProgressView(terminal)
  terminal.json({ event: 'started', runId })
  terminal.note(`run ${runId} in ${lab.project}`)
  listen((announcement) => {
    if (announcement.name === 'job.progress' && announcement.value.runId === runId) view.show(announcement.value)
  })
  const row = await lab.runs.ended(runId)
  view.clear()
  assertNotStopped(row.status, `run "${row.name}"`, `lab runs resume ${runId} --project ${lab.project}`)
  if (row.failure !== null) throw fromFailure(row.failure)
  const { latest, metrics } = lab.runs.get(runId)
  terminal.json({ event: 'finished', runId, row, latest, checkpoint: lab.runs.newestCheckpoint(runId) })
  terminal.out(
    table(
      [
        { title: 'Metric', align: 'left' },
        { title: `Step ${row.step}`, align: 'right' },
      ],
      metrics.map((name) => [name, String(latest[name])]),
    ),
  )
  terminal.out(`checkpoint  ${lab.runs.newestCheckpoint(runId)}`)
}

function runRequest({ lab }: Session, { preset, stage, config, set = [] }: TrainOptions): RunRequest {
  if (preset !== undefined) {
    const { config: study } = lab.presets.get(preset)
    if (study.stages[stage] === null)
      throw new LabError('invalid-input', `preset ${preset} has no ${stage}; choose another --stage`, { stage })
    const base = {
      name: `${preset}, ${stage}`,
      dataset: study.data[DATA_OF[stage]],
      start: { kind: 'scratch', model: study.model },
      training: study.stages[stage],
    }
    return parse(runRequestSchema, withSettings(base, set), 'invalid-input', `preset ${preset}`)
  }
  if (config === undefined && set.length === 0)
    throw new LabError(
      'invalid-input',
      'say what to train: --preset <name>, --config <file>, or at least --set name=… --set dataset=…',
    )
  return parse(
    runRequestSchema,
    withSettings(config === undefined ? {} : readJsonFile(config), set),
    'invalid-input',
    config ?? '--set',
  )
}
