// Weights as shapes and numbers alone, so that those read from a file compare with those in memory.

import type { NamedArrays } from '../../src-main/engine/weights/initial.ts'

export function plainArrays(arrays: NamedArrays): NamedArrays {
  return Object.fromEntries(Object.entries(arrays).map(([name, { shape, values }]) => [name, { shape, values }]))
}

/** The same for several modules. */
export function plainModules<Name extends string>(modules: Readonly<Record<Name, NamedArrays>>): Record<Name, NamedArrays> {
  return Object.fromEntries(Object.entries<NamedArrays>(modules).map(([name, arrays]) => [name, plainArrays(arrays)])) as Record<Name, NamedArrays>
}
