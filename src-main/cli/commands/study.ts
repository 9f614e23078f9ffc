// `lab study …`: start, follow, look at and report a study.

import { Option, type Command } from 'commander'
import { LabError } from '../../domain/errors.ts'
import { parse } from '../../domain/parse.ts'
import { studyConfigSchema, type StudyConfig } from '../../domain/study.ts'
import { formatDuration } from '../../services/number-text.ts'
import { resultTable } from '../result-table.ts'
import { withLab, type CliParts, type GlobalOptions, type Session } from '../session.ts'
import { collectSetting, readJsonFile, withSettings } from '../settings-from-text.ts'
import { followStudy } from '../study-progress.ts'
import { table } from '../table.ts'

interface StartOptions extends GlobalOptions {
  readonly preset?: string
  readonly config?: string
  readonly set?: readonly string[]
}

export function addStudyCommand(program: Command, parts: CliParts): void {
  const study = program.command('study').description('Compare SFT and DPO from one start: start, resume, look, report')

  study
    .command('start')
    .description('Start a study and follow it to its end')
    .addOption(new Option('--preset <name>', 'a preset (see: lab presets)').conflicts('config'))
    .option('--config <file>', 'a study configuration as JSON')
    .option('--set <key=value>', 'change one setting, e.g. --set stages.dpo.steps=200 (repeatable)', collectSetting)
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<StartOptions>()
      await withLab(parts, options, 'write', async (session) => {
        const { studyId } = session.lab.studies.start(studyRequest(session, options))
        session.terminal.json({ event: 'started', studyId })
        session.terminal.note(`study ${studyId} in ${session.lab.project}`)
        await followStudy(session, studyId)
        await tellResults(session, studyId)
      })
    })

  study
    .command('resume <study>')
    .description('Go on with a study that was paused, cancelled or failed; finished phases are not done again')
    .action(async (studyId: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'write', async (session) => {
        session.lab.studies.resume(studyId)
        await followStudy(session, studyId)
        await tellResults(session, studyId)
      })
    })

  study
    .command('list')
    .description('List the studies of the project')
    .action(async (_: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'read', async ({ lab, terminal }) => {
        const rows = lab.studies.list()
        for (const row of rows) terminal.json(row)
        const left = (title: string) => ({ title, align: 'left' }) as const
        terminal.out(
          table(
            [left('Study'), left('Name'), left('Status'), { title: 'Phases', align: 'right' }, { title: 'Time', align: 'right' }],
            rows.map(({ id, name, status, phasesDone, phases, workedMs }) => [
              id,
              name,
              status,
              `${phasesDone}/${phases}`,
              formatDuration(workedMs),
            ]),
          ),
        )
      })
    })

  study
    .command('show <study>')
    .description('Show the phases of a study and what its arms share')
    .action(async (studyId: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'read', async ({ lab, terminal }) => {
        const view = lab.studies.get(studyId)
        terminal.json(view)
        const left = (title: string) => ({ title, align: 'left' }) as const
        terminal.out(
          `${view.row.name}: ${view.row.status}, ${view.row.phasesDone} of ${view.row.phases} phases, ${formatDuration(view.row.workedMs)}`,
        )
        if (view.row.failure !== null) terminal.out(`failed: ${view.row.failure.message}`)
        terminal.out('')
        terminal.out(
          table(
            [left('Phase'), left('Status'), { title: 'Time', align: 'right' }],
            view.phases.map(({ title, status, workedMs }) => [title, status, formatDuration(workedMs)]),
          ),
        )
        terminal.out('')
        terminal.out(
          table(
            [left('Setting'), left(view.encoderNames.sft), left(view.encoderNames.dpo), left('')],
            view.parity.map(({ setting, sft, dpo, verdict }) => [setting, sft, dpo, verdict]),
          ),
        )
      })
    })

  study
    .command('results <study>')
    .description('Print the results of a study with intervals and corrected p values')
    .action(async (studyId: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'read', async ({ lab, terminal }) => {
        const results = lab.results.of(studyId)
        terminal.json(results)
        terminal.out(resultTable(results))
        for (const line of results.verdict) terminal.out(line)
      })
    })

  study
    .command('report <study>')
    .description('Write the self-contained HTML report of a study')
    .action(async (studyId: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'write', async ({ lab, terminal }) => {
        const { path } = await lab.reports.write(studyId)
        terminal.json({ event: 'report', path })
        terminal.out(path)
      })
    })
}

/** The table, the verdict, and where report and encoders lie. */
export async function tellResults({ lab, terminal }: Session, studyId: string): Promise<void> {
  const results = lab.results.of(studyId)
  const report = await lab.reports.write(studyId)
  const { row, artifacts } = lab.studies.get(studyId)
  terminal.json({ event: 'finished', studyId, workedMs: row.workedMs, results, report: report.path, artifacts })
  terminal.out('')
  terminal.out(`${row.name}, ${row.seeds.length} ${row.seeds.length === 1 ? 'seed' : 'seeds'}, ${formatDuration(row.workedMs)}`)
  terminal.out('')
  terminal.out(resultTable(results))
  terminal.out('')
  for (const line of results.verdict) terminal.out(line)
  terminal.out('')
  terminal.out(`report    ${report.path}`)
  for (const { name, path } of artifacts.filter((each) => each.id !== report.id)) terminal.out(`${name}    ${path}`)
  terminal.out(`database  ${lab.database}`)
}

function studyRequest({ lab }: Session, { preset, config, set = [] }: StartOptions): Parameters<typeof lab.studies.start>[0] {
  if (preset !== undefined) {
    if (set.length === 0) return { kind: 'preset', preset, seeds: null }
    return {
      kind: 'preset',
      preset,
      seeds: null,
      change: (base: StudyConfig) => parse(studyConfigSchema, withSettings(base, set)),
    }
  }
  if (config === undefined)
    throw new LabError('invalid-input', 'say what to study: --preset <name> (see: lab presets) or --config <file>')
  return { kind: 'config', config: parse(studyConfigSchema, withSettings(readJsonFile(config), set), 'invalid-input', config) }
}
