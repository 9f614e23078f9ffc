// The keys of judging, which a person may change: what can be done by key, the keys it has until somebody says otherwise,
// and what makes a set of keys usable. Keys are named as the window names them: "x", " ", "ArrowLeft", "Ctrl+z".

import { z } from 'zod'

export const JUDGING_ACTIONS = ['a', 'b', 'tie', 'both-bad', 'skip', 'undo', 'reason', 'edit', 'flag', 'region', 'zoom', 'guidelines'] as const
export type JudgingAction = (typeof JUDGING_ACTIONS)[number]
export type JudgingKeys = Readonly<Record<JudgingAction, readonly string[]>>

export const DEFAULT_JUDGING_KEYS: JudgingKeys = {
  a: ['1', 'ArrowLeft'],
  b: ['2', 'ArrowRight'],
  tie: ['0', 'ArrowDown'],
  'both-bad': ['x'],
  skip: [' '],
  undo: ['Ctrl+z'],
  reason: ['r'],
  edit: ['e'],
  flag: ['f'],
  region: ['d'],
  zoom: ['z'],
  guidelines: ['g'],
}

/** One hand, the other hand, a pedal. */
export const MOST_KEYS = 3

/** A printed character (a letter in lower case), a key that moves or deletes, a function key, or Ctrl with a letter. */
const KEY = /^(?:[^\p{C}\p{Lu}]|Arrow(?:Left|Right|Up|Down)|Home|End|PageUp|PageDown|Insert|Delete|Backspace|F(?:[1-9]|1\d|2[0-4])|Ctrl\+[a-z])$/u

export function isKeyName(key: string): boolean {
  return KEY.test(key)
}

/** What a person changed; an action left out keeps its own keys. No key does two things. */
export const judgingKeyChangesSchema = z
  .partialRecord(z.enum(JUDGING_ACTIONS), z.array(z.string().regex(KEY, 'not the name of a key')).min(1).max(MOST_KEYS).readonly())
  .superRefine((changes, context) => {
    const holders = new Map<string, JudgingAction>()
    const keys = judgingKeys(changes)
    for (const action of JUDGING_ACTIONS)
      for (const key of keys[action]) {
        const holder = holders.get(key)
        if (holder !== undefined)
          context.addIssue({ code: 'custom', path: [action], message: `the key "${key}" belongs to "${holder}" already: give each action keys of its own` })
        holders.set(key, action)
      }
  })
export type JudgingKeyChanges = z.output<typeof judgingKeyChangesSchema>

export function judgingKeys(changes: JudgingKeyChanges): JudgingKeys {
  return { ...DEFAULT_JUDGING_KEYS, ...changes }
}

/** `changes` with the keys of one action; keys that an action has anyway are no change. */
export function withKeys(changes: JudgingKeyChanges, action: JudgingAction, keys: readonly string[]): JudgingKeyChanges {
  const { [action]: _, ...others } = changes
  const isDefault = keys.length === DEFAULT_JUDGING_KEYS[action].length && keys.every((key, i) => key === DEFAULT_JUDGING_KEYS[action][i])
  return isDefault ? others : { ...others, [action]: keys }
}

export function holderOf(keys: JudgingKeys, key: string): JudgingAction | null {
  return JUDGING_ACTIONS.find((action) => keys[action].includes(key)) ?? null
}
