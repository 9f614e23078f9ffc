// Keys of the window. None of them acts while a text field has the focus, except those held with Ctrl.

import { onScopeDispose } from 'vue'

export type KeyMap = Readonly<Record<string, (event: KeyboardEvent) => void>>

/** Names are "Ctrl+k", "?", "ArrowLeft"; a handled key does nothing else. */
export function useKeys(keys: () => KeyMap): void {
  const listen = (event: KeyboardEvent) => {
    const isHeld = event.ctrlKey || event.metaKey
    if (event.altKey || (!isHeld && isTakenBy(event.target, event.key))) return
    const action = keys()[`${isHeld ? 'Ctrl+' : ''}${isHeld ? event.key.toLowerCase() : event.key}`]
    if (action === undefined || event.defaultPrevented) return
    event.preventDefault()
    action(event)
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
