// `lab sweep`: trainings over a grid of settings, as curves.

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { metricNamed } from '../../domain/metric.ts'
import { formatInterval, formatValue } from '../../services/number-text.ts'
import { withLab, type CliParts, type GlobalOptions } from '../session.ts'
import { collectSetting, readJsonFile, withSettings } from '../settings-from-text.ts'
import { table } from '../table.ts'
import { asEncoders, experiment } from './experiment.ts'

const MODULE_WORDS = { visionEncoder: 'encoder', languageModel: 'language model' } as const

export function addSweepCommand(program: Command, parts: CliParts): void {
  program
    .command('sweep <file>')
    .description('Train over a grid (learning rate per objective, β, data size, models to start from or sizes to be made, seeds) under a budget and a stop rule, and draw score against data size')
    .option('--set <key=value>', 'change one setting, e.g. --set settings.budget.runs=12 (repeatable)', collectSetting)
    .action(async (file: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly set?: readonly string[] }>()
      await withLab(parts, options, 'write', async (session) => {
        const given = withSettings(readJsonFile(resolve(file)), options.set ?? []) as { readonly encoders?: readonly string[] }
        const { result } = await experiment(session, 'sweep', { kind: 'sweep', ...given, encoders: await asEncoders(session, given.encoders ?? []) })
        const { unit, label } = metricNamed(result.metric)
        const right = (title: string) => ({ title, align: 'right' }) as const
        const left = (title: string) => ({ title, align: 'left' }) as const
        session.terminal.out(
          table(
            [left('Objective'), left('Start'), right('Samples'), right(label), right('95 % interval'), right('Seeds'), right('Learning rate'), right('β')],
            result.curves.flatMap(({ arm, start, points }) =>
              points.map(({ dataSize, value, low, high, seeds, learningRate, beta }) => [
                arm,
                start,
                dataSize === null ? 'all' : String(dataSize),
                formatValue(value, unit),
                formatInterval(low, high, unit),
                String(seeds),
                String(learningRate),
                beta === null ? '–' : String(beta),
              ]),
            ),
          ),
        )
        if (result.sizeCurves.length > 0)
          session.terminal.out(
            table(
              [left('Objective'), left('Size of'), right('Parameters'), left('Start'), right(label), right('95 % interval'), right('Seeds')],
              result.sizeCurves.flatMap(({ arm, of, points }) =>
                points.map(({ parameters, start, value, low, high, seeds }) => [arm, MODULE_WORDS[of], parameters.toLocaleString('en'), start, formatValue(value, unit), formatInterval(low, high, unit), String(seeds)]),
              ),
            ),
          )
        for (const note of result.notes) session.terminal.note(note)
      })
    })
}
