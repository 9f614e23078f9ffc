// A question kept answered: value, error and pending as refs. The latest asking wins; an answer that comes late to an
// older question is dropped. While a new answer is awaited the old one stays, so that nothing on the page jumps.

import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef } from 'vue'
import { LabError, toFailure, fromFailure } from '../../src-main/domain/errors.ts'
import type { OperationName, Output, Question } from '../../src-preload/contract/operations.ts'
import { ask, type Asked } from './client.ts'

/** Between two askings of the same question, however many nudges arrive. */
const SPACING_MS = 300

export interface Answered<Name extends OperationName> {
  readonly value: ShallowRef<Output<Name> | null>
  readonly error: ShallowRef<LabError | null>
  /** True until the first answer to the present question. */
  readonly pending: Ref<boolean>
  /** Asks again soon; calls in quick succession are one asking. */
  readonly refresh: () => void
}

/** `input` null: nothing is asked, and value is null. */
export function useOperation<Name extends OperationName>(name: Name, input: () => Question<Name> | null): Answered<Name> {
  const value: ShallowRef<Output<Name> | null> = shallowRef(null)
  const error = shallowRef<LabError | null>(null)
  const pending = ref(true)
  let asking = 0
  let asked: number | null = null
  let timer: ReturnType<typeof setTimeout> | null = null

  async function askNow() {
    timer = null
    const question = input()
    if (question === null) return
    asked = Date.now()
    const turn = ++asking
    try {
      const answer = await ask(name, ...([question] as unknown as Asked<Name>))
      if (turn !== asking) return
      value.value = answer
      error.value = null
    } catch (thrown) {
      if (turn !== asking) return
      error.value = toLabError(thrown)
    }
    pending.value = false
  }

  function refresh() {
    if (timer !== null) return
    timer = setTimeout(() => void askNow(), asked === null ? 0 : Math.max(0, asked + SPACING_MS - Date.now()))
  }

  watch(
    () => JSON.stringify(input()),
    () => {
      asking++
      value.value = null
      error.value = null
      pending.value = input() !== null
      if (timer !== null) clearTimeout(timer)
      void askNow()
    },
    { immediate: true },
  )
  onScopeDispose(() => {
    asking++
    if (timer !== null) clearTimeout(timer)
  })
  return { value, error, pending, refresh }
}

/** Something the person asks to be done: `act` runs it and keeps its failure for an ErrorNotice. */
export function useAction() {
  const error = shallowRef<LabError | null>(null)
  const pending = ref(false)
  async function act<T>(work: () => Promise<T>): Promise<T | undefined> {
    pending.value = true
    error.value = null
    try {
      return await work()
    } catch (thrown) {
      error.value = toLabError(thrown)
      return undefined
    } finally {
      pending.value = false
    }
  }
  return { act, error, pending }
}

function toLabError(thrown: unknown): LabError {
  return thrown instanceof LabError ? thrown : fromFailure(toFailure(thrown))
}
