// What a refused call threw, as a LabError, so that a test can look at its code and never at its words.

import { LabError, type ErrorCode } from '../../src-main/domain/errors.ts'

/** The code of the LabError that `call` throws. Fails the test when it returns, or throws anything else. */
export function refusal(call: () => unknown): ErrorCode {
  let value: unknown
  try {
    value = call()
  } catch (thrown) {
    if (thrown instanceof LabError) return thrown.code
    throw thrown
  }
  throw new Error(`expected a refusal, got ${JSON.stringify(value)}`)
}
