// Answers one question of the window: parse, handle, wrap.

import { LabError, toFailure } from '../domain/errors.ts'
import { parse } from '../domain/parse.ts'
import { operations, type Handlers, type OperationName } from '../../src-preload/contract/operations.ts'
import type { Reply } from '../../src-preload/contract/reply.ts'

/** Total: it resolves for every input and every fault. */
export async function answer(handlers: Handlers, name: unknown, input: unknown): Promise<Reply<unknown>> {
  try {
    if (typeof name !== 'string' || !Object.hasOwn(operations, name))
      throw new LabError('internal', `unknown operation '${String(name)}'`)
    const operation = name as OperationName
    const parsed = parse(operations[operation].input, input, 'invalid-input', operation)
    const handle = handlers[operation] as (input: unknown) => unknown
    return { ok: true, value: await handle(parsed) }
  } catch (thrown) {
    return { ok: false, failure: toFailure(thrown) }
  }
}
