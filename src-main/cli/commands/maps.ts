// `lab maps`, `lab map-scores`: where encoders look in one picture, and whether that is where it is decided over a set.

import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Option, type Command } from 'commander'
import { LabError } from '../../domain/errors.ts'
import { parse } from '../../domain/parse.ts'
import { MAP_METHOD_WORDS, MAP_METHODS, MAP_TARGETS, mapsRequestSchema, type Maps, type MapMethod, type MapTarget, type PatchClasses } from '../../domain/patch-maps.ts'
import { withLab, type CliParts, type GlobalOptions } from '../session.ts'
import { collectSetting, withSettings } from '../settings-from-text.ts'
import { table } from '../table.ts'
import { progressOfJob } from './data.ts'
import { comparisonText } from './compare.ts'
import { asEncoders, experiment } from './experiment.ts'

interface MapsOptions extends GlobalOptions {
  readonly sample?: number
  readonly item?: string
  readonly image?: string
  readonly question?: string
  readonly answer?: string
  readonly rejected?: string
  readonly methods?: readonly MapMethod[]
  readonly target?: MapTarget
  readonly token?: number
  readonly everyToken?: boolean
  readonly at?: string
  readonly masks?: string
  readonly output?: string
}

export function addMapsCommand(program: Command, parts: CliParts): void {
  program
    .command('maps <encoders...>')
    .description('Where up to eight encoders look in one picture, and what moves their answer: one number a patch, method by method')
    .option('--sample <row>', 'a sample of the project, by its row', Number)
    .option('--item <id>', 'an item behind a measured number')
    .option('--image <sha256>', 'a picture of the project, with --question, --answer and --rejected')
    .option('--question <text>', 'what is asked about --image')
    .option('--answer <text>', 'the answer whose log-probability is mapped')
    .option('--rejected <text>', 'a second answer: maps then show what decides between the two')
    .addOption(new Option('--methods <names...>', MAP_METHODS.map((each) => `${each}: ${MAP_METHOD_WORDS[each].shows}`).join(' ')).choices([...MAP_METHODS]))
    .addOption(new Option('--target <target>', 'which log-probability').choices([...MAP_TARGETS]))
    .option('--token <index>', 'the token that --target token means, from 0', Number)
    .option('--every-token', 'gradient maps of every token of the answer')
    .option('--at <x,y>', 'the patch that similarity compares with, as shares of the picture: 0.5,0.25')
    .option('--masks <dataset>', 'objects with masks that the probe of segmentation learns from')
    .option('--output <file>', 'write all numbers as JSON')
    .action(async (models: readonly string[], _: unknown, command: Command) => {
      const options = command.optsWithGlobals<MapsOptions>()
      await withLab(parts, options, 'write', async (session) => {
        const { lab, terminal, signal } = session
        const request = parse(mapsRequestSchema, { encoders: await asEncoders(session, models), item: itemOf(options), settings: settingsOf(options) }, 'invalid-input', 'maps')
        const maps = await lab.patchMaps.of(request, signal, progressOfJob(terminal, 'mapping'))
        terminal.json({ event: 'maps', ...maps })
        if (options.output !== undefined) await writeFile(resolve(options.output), JSON.stringify(maps))
        terminal.out(mapTable(maps))
        for (const { encoder, method, reason } of maps.missing) terminal.note(`${encoder}: no ${MAP_METHOD_WORDS[method].label}: ${reason}`)
      })
    })
}

interface MapScoresOptions extends GlobalOptions {
  readonly dataset: string
  readonly set?: readonly string[]
}

export function addMapScoresCommand(program: Command, parts: CliParts): void {
  program
    .command('map-scores <encoders...>')
    .description('Whether the maps of up to eight encoders lie on the regions that decide, over a whole dataset, with intervals')
    .requiredOption('--dataset <name>', 'preferences or questions with regions, or objects with masks or boxes')
    .option('--set <key=value>', 'methods, target, split, limit or seed, e.g. --set limit=200 (repeatable)', collectSetting)
    .action(async (models: readonly string[], _: unknown, command: Command) => {
      const options = command.optsWithGlobals<MapScoresOptions>()
      await withLab(parts, options, 'write', async (session) => {
        const request = { kind: 'map-scores', encoders: await asEncoders(session, models), dataset: options.dataset, settings: withSettings({}, options.set ?? []) }
        const { taskId } = await experiment(session, 'map-scores', request)
        session.terminal.out(comparisonText(session.lab.experiments.table(taskId)))
      })
    })
}

function itemOf({ sample, item, image, question, answer, rejected }: MapsOptions): unknown {
  if (sample !== undefined) return { kind: 'sample', row: sample }
  if (item !== undefined) return { kind: 'item', itemId: item }
  if (image === undefined) throw new LabError('invalid-input', 'expected --sample, --item or --image: say which picture')
  return { kind: 'image', sha256: image, prompt: question ?? null, chosen: answer ?? null, rejected: rejected ?? null }
}

function settingsOf({ methods, target, token, everyToken, at, masks }: MapsOptions): unknown {
  const [x, y] = (at ?? '').split(',').map(Number)
  return { methods, target, token, everyToken, at: at === undefined ? undefined : { x, y }, segmentation: masks === undefined ? null : { dataset: masks } }
}

function mapTable({ layers }: Maps): string {
  const number = (value: number | null | undefined) => (value === null || value === undefined ? '–' : value.toPrecision(3))
  const left = (title: string) => ({ title, align: 'left' }) as const
  const right = (title: string) => ({ title, align: 'right' }) as const
  return table(
    [left('Model'), left('Map'), left('Of'), right('Least'), right('Most'), right('Energy'), right('Pointing'), right('AUROC'), left('Evidence'), left('')],
    layers.map(({ encoder, method, target, token, low, high, scores, classes, note }) => [
      encoder.length > 28 ? `…${encoder.slice(-27)}` : encoder,
      MAP_METHOD_WORDS[method].label,
      token === null ? (target ?? '') : `token ${token.index} ${JSON.stringify(token.text)}`,
      number(low),
      number(high),
      number(scores?.energyRatio),
      number(scores?.pointing),
      number(scores?.auroc),
      MAP_METHOD_WORDS[method].evidence,
      [classes === null ? null : classesText(classes), note].filter((each) => each !== null).join('; '),
    ]),
  )
}

function classesText({ scores, probe }: PatchClasses): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  const here = scores === null ? '' : `${percent(scores.accuracy)} of the patches named rightly, mean IoU ${percent(scores.meanIou)}; `
  return `${here}over ${probe.testedOn} test pictures ${percent(probe.accuracy)} and ${percent(probe.meanIou)}`
}
