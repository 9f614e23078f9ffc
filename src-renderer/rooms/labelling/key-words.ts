// Keys of judging in words: how a key is drawn, what it does, and why one cannot be given.

import { holderOf, isKeyName, type JudgingAction, type JudgingKeys } from '../../../src-main/domain/labelling/judging-keys.ts'
import { namesOfKey } from '../../lab/keys.ts'

export const ACTION_WORDS: Readonly<Record<JudgingAction, string>> = {
  a: 'A is better',
  b: 'B is better',
  tie: 'Tie',
  'both-bad': 'Both bad',
  skip: 'Skip, come back later',
  undo: 'Take back, as often as you like',
  reason: 'Reason',
  edit: 'Edit',
  flag: 'Flag',
  region: 'Draw the region',
  zoom: 'Zoom',
  guidelines: 'Guidelines',
}

const DRAWN: Readonly<Record<string, string>> = {
  ' ': 'Space',
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
  PageUp: 'PgUp',
  PageDown: 'PgDn',
  Insert: 'Ins',
  Delete: 'Del',
}

export function keyName(key: string): string {
  if (key.startsWith('Ctrl+')) return `Ctrl+${key.slice(5).toUpperCase()}`
  return DRAWN[key] ?? (/^[a-z]$/.test(key) ? key.toUpperCase() : key)
}

/** The name of the key that was pressed, as `useKeys` names it; null while only Shift, Ctrl and their like are held. */
export function pressedKey(event: Parameters<typeof namesOfKey>[0]): string | null {
  if (['Shift', 'Control', 'Alt', 'AltGraph', 'Meta', 'CapsLock', 'NumLock', 'ScrollLock', 'Fn'].includes(event.key)) return null
  const name = namesOfKey(event)[0]!
  return /^\p{Lu}$/u.test(name) ? name.toLowerCase() : name
}

/** Why `action` cannot have the key, in words; null: it can. */
export function whyRefused(keys: JudgingKeys, action: JudgingAction, key: string, isAltHeld = false): string | null {
  const name = keyName(key)
  if (isAltHeld) return 'Keys held with Alt belong to the system. Press the key alone.'
  if (key === '?') return '? shows the sheet of keys everywhere. Press another key.'
  if (['Enter', 'Tab', 'Ctrl+Enter'].includes(key)) return `${name} presses or walks through buttons everywhere. Press another key.`
  if (key.startsWith('Ctrl+') && action !== 'undo') return 'Keys held with Ctrl act in text fields too, so only taking back may have one. Press the key alone.'
  // Of the window (App), of its menu, and of text fields.
  if (/^Ctrl\+([abckqrvwxym]|\W|\d)$/.test(key)) return `${name} means something everywhere in the window. Press another key.`
  if (/^F(5|11|12)$/.test(key)) return `${name} belongs to the window. Press another key.`
  if (!isKeyName(key)) return 'That key has no name that this window can rely on. Press another one.'
  const holder = holderOf(keys, key)
  if (holder === action) return `${name} does this already.`
  if (holder !== null) return `${name} is “${ACTION_WORDS[holder]}” already. Give that another key first, or press another one.`
  return null
}

/** Keys of an action as the sheet of keys lists them, apart by a space. */
export function keysInWords(keys: readonly string[]): string {
  return keys.map(keyName).join(' ')
}
