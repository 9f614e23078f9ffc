// The LabError that a call throws, or that a promise rejects with: for tests that look at its details too.

import { LabError } from '../../src-main/domain/errors.ts'

export function faultOf(call: () => unknown): LabError {
  let value: unknown
  try {
    value = call()
  } catch (thrown) {
    return asFault(thrown)
  }
  throw new Error(`expected a LabError, got ${JSON.stringify(value)}`)
}

export async function faultOfPromise(promise: Promise<unknown>): Promise<LabError> {
  return promise.then((value) => {
    throw new Error(`expected a LabError, got ${JSON.stringify(value)}`)
  }, asFault)
}

function asFault(thrown: unknown): LabError {
  if (thrown instanceof LabError) return thrown
  throw thrown
}
