// `lab evaluate`, `lab export`: measure a model, take its encoder out.

import { resolve } from 'node:path'
import { Option, type Command } from 'commander'
import { benchmarkSettingsSchema, type PaperSummary } from '../../domain/benchmark.ts'
import {
  EXPORT_DTYPES,
  EXPORT_FORMATS,
  EXPORT_PARTS,
  exportSettingsSchema,
  FORMAT_WORDS,
  type ExportSettings,
} from '../../domain/export.ts'
import { EVALUATORS, evaluationSchema, type Evaluator } from '../../domain/evaluation.ts'
import { metricNamed } from '../../domain/metric.ts'
import { parse } from '../../domain/parse.ts'
import { formatInterval, formatValue } from '../../services/number-text.ts'
import { withLab, type CliParts, type GlobalOptions } from '../session.ts'
import { collectSetting, withSettings } from '../settings-from-text.ts'
import { table } from '../table.ts'
import { progressOfJob } from './data.ts'

interface EvaluateOptions extends GlobalOptions {
  readonly baseline?: string
  readonly only?: readonly Evaluator[]
  readonly questions?: string
  readonly preferences?: string
  readonly objects?: string
  readonly captions?: string
  readonly benchmark?: readonly string[]
  readonly set?: readonly string[]
}

const NEEDS: Readonly<Record<Evaluator, readonly ('questions' | 'preferences' | 'objects' | 'captions')[]>> = {
  questions: ['questions'],
  preferences: ['preferences'],
  probe: ['objects'],
  segmentation: ['objects'],
  localisation: ['preferences'],
  alignment: ['captions'],
}

export function addCheckpointCommands(program: Command, parts: CliParts): void {
  program
    .command('evaluate <model>')
    .description('Measure a model: a run of the project, or a folder that the lab wrote')
    .option('--baseline <model>', 'measure the change of its encoder against this one')
    .addOption(new Option('--only <evaluators...>', 'which to run; default: all whose data are given').choices([...EVALUATORS]))
    .option('--questions <dataset>', 'questions with answers')
    .option('--preferences <dataset>', 'held-out preference pairs')
    .option('--objects <dataset>', 'images with annotated objects')
    .option('--captions <dataset>', 'images with captions')
    .option('--benchmark <datasets...>', 'imported benchmarks; settings are suffix, maxNewTokens, limit, seed, batchSize')
    .option(
      '--set <key=value>',
      'change one setting of the measurement, e.g. --set questions.limit=100 (repeatable)',
      collectSetting,
    )
    .action(async (model: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<EvaluateOptions>()
      if (options.benchmark !== undefined) return evaluateBenchmarks(parts, options, model, options.benchmark)
      const settings = parse(evaluationSchema, withSettings({}, options.set ?? []), 'invalid-input', '--set')
      const data = {
        questions: options.questions ?? null,
        preferences: options.preferences ?? null,
        objects: options.objects ?? null,
        captions: options.captions ?? null,
      }
      const possible = EVALUATORS.filter((evaluator) => NEEDS[evaluator].every((role) => data[role] !== null))
      const evaluators = options.only ?? possible
      if (evaluators.length === 0)
        command.error('error: give at least one data set: --questions, --preferences, --objects or --captions')
      await withLab(parts, options, 'write', async ({ lab, terminal, signal }) => {
        const request = {
          checkpoint: asModel(lab, model),
          baseline: options.baseline === undefined ? null : asModel(lab, options.baseline),
          evaluators,
          settings,
          data,
        }
        const { evaluationId, results } = await lab.evaluations.evaluate(request, signal, progressOfJob(terminal, 'measuring'))
        terminal.json({ event: 'finished', evaluationId, results })
        terminal.out(
          table(
            [
              { title: 'Measure', align: 'left' },
              { title: 'Value', align: 'right' },
              { title: 'Items', align: 'right' },
            ],
            results.map(({ metric, value, n }) => [
              metricNamed(metric).label,
              formatValue(value, metricNamed(metric).unit),
              String(n),
            ]),
          ),
        )
      })
    })

  program
    .command('export <model> [folder]')
    .description('Write the vision encoder (or the whole model) for other programs, and check what was written')
    .addOption(new Option('--part <part>', 'what to write').choices([...EXPORT_PARTS]).default('vision-encoder'))
    .addOption(
      new Option('--format <format>', EXPORT_FORMATS.map((format) => `${format}: ${FORMAT_WORDS[format].help}`).join('; '))
        .choices([...EXPORT_FORMATS])
        .default('hf'),
    )
    .addOption(new Option('--dtype <type>', 'number type of the weights').choices([...EXPORT_DTYPES]).default('float32'))
    .addOption(
      new Option('--projector-layers <n>', 'linear layers of the projector that go along: 0, 1 or 2')
        .argParser(Number)
        .default(0),
    )
    .action(async (model: string, folder: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & ExportSettings>()
      const { part, format, dtype, projectorLayers } = options
      const settings = parse(exportSettingsSchema, { part, format, dtype, projectorLayers }, 'invalid-input', 'export')
      await withLab(parts, options, 'write', async ({ lab, terminal, signal }) => {
        const result = await lab.exports.export(
          { checkpoint: asModel(lab, model), settings, folder: folder === undefined ? null : resolve(folder), parent: null },
          signal,
          progressOfJob(terminal, 'exporting'),
        )
        terminal.json({ event: 'exported', ...result })
        terminal.out(`${result.artifact.path}  (manifest ${result.sha256.slice(0, 12)})`)
        terminal.out(result.verification)
        terminal.out('')
        for (const line of result.loading) terminal.out(line)
      })
    })
}

/** Reads an export back. */
export function addCheckExportCommand(program: Command, parts: CliParts): void {
  program
    .command('check-export <folder>')
    .description('Compare every file of an export with its manifest: is it still what was written?')
    .action(async (folder: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals<GlobalOptions>(), 'none', async ({ lab, terminal, signal }) => {
        const check = await lab.exports.check(resolve(folder), signal)
        terminal.json(check)
        terminal.out(`✓ ${check.files} files, ${(check.bytes / 1e6).toFixed(1)} MB, ${check.settings.format} ${check.settings.dtype}, as they were written; manifest ${check.sha256}`)
      })
    })
}

async function evaluateBenchmarks(parts: CliParts, options: EvaluateOptions, model: string, datasets: readonly string[]): Promise<void> {
  const settings = parse(benchmarkSettingsSchema, withSettings({}, options.set ?? []), 'invalid-input', '--set')
  await withLab(parts, options, 'write', async ({ lab, terminal, signal }) => {
    const view = progressOfJob(terminal, 'answering')
    const report = await lab.benchmarks.evaluate({ checkpoint: asModel(lab, model), datasets, settings }, signal, (event) => {
      if (event.kind === 'log' && event.level === 'warning') terminal.note(event.message)
      view(event)
    })
    terminal.json({ event: 'finished', ...report })
    const right = (title: string) => ({ title, align: 'right' }) as const
    terminal.out(
      table(
        [{ title: 'Measure', align: 'left' }, right('Value'), right('95 % interval'), right('Items')],
        report.evaluations.flatMap(({ results }) =>
          results.map(({ metric, value, n, low, high }) => {
            const { label, unit } = metricNamed(metric)
            return [label, formatValue(value, unit), formatInterval(low, high, unit), String(n)]
          }),
        ),
      ),
    )
    for (const line of paperLines(report.paper)) terminal.out(line)
  })
}

/** The paper's groups that are whole, and its average once all sixteen are there. */
function paperLines({ groups, average }: PaperSummary): readonly string[] {
  const whole = groups.flatMap(({ group, value }) => (value === null ? [] : [`${group}: ${value.toFixed(1)}`]))
  return [...whole, ...(average === null ? [] : [`Average of sixteen (MME/20): ${average.toFixed(1)}`])]
}

/** Both arms of a study, out to TRL and Accelerate and back. */
export function addRecipeCommands(program: Command, parts: CliParts): void {
  program
    .command('export-recipe <study> <folder>')
    .description('Write both arms of a study as a folder for TRL and Accelerate: script, base models, pairs, every number')
    .action(async (studyId: string, folder: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals<GlobalOptions>(), 'write', async ({ lab, terminal, signal }) => {
        const { path } = await lab.recipes.export(studyId, resolve(folder), signal, progressOfJob(terminal, 'writing the recipe'))
        terminal.json({ event: 'recipe', path })
        terminal.out(path)
      })
    })

  program
    .command('import-run <folder>')
    .description('Take in what the script of a recipe trained: its checkpoint and its log become a run of the study')
    .action(async (folder: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals<GlobalOptions>(), 'write', async ({ lab, terminal }) => {
        const run = await lab.recipes.import(resolve(folder))
        terminal.json({ event: 'imported', run })
        terminal.out(`${run.id}  ${run.name}, ${run.step} steps`)
      })
    })
}

/** A run's id stays; anything else is a path from here. */
export function asModel(lab: { readonly runs: { list(): readonly { readonly id: string }[] } }, model: string): string {
  return lab.runs.list().some(({ id }) => id === model) ? model : resolve(model)
}
