// A run: one training. Which status may follow which, in one table.

import { LabError } from './errors.ts'

export const RUN_STATUSES = ['queued', 'running', 'paused', 'finished', 'cancelled', 'failed'] as const
export type RunStatus = (typeof RUN_STATUSES)[number]

/** `paused` and `failed` keep their checkpoints and may be queued again: resuming continues bit-exactly. */
const MAY_FOLLOW: Readonly<Record<RunStatus, readonly RunStatus[]>> = {
  queued: ['running', 'cancelled', 'failed'],
  running: ['paused', 'finished', 'cancelled', 'failed'],
  paused: ['queued', 'running', 'cancelled'],
  failed: ['queued', 'running'],
  cancelled: ['queued', 'running'],
  finished: [],
}

/** @throws LabError 'conflict' naming both and what would be possible */
export function assertMayFollow(from: RunStatus, to: RunStatus): void {
  if (!MAY_FOLLOW[from].includes(to))
    throw new LabError('conflict', `a ${from} run cannot become ${to}; possible: ${MAY_FOLLOW[from].join(', ') || 'nothing'}`, { from, to })
}
