// An experiment on the command line: started as a task, followed to its end, its finding given back. Ctrl-C pauses it;
// `lab tasks --resume <id>` takes it up again.

import { resolve } from 'node:path'
import { experimentRequestSchema, type ExperimentKind, type ExperimentResultOf } from '../../domain/experiment.ts'
import { LabError } from '../../domain/errors.ts'
import { parse } from '../../domain/parse.ts'
import type { Session } from '../session.ts'
import { showTasks } from './data.ts'

/** An encoder's or a run's id stays; a folder is brought into the list of encoders. @throws LabError when it holds none */
export async function asEncoder({ lab, signal }: Pick<Session, 'lab' | 'signal'>, named: string): Promise<string> {
  if ([...lab.encoders.list(), ...lab.runs.list()].some(({ id }) => id === named)) return named
  return lab.encoders.idOf(named) ?? (await lab.encoders.add(resolve(named), null, signal)).id
}

export async function asEncoders(session: Session, named: readonly string[]): Promise<readonly string[]> {
  const ids: string[] = []
  for (const each of named) ids.push(await asEncoder(session, each))
  return ids
}

/** @throws LabError 'invalid-input' for a request that is none, 'cancelled' when it was paused, or the task's own fault */
export async function experiment<K extends ExperimentKind>(session: Session, kind: K, request: unknown): Promise<{ readonly taskId: string; readonly result: ExperimentResultOf<K> }> {
  const { lab, terminal, signal } = session
  showTasks(session)
  const { taskId } = lab.experiments.start(parse(experimentRequestSchema, request, 'invalid-input', kind))
  const { result } = await lab.tasks.ended(taskId, signal)
  if (result?.kind !== kind) throw new LabError('internal', `${kind}: the task ended without a finding`)
  terminal.json({ event: 'finished', taskId, ...result })
  return { taskId, result: result as ExperimentResultOf<K> }
}
