// `lab parity`: whether the lab computes what the reference libraries computed, case by case. How a new model family, or this
// machine's engine, is checked.

import { resolve } from 'node:path'
import { Option, type Command } from 'commander'
import { BACKENDS, type BackendPreference } from '../../domain/device.ts'
import { LabError } from '../../domain/errors.ts'
import type { ParityReport } from '../../domain/parity.ts'
import { withLab, type CliParts, type GlobalOptions } from '../session.ts'

export function addParityCommand(program: Command, parts: CliParts): void {
  program
    .command('parity <folder>')
    .description('Compare the lab with reference cases: folders of case.json, safetensors and, where there is one, a model')
    .addOption(new Option('--backend <backend>', 'compute on this engine').choices([...BACKENDS]).default('auto'))
    .action(async (folder: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly backend: BackendPreference }>()
      await withLab(parts, options, 'none', async ({ lab, terminal, signal }) => {
        const reports = await lab.parity.compare(resolve(folder), options.backend, signal, (event) => {
          if (event.kind === 'device') terminal.note(`on ${event.engine}, ${event.device}`)
          if (event.kind !== 'parity') return
          terminal.json(event.report)
          for (const line of linesOf(event.report)) terminal.out(line)
        })
        const passed = reports.filter((report) => report.passed).length
        terminal.json({ passed, failed: reports.length - passed })
        terminal.out(`${passed} of ${reports.length} cases agree`)
        if (passed < reports.length) throw new LabError('invalid-input', `${reports.length - passed} of ${reports.length} reference cases do not agree: see ✗ above`)
      })
    })
}

/** One line a case; under a failed one, what was beyond its limit and where. */
function linesOf({ name, passed, groups, fault }: ParityReport): readonly string[] {
  const worst = groups.map((group) => `${group.name} ${difference(group.worst)}`).join(', ')
  const line = `${passed ? '✓' : '✗'} ${name}  ${worst}`
  if (passed) return [line]
  const beyond = groups
    .filter((group) => group.worst === null || group.worst > group.limit)
    .map((group) => `    ${group.name}: ${difference(group.worst)} at ${group.at}, limit ${difference(group.limit)}`)
  return [line, ...beyond, ...(fault === null ? [] : [`    ${fault}`])]
}

function difference(value: number | null): string {
  if (value === null) return 'not comparable'
  return value === 0 ? '0' : value.toExponential(1)
}
