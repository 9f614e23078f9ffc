// `lab demo`: the whole experiment on built-in data, from nothing to a report.

import { InvalidArgumentError, type Command } from 'commander'
import type { Session } from '../session.ts'
import { withLab, type CliParts } from '../session.ts'
import { followStudy } from '../study-progress.ts'
import { tellResults } from './study.ts'

interface DemoOptions {
  readonly project?: string
  readonly json?: boolean
  readonly quick?: boolean
  readonly seeds?: number
  readonly keep?: boolean
}

export function addDemoCommand(program: Command, parts: CliParts): void {
  program
    .command('demo')
    .description('Run the whole experiment on built-in data: sight test, stage 1, SFT and DPO, measurements, report')
    .option('--quick', 'everything in a few minutes: smaller, fewer seeds; a demonstration, not evidence')
    .option('--seeds <n>', 'how many times the study is repeated', atLeastOne)
    .option('--keep', 'leave an unfinished demo as it is and start another; otherwise it is resumed')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<DemoOptions>()
      await withLab(parts, options, 'write', (session) => demo(session, options))
    })
}

async function demo(session: Session, { quick, seeds, keep }: DemoOptions): Promise<void> {
  const { lab, terminal } = session
  const name = quick === true ? 'demo-quick' : 'demo'
  const preset = lab.presets.get(name)
  terminal.note(`${preset.title}\n${preset.expect}\nproject folder: ${lab.project}`)
  const wanted = seeds === undefined ? preset.config.seeds : Array.from({ length: seeds }, (_, seed) => seed)
  const unfinished = lab.studies
    .list()
    .find((study) => study.preset === name && study.status !== 'finished' && study.seeds.join() === wanted.join())
  let studyId: string
  if (unfinished !== undefined && keep !== true) {
    studyId = unfinished.id
    terminal.note(`resuming ${studyId}: ${unfinished.phasesDone} of ${unfinished.phases} phases are done (--keep: start another)`)
    lab.studies.resume(studyId)
  } else studyId = lab.studies.start({ kind: 'preset', preset: name, seeds: wanted }).studyId
  await followStudy(session, studyId)
  await tellResults(session, studyId)
}

function atLeastOne(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1 || count > 32) throw new InvalidArgumentError('expected a whole number from 1 to 32')
  return count
}
