// `lab probe`: what can be read off frozen encoders.

import type { Command } from 'commander'
import { withLab, type CliParts, type GlobalOptions } from '../session.ts'
import { collectSetting, withSettings } from '../settings-from-text.ts'
import { comparisonText } from './compare.ts'
import { asEncoders, experiment } from './experiment.ts'

interface ProbeOptions extends GlobalOptions {
  readonly dataset: string
  readonly set?: readonly string[]
}

export function addProbeCommand(program: Command, parts: CliParts): void {
  program
    .command('probe <encoders...>')
    .description('Probe up to eight frozen encoders on a dataset of labelled pictures: linear, prototypes, k-NN, few-shot, segmentation')
    .requiredOption('--dataset <name>', 'pictures with a class each, or with annotated objects')
    .option('--set <key=value>', 'probes, pooling, layers, lambdas, neighbours, shots, draws, limit.train, …, e.g. --set layers=every (repeatable)', collectSetting)
    .action(async (models: readonly string[], _: unknown, command: Command) => {
      const options = command.optsWithGlobals<ProbeOptions>()
      await withLab(parts, options, 'write', async (session) => {
        const request = { kind: 'probe', encoders: await asEncoders(session, models), dataset: options.dataset, settings: withSettings({}, options.set ?? []) }
        const { taskId } = await experiment(session, 'probe', request)
        session.terminal.out(comparisonText(session.lab.experiments.table(taskId)))
      })
    })
}
