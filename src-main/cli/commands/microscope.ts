// `lab microscope`: what SFT and DPO would each do to an encoder on one pair.

import { LabError } from '../../domain/errors.ts'
import type { Command } from 'commander'
import { withLab, type CliParts, type GlobalOptions } from '../session.ts'
import { table } from '../table.ts'
import { asEncoder, asEncoders, experiment } from './experiment.ts'

interface MicroscopeOptions extends GlobalOptions {
  readonly sample?: number
  readonly item?: string
  readonly reference?: string
  readonly beta?: number
}

export function addMicroscopeCommand(program: Command, parts: CliParts): void {
  program
    .command('microscope <encoders...>')
    .description('Gradients of SFT and DPO on one pair, block by block, at one checkpoint or several along a training: sizes, and the cosine between them')
    .option('--sample <row>', 'a pair of the project, by its row', Number)
    .option('--item <id>', 'an item behind a measured number')
    .option('--reference <model>', 'what DPO measures its margin from; default: each checkpoint itself, margin 0')
    .option('--beta <number>', "DPO's β; default 0.1", Number)
    .action(async (encoders: readonly string[], _: unknown, command: Command) => {
      const options = command.optsWithGlobals<MicroscopeOptions>()
      const { sample, item, reference, beta } = options
      if (sample === undefined && item === undefined) throw new LabError('invalid-input', 'expected --sample or --item: say which pair')
      await withLab(parts, options, 'write', async (session) => {
        const { result } = await experiment(session, 'microscope', {
          kind: 'microscope',
          encoders: await asEncoders(session, encoders),
          item: sample === undefined ? { kind: 'item', itemId: item } : { kind: 'sample', row: sample },
          reference: reference === undefined ? null : await asEncoder(session, reference),
          beta,
        })
        const right = (title: string) => ({ title, align: 'right' }) as const
        const left = (title: string) => ({ title, align: 'left' }) as const
        session.terminal.out(
          table(
            [left('Checkpoint'), left('Part'), right('SFT'), right('DPO'), right('Cosine')],
            result.microscope.checkpoints.flatMap(({ encoder, parts: each, visionEncoder }) =>
              [{ part: 'vision encoder', ...visionEncoder }, ...each].map(({ part, sft, dpo, cosine }) => [encoder, part, sft.toPrecision(3), dpo.toPrecision(3), cosine.toFixed(3)]),
            ),
          ),
        )
      })
    })
}
