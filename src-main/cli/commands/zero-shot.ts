// `lab zero-shot`: classify images by words alone, with CLIP or SigLIP.

import { resolve } from 'node:path'
import { Option, type Command } from 'commander'
import { zeroShotJobSchema } from '../../domain/job.ts'
import { parse } from '../../domain/parse.ts'
import { withLab, type CliParts, type GlobalOptions } from '../session.ts'
import { table } from '../table.ts'
import { progressOfJob } from './data.ts'

interface ZeroShotOptions extends GlobalOptions {
  readonly classes?: readonly string[]
  readonly template?: readonly string[]
  readonly batchSize: number
}

export function addZeroShotCommand(program: Command, parts: CliParts): void {
  program
    .command('zero-shot <model> <images>')
    .description('Classify a folder of images by class names, with a dual encoder (CLIP or SigLIP) from a Hugging Face folder')
    .option('--classes <names...>', 'class names; default: the names of the folders that hold the images')
    .option('--template <text...>', 'prompts with {} for the class name, averaged; default: "a photo of a {}."')
    .addOption(new Option('--batch-size <n>', 'images at a time').argParser(Number).default(16))
    .action(async (model: string, images: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<ZeroShotOptions>()
      const request = { kind: 'zero-shot', model: resolve(model), images: resolve(images), classes: options.classes ?? null, batchSize: options.batchSize }
      const job = parse(zeroShotJobSchema, options.template === undefined ? request : { ...request, templates: options.template }, 'invalid-input', 'zero-shot')
      await withLab(parts, options, 'none', async ({ lab, terminal, signal }) => {
        const { items, results } = await lab.zeroShot.classify(job, signal, progressOfJob(terminal, 'classifying'))
        terminal.json({ event: 'finished', items, results })
        const rows = items.map(({ itemId, detail }) => {
          const { given, probability, expected } = detail as { given: string; probability: number; expected: string | null }
          return [itemId, given, probability.toFixed(3), expected === null ? '' : expected === given ? '✓' : `✗ ${expected}`]
        })
        terminal.out(table([{ title: 'Image', align: 'left' }, { title: 'Class', align: 'left' }, { title: 'Probability', align: 'right' }, { title: '', align: 'left' }], rows))
        const share = (value: number) => (100 * value).toFixed(1)
        for (const { metric, value, n, interval } of results)
          terminal.out(`${metric === 'zero-shot/accuracy' ? 'accuracy' : 'mean over classes'}: ${share(value)} %${interval === undefined ? '' : ` (95 %: ${share(interval.low)} to ${share(interval.high)})`} of ${n} images`)
      })
    })
}
