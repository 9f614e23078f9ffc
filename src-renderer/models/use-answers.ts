// Questions to models with their answers, newest first. The list is asked once; an answer that changes is asked by itself, one
// question at a time, so that a growing answer costs no more than its own tokens.

import { computed, shallowRef, type ComputedRef } from 'vue'
import type { AnswerView } from '../../src-main/domain/model-view.ts'
import { ask } from '../lab/client.ts'
import { useAnnouncement } from '../lab/use-announcements.ts'
import { useOperation } from '../lab/use-operation.ts'

export interface Answers {
  readonly answers: ComputedRef<readonly AnswerView[]>
  readonly error: ReturnType<typeof useOperation<'models.answers'>>['error']
  /** Asks for one answer anew. */
  readonly refresh: (answerId: string) => void
}

export const isUnderWay = ({ status }: Pick<AnswerView, 'status'>): boolean => status === 'waiting' || status === 'answering'

/** @param model  a run's id or a folder; null: of all models */
export function useAnswers(model: () => string | null): Answers {
  const list = useOperation('models.answers', () => ({ model: model() }))
  const changed = shallowRef<ReadonlyMap<string, AnswerView>>(new Map())
  /** Asked for, and whether to ask once more when that comes back. */
  const asking = new Map<string, { again: boolean }>()

  function refresh(answerId: string): void {
    const before = asking.get(answerId)
    if (before !== undefined) return void (before.again = true)
    const state = { again: false }
    asking.set(answerId, state)
    void ask('models.answer', { answerId })
      .then((answer) => {
        changed.value = new Map(changed.value).set(answerId, answer)
        if (!list.value.value?.some(({ id }) => id === answerId) && (model() === null || answer.model === model())) list.refresh()
      })
      // It was deleted.
      .catch(list.refresh)
      .finally(() => {
        asking.delete(answerId)
        if (state.again) refresh(answerId)
      })
  }
  useAnnouncement('answer.changed', ({ answerId }) => refresh(answerId))

  return {
    answers: computed(() => (list.value.value ?? []).map((answer) => changed.value.get(answer.id) ?? answer)),
    error: list.error,
    refresh,
  }
}
