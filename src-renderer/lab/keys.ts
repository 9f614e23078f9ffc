// Keys of the window. A key goes by what it prints, because that is what stands on it and in the sheet of keys. Where that
// helps nobody its place on the keyboard counts: the digit row of a French keyboard without Shift, the letters of a Cyrillic
// one. Caps Lock changes no key, and none acts while a text field has the focus, except those held with Ctrl.

import { onScopeDispose } from 'vue'

export type KeyMap = Readonly<Record<string, (event: KeyboardEvent) => void>>

type Pressed = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey'> & Partial<Pick<KeyboardEvent, 'code' | 'shiftKey' | 'getModifierState'>>

/** What the key is called, "Ctrl+k", "?", "ArrowLeft": by what it prints, then, if it has one, by its place. */
export function namesOfKey(event: Pressed): readonly string[] {
  const { key, ctrlKey, metaKey, shiftKey } = event
  const held = ctrlKey || metaKey ? 'Ctrl+' : ''
  const isLocked = event.getModifierState?.('CapsLock') === true
  const plain = held !== '' ? lower(key) : isLocked ? (shiftKey ? upper(lower(key)) : lower(key)) : key
  const place = placeOf(event)
  return place === null || place === plain ? [held + plain] : [held + plain, held + place]
}

/** The name on a US keyboard, where the key prints no letter or digit of it. */
function placeOf({ key, code = '', shiftKey }: Pressed): string | null {
  if ([...key].length !== 1 || /^[a-z0-9]$/i.test(key)) return null
  const isForeign = /^\P{ASCII}$/u.test(key)
  const [, letter] = /^Key([A-Z])$/.exec(code) ?? []
  if (letter !== undefined) return isForeign ? letter.toLowerCase() : null
  if (shiftKey) return null
  const [, digit] = /^Digit(\d)$/.exec(code) ?? []
  return digit ?? (isForeign ? ({ BracketLeft: '[', BracketRight: ']' }[code] ?? null) : null)
}

// A capital that is several small letters ("İ") or the other way round stays as it is.
const lower = (key: string) => ([...key].length === 1 && key.toLowerCase().length === 1 ? key.toLowerCase() : key)
const upper = (key: string) => ([...key].length === 1 && key.toUpperCase().length === 1 ? key.toUpperCase() : key)

/** A handled key does nothing else. */
export function useKeys(keys: () => KeyMap): void {
  const listen = (event: KeyboardEvent) => {
    const isHeld = event.ctrlKey || event.metaKey
    // What an input method composes is text, and its keys are none.
    if (event.altKey || event.isComposing || event.key === 'Process' || (!isHeld && isTakenBy(event.target, event.key))) return
    const map = keys()
    const name = namesOfKey(event).find((each) => Object.hasOwn(map, each))
    if (name === undefined || event.defaultPrevented) return
    event.preventDefault()
    map[name]!(event)
  }
  addEventListener('keydown', listen)
  onScopeDispose(() => removeEventListener('keydown', listen))
}

const TEXT = 'textarea, select, [contenteditable], input:not([type="range"], [type="checkbox"]), [role="dialog"], [role="menu"]'
const WALKED = 'input[type="range"], [role="slider"], [role="listbox"], [role="tablist"], [role="group"], table'

const PRESSED = 'button, a, summary, [role="button"], [role="radio"]'

/**
 * A text field takes every key; what is walked through by arrows takes those and leaves the letters; what can be pressed
 * takes the keys that press it.
 */
function isTakenBy(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false
  if (/^( |Enter)$/.test(key) && target.closest(PRESSED) !== null) return true
  return target.closest(TEXT) !== null || (/^(Arrow|Home$|End$|Page)/.test(key) && target.closest(WALKED) !== null)
}
