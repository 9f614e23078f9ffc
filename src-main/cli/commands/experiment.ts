// An experiment on the command line: started as a task, followed to its end, its finding given back. Ctrl-C pauses it;
// `lab tasks --resume <id>` takes it up again.

import { resolve } from 'node:path'
import { experimentRequestSchema, type ExperimentKind, type ExperimentResultOf } from '../../domain/experiment.ts'
import { LabError } from '../../domain/errors.ts'
import { parse } from '../../domain/parse.ts'
import type { Session } from '../session.ts'
import { showTasks } from './data.ts'

/** An encoder's or a run's id stays; anything else is a path from here. */
export function asEncoder({ lab }: Pick<Session, 'lab'>, named: string): string {
  return [...lab.encoders.list(), ...lab.runs.list()].some(({ id }) => id === named) ? named : resolve(named)
}

/** @throws LabError 'invalid-input' for a request that is none, 'cancelled' when it was paused, or the task's own fault */
export async function experiment<K extends ExperimentKind>(session: Session, kind: K, request: unknown): Promise<ExperimentResultOf<K>> {
  const { lab, terminal, signal } = session
  showTasks(session)
  const { taskId } = lab.experiments.start(parse(experimentRequestSchema, request, 'invalid-input', kind))
  const { result } = await lab.tasks.ended(taskId, signal)
  if (result?.kind !== kind) throw new LabError('internal', `${kind}: the task ended without a finding`)
  terminal.json({ event: 'finished', taskId, ...result })
  return result as ExperimentResultOf<K>
}
