// What main answers: a value or a failure, never a rejection. Electron forwards only an error's message, so code and
// details would be lost on the way.

import type { Failure } from '../../src-main/domain/errors.ts'

export type Reply<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure }
