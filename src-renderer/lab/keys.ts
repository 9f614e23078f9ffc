// Keys of the window. None of them acts while a text field has the focus, except those held with Ctrl.

import { onScopeDispose } from 'vue'

export type KeyMap = Readonly<Record<string, (event: KeyboardEvent) => void>>

/** Names are "Ctrl+k", "?", "ArrowLeft"; a handled key does nothing else. */
export function useKeys(keys: () => KeyMap): void {
  const listen = (event: KeyboardEvent) => {
    const isHeld = event.ctrlKey || event.metaKey
    if (event.altKey || (!isHeld && isTyping(event.target))) return
    const action = keys()[`${isHeld ? 'Ctrl+' : ''}${isHeld ? event.key.toLowerCase() : event.key}`]
    if (action === undefined || event.defaultPrevented) return
    event.preventDefault()
    action(event)
  }
  addEventListener('keydown', listen)
  onScopeDispose(() => removeEventListener('keydown', listen))
}

/** Widgets with keys of their own (a list, a slider, tabs, a menu) keep them as well. */
function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest('input, textarea, select, [contenteditable], [role="slider"], [role="listbox"], [role="menu"], [role="tablist"], [role="dialog"], [role="radiogroup"], [role="group"]') !== null
  )
}
