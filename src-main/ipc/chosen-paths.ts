// What the person has chosen in main's own dialogs or dropped on the window: the only paths that the window may name.

import { LabError } from '../domain/errors.ts'

export type ChosenPaths = ReturnType<typeof createChosenPaths>

export function createChosenPaths() {
  const chosen = new Set<string>()
  return {
    /** null stays null: a dialog was closed. */
    remember(path: string | null): { readonly path: string } | null {
      if (path !== null) chosen.add(path)
      return path === null ? null : { path }
    },
    /** @throws LabError 'invalid-input' */
    assert(path: string): void {
      if (!chosen.has(path))
        throw new LabError('invalid-input', `${path} was not chosen in a dialog of the lab: choose it there`, { path })
    },
  }
}
