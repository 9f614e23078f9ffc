// `lab transplant`: which encoder serves a fresh language model best.

import type { Command } from 'commander'
import { withLab, type CliParts, type GlobalOptions } from '../session.ts'
import { collectSetting, withSettings } from '../settings-from-text.ts'
import { comparisonText } from './compare.ts'
import { asEncoder, asEncoders, experiment } from './experiment.ts'

interface TransplantOptions extends GlobalOptions {
  readonly dataset: string
  readonly questions: string
  readonly name?: string
  readonly seeds?: readonly string[]
  readonly trainable?: boolean
  readonly projectorLayers: number
  readonly languageModel?: string
  readonly set?: readonly string[]
}

export function addTransplantCommand(program: Command, parts: CliParts): void {
  program
    .command('transplant <encoders...>')
    .description('Put two to eight encoders under the same fresh projector and language model, train all alike, ask all the same')
    .requiredOption('--dataset <name>', 'conversations with pictures to train on')
    .requiredOption('--questions <name>', 'what every candidate is asked in the end')
    .option('--name <name>', 'what the runs are called')
    .option('--seeds <numbers...>', 'each trains every candidate once more; default: 0')
    .option('--trainable', 'train the encoders too; default: they stay as they are')
    .option('--projector-layers <n>', 'layers of the projector that come along: 0, 1 or 2', Number, 0)
    .option('--language-model <model>', 'a run, an encoder or a folder; default: random weights of the size that the candidates share')
    .option('--set <key=value>', 'change one setting of training or evaluation, e.g. --set training.steps=200 (repeatable)', collectSetting)
    .action(async (encoders: readonly string[], _: unknown, command: Command) => {
      const options = command.optsWithGlobals<TransplantOptions>()
      await withLab(parts, options, 'write', async (session) => {
        const { dataset, questions, name, seeds, trainable, projectorLayers, languageModel, set } = options
        const { taskId } = await experiment(session, 'transplant', {
          kind: 'transplant',
          encoders: await asEncoders(session, encoders),
          name,
          dataset,
          questions,
          seeds: seeds?.map(Number),
          frozen: trainable !== true,
          projectorLayers,
          languageModel: languageModel === undefined ? null : await asEncoder(session, languageModel),
          ...(withSettings({}, set ?? []) as object),
        })
        session.terminal.out(comparisonText(session.lab.experiments.table(taskId)))
      })
    })
}
