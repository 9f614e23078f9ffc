// The lab as a bench opens it: over a project of its own, with a runner in place of processes.

import { composeLab, type Lab } from '../../src-main/compose.ts'
import type { Runner } from '../../src-main/domain/job.ts'

/** Over all labs: one project may be opened several times. */
let ids = 0

export function openLab(project: string, runner: Runner, access: 'read' | 'write' = 'write'): Lab {
  return composeLab({
    project,
    access,
    program: 'the bench',
    presetFolder: project,
    runner,
    dataRunner: runner,
    diagnose: () => Promise.reject(new Error('the bench examines no machine')),
    now: Date.now,
    newId: (kind) => `${kind}-${++ids}`,
    announce: () => {},
  })
}
