// The marks of a study's three encoders, which are those that they have in every other room: the study's page asks for them, and
// what it shows finds them.

import { computed, inject, provide, type ComputedRef, type InjectionKey } from 'vue'
import { armId, nextColour } from '../../src-main/domain/encoder.ts'
import { ENCODERS, type EncoderName } from '../../src-main/domain/study.ts'
import { useAnnouncement } from './use-announcements.ts'
import { useOperation } from './use-operation.ts'

/** Indices of ui/encoder-marks.ts. */
export type StudyMarks = Readonly<Record<EncoderName, number>>
const FIRST: StudyMarks = { 'stage-1': 0, sft: 1, dpo: 2 }
const key: InjectionKey<ComputedRef<StudyMarks>> = Symbol('marks of a study')

/** An arm has its mark with its first checkpoint; until then it is shown with the one that it will be given. */
export function studyMarks(studyId: string, known: readonly { readonly id: string; readonly colour: number }[]): StudyMarks {
  const taken = new Set(known.map(({ colour }) => colour))
  const markOf = (arm: EncoderName) => known.find(({ id }) => id === armId(studyId, arm))?.colour ?? nextColour(arm, taken)
  return Object.fromEntries(ENCODERS.map((arm) => [arm, markOf(arm)])) as Record<EncoderName, number>
}

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
