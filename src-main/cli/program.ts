// The command line as a whole: its verbs, and what an ending means to the shell: 0 done, 1 failed, 2 used wrongly,
// 130 stopped on request.

import { Command, CommanderError } from 'commander'
import { toFailure } from '../domain/errors.ts'
import { addCurationCommands } from './commands/curate.ts'
import { addCheckExportCommand, addCheckpointCommands, addRecipeCommands } from './commands/checkpoint.ts'
import { addCompareCommands } from './commands/compare.ts'
import { addDataCommands } from './commands/data.ts'
import { addDemoCommand } from './commands/demo.ts'
import { addDoctorCommand } from './commands/doctor.ts'
import { addMapsCommand, addMapScoresCommand } from './commands/maps.ts'
import { addMicroscopeCommand } from './commands/microscope.ts'
import { addModelCommands } from './commands/model.ts'
import { addParityCommand } from './commands/parity.ts'
import { addLabelCommand } from './commands/label.ts'
import { addRepresentationCommand } from './commands/representation.ts'
import { addProbeCommand } from './commands/probe.ts'
import { addRunCommands } from './commands/run.ts'
import { addStudyCommand } from './commands/study.ts'
import { addSweepCommand } from './commands/sweep.ts'
import { addTransplantCommand } from './commands/transplant.ts'
import { addZeroShotCommand } from './commands/zero-shot.ts'
import type { CliParts } from './session.ts'

export const EXIT = { done: 0, failed: 1, usage: 2, cancelled: 130 } as const

export function createProgram(parts: CliParts): Command {
  const { stdout, stderr } = parts.streams
  const program = new Command('lab')
    .description(
      'Pivot Lab: train a small multimodal model, post-train it by SFT and DPO, and measure which vision encoder sees better.',
    )
    .version(parts.version)
    .option('--project <folder>', 'project folder; default: $PIVOT_LAB_PROJECT, else pivot-lab in the home folder')
    .option('--json', 'machine output: one JSON value a line')
    .option('--debug', 'show the stack of a fault')
    .showHelpAfterError('(lab --help shows what there is)')
    .configureOutput({ writeOut: (text) => void stdout.write(text), writeErr: (text) => void stderr.write(text) })
    .exitOverride()
  addDemoCommand(program, parts)
  addStudyCommand(program, parts)
  addRunCommands(program, parts)
  addCheckpointCommands(program, parts)
  addCheckExportCommand(program, parts)
  addRecipeCommands(program, parts)
  addCompareCommands(program, parts)
  addDataCommands(program, parts)
  addLabelCommand(program, parts)
  addCurationCommands(program, parts)
  addModelCommands(program, parts)
  addMapsCommand(program, parts)
  addMapScoresCommand(program, parts)
  addMicroscopeCommand(program, parts)
  addSweepCommand(program, parts)
  addTransplantCommand(program, parts)
  addRepresentationCommand(program, parts)
  addParityCommand(program, parts)
  addProbeCommand(program, parts)
  addZeroShotCommand(program, parts)
  addDoctorCommand(program, parts)
  everyCommand(program, (command) => command.exitOverride().configureOutput(program.configureOutput()))
  return program
}

/** Runs one command line. Total: every ending is an exit code. */
export async function runCli(args: readonly string[], parts: CliParts): Promise<number> {
  const program = createProgram(parts)
  const isAsked = (flag: string) => args.includes(flag)
  try {
    await program.parseAsync([...args], { from: 'user' })
    return EXIT.done
  } catch (thrown) {
    // Commander has said what is wrong; help and version are no faults.
    if (thrown instanceof CommanderError)
      return thrown.exitCode === 0 || thrown.code === 'commander.help' ? EXIT.done : EXIT.usage
    const failure = toFailure(thrown)
    if (isAsked('--json')) parts.streams.stdout.write(`${JSON.stringify({ event: 'failed', failure })}\n`)
    else parts.streams.stderr.write(`${failure.code === 'cancelled' ? '' : `${failure.code}: `}${failure.message}\n`)
    if (isAsked('--debug')) parts.streams.stderr.write(`${(thrown as Error).stack ?? ''}\n`)
    return failure.code === 'cancelled' ? EXIT.cancelled : EXIT.failed
  }
}

export function everyCommand(command: Command, visit: (command: Command) => void): void {
  visit(command)
  for (const each of command.commands) everyCommand(each, visit)
}
