// What an error means to the person and what to do next, per code. The message of the error itself (which field, which
// file, which step) stands below it; here are only the words that hold for every error of the code.

import type { ErrorCode } from '../../src-main/domain/errors.ts'

export interface ErrorCopy {
  readonly title: string
  readonly next: string
}

export const errorCopy = {
  'invalid-input': {
    title: 'Something in the input cannot be used',
    next: 'Change the field or file named below and try again.',
  },
  'not-found': {
    title: 'This is not there any more',
    next: 'It may have been deleted or moved. Choose another, or bring it back to the place named below.',
  },
  conflict: { title: 'This cannot be done in the present state', next: 'The reason is below. Nothing was changed.' },
  cancelled: { title: 'Cancelled', next: 'What was measured up to here is kept; resuming continues from the last checkpoint.' },
  'out-of-memory': {
    title: 'There is not enough memory',
    next: 'Lower the setting named below, then resume: the last checkpoint is kept.',
  },
  'out-of-disk': { title: 'The disk is full', next: 'Free space, then resume: the last checkpoint is kept.' },
  'loss-not-finite': {
    title: 'The loss stopped being a number',
    next: 'Training stopped before the weights were touched. A lower learning rate is the usual cure; look at the item below too.',
  },
  'corrupt-artifact': {
    title: 'A file of the lab cannot be read back',
    next: 'It was damaged or changed from outside. Make it again from the run that wrote it.',
  },
  'engine-missing': { title: 'No engine could be opened', next: 'The Doctor shows what is missing and how to get it.' },
  'process-died': {
    title: 'The process that did the work ended without an answer',
    next: 'Its last checkpoint is kept: resume continues from there. The log may say why.',
  },
  internal: { title: 'This is a fault of Pivot Lab itself', next: 'Your data is safe. Copy the details below into a report.' },
} as const satisfies Record<ErrorCode, ErrorCopy>
