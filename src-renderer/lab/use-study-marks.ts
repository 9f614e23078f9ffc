// The marks of a study's three encoders, which are those that they have in every other room: the study's page asks for them, and
// what it shows finds them.

import { computed, inject, provide, type ComputedRef, type InjectionKey } from 'vue'
import { studyMarks, type StudyMarks } from '../ui/encoder-marks.ts'
import { useAnnouncement } from './use-announcements.ts'
import { useOperation } from './use-operation.ts'

const FIRST: StudyMarks = { 'stage-1': 0, sft: 1, dpo: 2 }
const key: InjectionKey<ComputedRef<StudyMarks>> = Symbol('marks of a study')

export function provideStudyMarks(studyId: () => string): ComputedRef<StudyMarks> {
  const list = useOperation('encoders.list', () => undefined)
  useAnnouncement('study.changed', (changed) => changed.studyId === studyId() && list.refresh())
  const marks = computed(() => (list.value.value === null ? FIRST : studyMarks(studyId(), list.value.value)))
  provide(key, marks)
  return marks
}

/** Outside of a study's page those of a project's first study. */
export function useStudyMarks(): ComputedRef<StudyMarks> {
  return inject(key, () => computed(() => FIRST), true)
}
