// `lab doctor`: what this machine offers the lab and what it lacks, with the remedy beside each fault.

import type { Command } from 'commander'
import { LabError } from '../../domain/errors.ts'
import { withLab, type CliParts } from '../session.ts'

const MARKS = { ok: '✓', warning: '!', fault: '✗' } as const

export function addDoctorCommand(program: Command, parts: CliParts): void {
  program
    .command('doctor')
    .description('Examine engine, device, CUDA, memory, database and Electron')
    .action(async (_: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'none', async ({ lab, terminal }) => {
        const report = await lab.doctor()
        terminal.json(report)
        const width = Math.max(...report.checks.map(({ title }) => title.length))
        for (const { title, state, found, remedy } of report.checks) {
          terminal.out(`${MARKS[state]} ${title.padEnd(width)}  ${found}`)
          if (remedy !== null) terminal.out(`  ${' '.repeat(width)}  → ${remedy}`)
        }
        if (!report.healthy) throw new LabError('engine-missing', 'the lab cannot work here as it is: see ✗ above')
      })
    })
}
