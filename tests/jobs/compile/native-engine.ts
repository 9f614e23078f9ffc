// Opens the native engine for tests. Where it is not installed, the tests that need it are skipped, with the reason printed.

import { openBackend } from '../../../src-main/jobs/backend/backend.ts'

/** Whether the native engine is open. */
export async function openNativeEngine(): Promise<boolean> {
  try {
    await openBackend('native')
    return true
  } catch (thrown) {
    console.warn(`tests of compiled steps are skipped: ${(thrown as Error).message}`)
    return false
  }
}
