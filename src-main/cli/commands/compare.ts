// `lab encoders`, `lab compare`: which encoder sees better, from what has been measured.

import { resolve } from 'node:path'
import { Option, type Command } from 'commander'
import { rowLabel, COMPARISON_FORMATS, METRIC_SCOPES, SLICINGS, type ComparedItems, type Comparison, type ComparisonFormat, type Slicing } from '../../domain/comparison.ts'
import type { EncoderRow } from '../../domain/encoder.ts'
import { LabError } from '../../domain/errors.ts'
import { formatDifference, formatInterval, formatPValue, formatValue } from '../../services/number-text.ts'
import { withLab, type CliParts, type GlobalOptions } from '../session.ts'
import { table } from '../table.ts'

const left = (title: string) => ({ title, align: 'left' }) as const
const right = (title: string) => ({ title, align: 'right' }) as const

interface CompareOptions extends GlobalOptions {
  readonly all?: boolean
  readonly reference?: string
  readonly items?: string
  readonly by: Slicing
  readonly format?: ComparisonFormat
  readonly out?: string
}

export function addCompareCommands(program: Command, parts: CliParts): void {
  const encoders = program
    .command('encoders')
    .description('List the encoders of the project: arms of studies, checkpoints of runs, folders that were brought in')
    .action(async (_: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals<GlobalOptions>(), 'read', async ({ lab, terminal }) => {
        const rows = lab.encoders.list()
        for (const row of rows) terminal.json(row)
        terminal.out(rows.length === 0 ? 'no encoders yet: run a study, or bring in a folder with lab encoders add' : encoderTable(rows))
      })
    })

  encoders
    .command('add <folder>')
    .description('Bring in a vision encoder, dual encoder or multimodal model from a Hugging Face folder')
    .option('--name <name>', 'what to call it; default: the name of the folder')
    .action(async (folder: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly name?: string }>()
      await withLab(parts, options, 'write', async ({ lab, terminal, signal }) => {
        const row = await lab.encoders.add(resolve(folder), options.name ?? null, signal)
        terminal.json({ event: 'added', encoder: row })
        terminal.out(`${row.id}  ${row.name}`)
      })
    })

  encoders
    .command('remove <encoder>')
    .description('Take a folder out of the list; its files and what was measured stay')
    .action(async (encoder: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals<GlobalOptions>(), 'write', async ({ lab }) => lab.encoders.remove(encoder))
    })

  program
    .command('compare <encoders...>')
    .description('Compare two to eight encoders over everything measured on them: values, intervals, paired tests, what would decide')
    .option('--all', 'every category and side count, not the headline numbers alone')
    .option('--reference <encoder>', 'compare the others with this one only; default: every pair')
    .option('--items <row>', 'show the items behind one row (a metric, or its id from --json), the second encoder’s gains first')
    .addOption(new Option('--by <slicing>', 'how --items are sliced').choices([...SLICINGS]).default('category'))
    .addOption(new Option('--format <format>', 'write a file too').choices([...COMPARISON_FORMATS]))
    .option('--out <file>', 'where --format writes; default: the exports of the project')
    .action(async (ids: readonly string[], _: unknown, command: Command) => {
      const options = command.optsWithGlobals<CompareOptions>()
      const request = { encoders: [...ids], scope: METRIC_SCOPES[options.all === true || options.items !== undefined ? 1 : 0], reference: options.reference ?? null }
      if (ids.length < 2 || ids.length > 8) command.error(`error: expected two to eight encoders, got ${ids.length}`)
      await withLab(parts, options, options.format === undefined ? 'read' : 'write', async ({ lab, terminal }) => {
        const comparison = lab.comparisons.table(request)
        if (options.items !== undefined) {
          const row = comparison.rows.find(({ id, metric }) => id === options.items || metric === options.items)
          if (row === undefined)
            throw new LabError('not-found', `--items: expected one of ${comparison.rows.map(({ metric }) => metric).join(', ') || 'the rows, of which there are none'}; found "${options.items}"`)
          const items = lab.comparisons.items({ encoders: [...ids], row: row.id, slicing: options.by, slice: null, order: 'gain', show: 'all', from: 0, limit: 20 })
          terminal.json({ event: 'items', row: row.id, ...items })
          return terminal.out(itemText(items, row.unit))
        }
        terminal.json({ event: 'comparison', ...comparison })
        terminal.out(comparisonText(comparison))
        if (options.format === undefined) return
        const { path } = await lab.comparisons.export(request, options.format, options.out === undefined ? null : resolve(options.out))
        terminal.json({ event: 'exported', path })
        terminal.out(path)
      })
    })
}

function encoderTable(rows: readonly EncoderRow[]): string {
  return table(
    [left('Encoder'), left('Name'), right('Seeds'), right('Numbers'), left('Weights'), left('Preprocessing')],
    rows.map(({ id, name, seeds, results, sha256, members, preprocessing, isAvailable }) => [
      id,
      name,
      seeds.join(' '),
      String(results),
      !isAvailable ? 'gone' : (sha256?.slice(0, 12) ?? `${members.length} checkpoints`),
      preprocessing?.join('; ') ?? '',
    ]),
  )
}

/** Values, then every pair that was tested, then the verdict. */
export function comparisonText({ encoders, rows, verdict, tests, confidence }: Comparison): string {
  const values = table(
    [left('Measure'), ...encoders.map(({ shortName }) => right(shortName))],
    rows.map((row) => [
      rowLabel(row, rows),
      ...row.cells.map((cell) => (cell === null ? '–' : `${formatValue(cell.value, row.unit)} ${formatInterval(cell.low, cell.high, row.unit)}${cell.isBest ? ' *' : cell.isTied ? ' =' : '  '}`)),
    ]),
  )
  const short = (id: string) => encoders.find((each) => each.id === id)!.shortName
  const pairs = table(
    [left('Measure'), left('Between'), right('Difference'), right(`${Math.round(100 * confidence)} % interval`), right('p'), right('p Holm'), left('Effect'), left('')],
    rows.flatMap((row) =>
      row.pairs.map((pair) => [
        rowLabel(row, rows),
        `${short(pair.b)} − ${short(pair.a)}`,
        formatDifference(pair.difference, row.unit),
        formatInterval(pair.low, pair.high, row.unit),
        formatPValue(pair.pValue),
        formatPValue(pair.holmPValue),
        pair.effects[0] === undefined ? '' : `${pair.effects[0].name} ${pair.effects[0].value.toFixed(2).replace('-', '−')}, ${pair.effects[0].size}`,
        pair.words,
      ]),
    ),
  )
  return [values, `* best; = not told apart from the best (Holm over ${tests} tests)`, '', pairs, '', ...verdict].join('\n')
}

function itemText({ items, total, slices, agreement }: ComparedItems, unit: Comparison['rows'][number]['unit']): string {
  const sliced = table(
    [left('Slice'), right('Items'), right('First'), right('Second'), right('Difference'), right('Interval'), right('p Holm')],
    slices.map(({ slice, n, values, difference, low, high, holmPValue }) => [slice, String(n), formatValue(values[0]!, unit), formatValue(values[1]!, unit), formatDifference(difference, unit), formatInterval(low, high, unit), formatPValue(holmPValue)]),
  )
  const list = table(
    [left('Item'), left('Slice'), right('Gain'), left('What was answered')],
    items.map(({ itemId, slice, gain, encoders }) => [itemId.slice(0, 16), slice ?? '', gain.toFixed(3), encoders.slice(0, 2).map(({ perSeed }) => answerOf(perSeed[0]?.detail)).join(' | ')]),
  )
  const counts = agreement === null ? [] : [`both right ${agreement.both}, only the first ${agreement.firstOnly}, only the second ${agreement.secondOnly}, neither ${agreement.neither}`]
  return [sliced, ...counts, '', `${items.length} of ${total} items`, list].join('\n')
}

function answerOf(detail: ComparedItems['items'][number]['encoders'][number]['perSeed'][number]['detail'] | undefined): string {
  const text = detail == null ? '' : detail.kind === 'benchmark' ? (detail.answers[0]?.given ?? '') : 'given' in detail ? detail.given : ''
  // What a model writes may be anything, and a terminal obeys control characters.
  return JSON.stringify(text.slice(0, 40))
}
