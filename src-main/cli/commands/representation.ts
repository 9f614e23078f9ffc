// `lab representation`: how two encoders represent the same pictures, and what changed.

import type { Command } from 'commander'
import type { LayerTable, Representation } from '../../domain/representation.ts'
import { withLab, type CliParts, type GlobalOptions } from '../session.ts'
import { collectSetting, withSettings } from '../settings-from-text.ts'
import { table } from '../table.ts'
import { asEncoder, asEncoders, experiment } from './experiment.ts'

interface RepresentationOptions extends GlobalOptions {
  readonly dataset: string
  readonly split?: string
  readonly seed?: number
  readonly languageModel?: string
  readonly set?: readonly string[]
}

const MODELS: Readonly<Record<LayerTable['columns'], string>> = { a: 'before', b: 'after', language: 'language' }

export function addRepresentationCommand(program: Command, parts: CliParts): void {
  program
    .command('representation <before> <after>')
    .description('How alike two encoders are layer by layer, how alike to language, how many directions they use, whose neighbours changed')
    .requiredOption('--dataset <name>', 'any dataset with pictures; captions are needed for language')
    .option('--split <split>', 'train, validation or test (default)')
    .option('--seed <number>', 'of arms of a study: which seed', Number)
    .option('--language-model <model>', 'a run, an encoder or a folder whose language model reads the captions')
    .option('--set <key=value>', 'limit, neighbours, ckaBatch, shuffles or seed (repeatable)', collectSetting)
    .action(async (before: string, after: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<RepresentationOptions>()
      await withLab(parts, options, 'write', async (session) => {
        const { result } = await experiment(session, 'representation', {
          kind: 'representation',
          encoders: await asEncoders(session, [before, after]),
          ofSeed: options.seed ?? null,
          dataset: options.dataset,
          split: options.split,
          languageModel: options.languageModel === undefined ? null : await asEncoder(session, options.languageModel),
          settings: withSettings({}, options.set ?? []),
        })
        for (const line of linesOf(result.representation)) session.terminal.out(line)
      })
    })
}

function linesOf({ images, tables, a, b, kept, residual, notes }: Representation): readonly string[] {
  const right = (title: string) => ({ title, align: 'right' }) as const
  const left = (title: string) => ({ title, align: 'left' }) as const
  const share = (value: number) => `${(100 * value).toFixed(1)} %`
  return [
    `${images} pictures`,
    table(
      [left('Between'), left('Measure'), right('Layers'), right('Best'), right('At layers'), right('Last layers'), right('Shuffled, mean'), right('Shuffled, most')],
      tables.map(({ rows, columns, measure, values, best, shuffled }) => [
        `${MODELS[rows]} and ${MODELS[columns]}`,
        measure === 'cka' ? 'linear CKA (unbiased)' : 'mutual k-NN',
        `${values.length} × ${values[0]!.length}`,
        best.value.toFixed(3),
        `${best.row + 1}, ${best.column + 1}`,
        values.at(-1)!.at(-1)!.toFixed(3),
        shuffled.mean.toFixed(3),
        shuffled.largest.toFixed(3),
      ]),
    ),
    table(
      [left('Encoder'), right('Effective rank, last block'), right('of'), right('Patch norm, median'), right('most'), right('Outliers')],
      ([['before', a], ['after', b]] as const).map(([name, each]) => [
        name,
        each.effectiveRank.at(-1)!.toFixed(1),
        String(each.width),
        each.patchNorms[2].toFixed(2),
        each.patchNorms[4].toFixed(2),
        share(each.outliers),
      ]),
    ),
    `neighbours that stayed: ${share(kept)}; what turning and scaling cannot explain of what moved: ${share(residual)}`,
    ...notes,
  ]
}
