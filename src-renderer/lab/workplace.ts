// What the whole window shares: the lists of studies, runs and datasets, the person's settings, and how far the work
// under way has come. One instance a window, made by App and found by every room.

import { computed, inject, provide, shallowRef, watchEffect, type InjectionKey } from 'vue'
import { judgingKeys as keysWith, type JudgingKeyChanges } from '../../src-main/domain/labelling/judging-keys.ts'
import type { JobProgress } from '../../src-main/domain/progress.ts'
import { ask } from './client.ts'
import { useAnnouncement } from './use-announcements.ts'
import { useOperation } from './use-operation.ts'

export type Workplace = ReturnType<typeof createWorkplace>
const key: InjectionKey<Workplace> = Symbol('workplace')

function createWorkplace() {
  const project = useOperation('project.info', () => undefined)
  const studies = useOperation('studies.list', () => undefined)
  const runs = useOperation('runs.list', () => undefined)
  const datasets = useOperation('datasets.list', () => undefined)
  const settings = useOperation('settings.get', () => undefined)
  /** The last word of the work under way. It only moves bars; what is under way is said by the lists. */
  const progress = shallowRef<JobProgress | null>(null)

  useAnnouncement('study.changed', () => (studies.refresh(), runs.refresh()))
  useAnnouncement('run.changed', () => runs.refresh())
  useAnnouncement('dataset.changed', () => datasets.refresh())
  useAnnouncement('job.progress', (value) => (progress.value = value))

  /** Those that left a model; others have curves alone. */
  const trainedRuns = computed(() => (runs.value.value ?? []).filter(({ origin, step }) => origin === null && step > 0))

  const runningStudy = computed(() => studies.value.value?.find((study) => study.status === 'running') ?? null)
  const runningRun = computed(() => runs.value.value?.find((run) => run.status === 'running') ?? null)

  /** The work under way: from the database, refined by the last announcement about the same work. */
  const underWay = computed((): JobProgress | null => {
    const study = runningStudy.value
    const run = runningRun.value
    const last = progress.value
    if (study !== null) {
      if (last?.studyId === study.id) return last
      return {
        studyId: study.id,
        runId: run?.id ?? null,
        phaseId: run?.phaseId ?? null,
        title: study.name,
        part: run?.progress?.part ?? '',
        done: run?.progress?.done ?? 0,
        of: run?.progress?.of ?? 0,
        elapsedMs: study.workedMs,
        leftMs: run?.leftMs ?? null,
        share: study.share,
        totalLeftMs: study.leftMs,
      }
    }
    if (run === null) return null
    if (last?.runId === run.id) return last
    return {
      studyId: null,
      runId: run.id,
      phaseId: null,
      title: run.name,
      part: run.progress?.part ?? '',
      done: run.progress?.done ?? run.step,
      of: run.progress?.of ?? run.steps,
      elapsedMs: run.workedMs,
      leftMs: run.leftMs,
      share: run.steps > 0 ? run.step / run.steps : 0,
      totalLeftMs: run.leftMs,
    }
  })

  watchEffect(() => {
    const theme = settings.value.value?.theme
    if (theme === undefined) return
    if (theme === 'system') delete document.documentElement.dataset['scheme']
    else document.documentElement.dataset['scheme'] = theme
  })

  async function setTheme(theme: 'system' | 'light' | 'dark') {
    settings.value.value = await ask('settings.set', { theme })
  }

  const judgingKeys = computed(() => keysWith(settings.value.value?.judgingKeys ?? {}))

  async function setJudgingKeys(judgingKeys: JudgingKeyChanges) {
    settings.value.value = await ask('settings.set', { judgingKeys })
  }

  /** The run whose values others are shown as differences to; null: none. */
  async function setBaseline(baselineRun: string | null) {
    settings.value.value = await ask('settings.set', { baselineRun })
  }

  return { project, studies, runs, trainedRuns, datasets, settings, progress, runningStudy, runningRun, underWay, setTheme, setBaseline, judgingKeys, setJudgingKeys }
}

export function provideWorkplace(): Workplace {
  const workplace = createWorkplace()
  provide(key, workplace)
  return workplace
}

export function useWorkplace(): Workplace {
  const workplace = inject(key)
  if (workplace === undefined) throw new Error('useWorkplace is called outside App')
  return workplace
}
