import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_JUDGING_KEYS, JUDGING_ACTIONS, holderOf, judgingKeyChangesSchema, judgingKeys, withKeys, type JudgingKeyChanges } from '../../../src-main/domain/labelling/judging-keys.ts'
import { settingsChangeSchema, settingsSchema } from '../../../src-main/domain/settings.ts'
import { ACTION_WORDS, keyName, keysInWords, pressedKey, whyRefused } from '../../../src-renderer/rooms/labelling/key-words.ts'

const pressed = (key: string, held: { ctrlKey?: boolean; altKey?: boolean } = {}) => pressedKey({ key, ctrlKey: false, metaKey: false, altKey: false, ...held })

describe('the keys of judging', () => {
  it('are the first ones until somebody changes them, and again after a reset', () => {
    expect(judgingKeys(settingsSchema.parse({}).judgingKeys)).toEqual(DEFAULT_JUDGING_KEYS)
    const changes = withKeys({}, 'both-bad', ['b'])
    expect(judgingKeys(changes)).toEqual({ ...DEFAULT_JUDGING_KEYS, 'both-bad': ['b'] })
    expect(withKeys(changes, 'both-bad', ['x'])).toEqual({})
  })

  it('stay one for one action, whatever is pressed for whatever', () => {
    const anyKey = fc.oneof(fc.constantFrom(...JUDGING_ACTIONS.flatMap((action) => DEFAULT_JUDGING_KEYS[action]), 'j', 'Enter', 'F5', 'F13', 'Ctrl+u', 'É', '?', 'Dead'), fc.string({ maxLength: 2 }))
    const presses = fc.array(fc.tuple(fc.constantFrom(...JUDGING_ACTIONS), fc.nat(2), anyKey), { maxLength: 40 })
    fc.assert(
      fc.property(presses, (all) => {
        let changes: JudgingKeyChanges = {}
        for (const [action, index, key] of all) {
          const keys = judgingKeys(changes)
          if (whyRefused(keys, action, key) === null) changes = withKeys(changes, action, keys[action].toSpliced(index, 1, key))
          // What the dialog takes, the setting takes and a later start reads.
          expect(settingsChangeSchema.parse({ judgingKeys: changes }).judgingKeys).toEqual(changes)
          expect(settingsSchema.parse({ judgingKeys: changes }).judgingKeys).toEqual(changes)
        }
        const everyKey = JUDGING_ACTIONS.flatMap((action) => judgingKeys(changes)[action])
        expect(new Set(everyKey).size).toBe(everyKey.length)
      }),
      { numRuns: 200 },
    )
  })

  it('are refused as a setting where two actions share one, by the name of both', () => {
    const { error } = judgingKeyChangesSchema.safeParse({ flag: ['e'] })
    expect(error!.issues[0]!.message).toContain('"e" belongs to "edit"')
    // A stored set that cannot be used costs the keys, not the settings.
    expect(settingsSchema.parse({ labeller: 'Ada', judgingKeys: { flag: ['e'] } })).toMatchObject({ labeller: 'Ada', judgingKeys: {} })
    expect(judgingKeyChangesSchema.safeParse({ flag: [] }).success).toBe(false)
    expect(judgingKeyChangesSchema.safeParse({ flag: ['Enter'] }).success).toBe(false)
  })
})

describe('a key that is pressed for an action', () => {
  it('is told who has it', () => {
    expect(whyRefused(DEFAULT_JUDGING_KEYS, 'a', 'x')).toBe('X is “Both bad” already. Give that another key first, or press another one.')
    expect(whyRefused(DEFAULT_JUDGING_KEYS, 'a', '1')).toBe('1 does this already.')
    for (const action of JUDGING_ACTIONS)
      for (const key of DEFAULT_JUDGING_KEYS[action])
        for (const other of JUDGING_ACTIONS) if (!key.startsWith('Ctrl+')) expect(whyRefused(DEFAULT_JUDGING_KEYS, other, key)).toMatch(other === action ? /already\.$/ : ACTION_WORDS[action])
  })

  it('is free when its holder has been given another', () => {
    const keys = judgingKeys(withKeys({}, 'both-bad', ['q']))
    expect(whyRefused(keys, 'a', 'x')).toBeNull()
    expect(holderOf(keys, 'x')).toBeNull()
  })

  it('is not one that the whole window uses, and Ctrl is for taking back alone', () => {
    for (const key of ['?', 'Enter', 'Tab', 'F5', 'Ctrl+k', 'Ctrl+b', 'Ctrl+1', 'Ctrl+c', 'Dead', 'Unidentified'])
      expect(whyRefused(DEFAULT_JUDGING_KEYS, 'undo', key), key).not.toBeNull()
    expect(whyRefused(DEFAULT_JUDGING_KEYS, 'tie', 'Ctrl+u')).toContain('text fields')
    expect(whyRefused(DEFAULT_JUDGING_KEYS, 'undo', 'Ctrl+u')).toBeNull()
    expect(whyRefused(DEFAULT_JUDGING_KEYS, 'tie', 'F13')).toBeNull()
    expect(whyRefused(DEFAULT_JUDGING_KEYS, 'tie', 'j', true)).toContain('Alt')
  })

  it('has the name that the window listens for, and one to read', () => {
    expect(pressed('Shift')).toBeNull()
    expect(pressed('J')).toBe('j')
    expect(pressed('Z', { ctrlKey: true })).toBe('Ctrl+z')
    expect(keysInWords(['1', 'ArrowLeft', ' ', 'Ctrl+z', 'Delete', 'F13', 'é'])).toBe('1 ← Space Ctrl+Z Del F13 é')
    expect(keyName('x')).toBe('X')
  })
})
