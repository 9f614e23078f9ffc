// What the built-in sight test consists of on disk: which files hold the data of each role in a study. Files of one role
// may be imported under one name; their rows say by split what is trained on and what is held out.

import type { ImportOptions } from './import-event.ts'
import type { DataRole } from './study.ts'

interface SightTestFile {
  /** Relative to the sight test's folder. */
  readonly path: string
  readonly options: ImportOptions
}

const file = (path: string, options: ImportOptions): SightTestFile => ({ path, options })
const pairs = [file('preferences.jsonl', { kind: 'preferences' }), file('preferences-heldout.jsonl', { kind: 'preferences' })]

export const SIGHT_TEST_FILES = {
  /** The folder appears whole or not at all; this file in it says so. */
  complete: 'README.md',
  roles: {
    texts: [file('texts.json', { kind: 'conversations' })],
    captions: [file('captions.json', { kind: 'conversations' }), file('captions-heldout.json', { kind: 'conversations' })],
    instructions: [file('instructions.json', { kind: 'conversations' })],
    preferences: pairs,
    heldOutPreferences: pairs,
    questions: [file('questions.jsonl', { kind: 'questions' }), file('questions-validation.jsonl', { kind: 'questions' })],
    objects: [file('objects.json', { kind: 'objects' })],
  } satisfies Record<DataRole, readonly SightTestFile[]>,
}
