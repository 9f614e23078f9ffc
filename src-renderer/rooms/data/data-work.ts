// Long work on data as the whole room sees it: what is under way, paused or broken off, and what ended while one watched.
// Files that were chosen or dropped wait here for their turn in the import dialog.

import { computed, inject, provide, ref, shallowRef, watch, type InjectionKey } from 'vue'
import type { DataTaskRow } from '../../../src-main/domain/data-task.ts'
import { ask, pathOfDropped } from '../../lab/client.ts'
import { useAnnouncement } from '../../lab/use-announcements.ts'
import { moment } from '../../ui/duration.ts'
import { useAction, useOperation } from '../../lab/use-operation.ts'

const FILES = ['json', 'jsonl', 'csv', 'tsv', 'parquet', 'tar']

/** Other tasks measure models and are told of in other rooms. */
const KINDS = ['import', 'check', 'map', 'export'] as const

export type DataWork = ReturnType<typeof createDataWork>
const key: InjectionKey<DataWork> = Symbol('data work')

function createDataWork() {
  const tasks = useOperation('tasks.list', () => ({ limit: 300 }))
  useAnnouncement('task.changed', () => tasks.refresh())
  const all = computed((): readonly DataTaskRow[] => (tasks.value.value ?? []).filter(({ request }) => (KINDS as readonly string[]).includes(request.kind)))
  /** Seen under way, or begun, since the window was opened: how they ended is told until it is put away. */
  const followed = shallowRef<ReadonlySet<string>>(new Set())
  const putAway = shallowRef<ReadonlySet<string>>(new Set())
  watch(all, (rows) => follow(...rows.filter(isUnderWay).map(({ id }) => id)))

  function follow(...ids: readonly string[]) {
    if (ids.some((id) => !followed.value.has(id))) followed.value = new Set([...followed.value, ...ids])
  }
  const shown = computed(() =>
    all.value.filter(
      (task) =>
        isUnderWay(task) ||
        (!putAway.value.has(task.id) && (task.status === 'paused' || task.status === 'failed' || (task.status === 'finished' && followed.value.has(task.id)))),
    ),
  )

  const choosing = useAction()
  const waiting = ref<readonly string[]>([])
  async function chooseFile() {
    const chosen = await choosing.act(() => ask('files.chooseFile', { title: 'Import a data file', extensions: FILES }))
    if (chosen) waiting.value = [chosen.path]
  }
  async function chooseFolder() {
    const chosen = await choosing.act(() => ask('files.chooseFolder', { title: 'Import a data folder' }))
    if (chosen) waiting.value = [chosen.path]
  }
  async function take(files: readonly File[]) {
    const paths = await choosing.act(() => Promise.all(files.map(pathOfDropped)))
    waiting.value = (paths ?? []).filter((path) => path !== null)
  }

  return {
    all,
    shown,
    error: tasks.error,
    choosing,
    /** Paths that wait to be shown in the import dialog, the next one first. */
    waiting,
    chooseFile,
    chooseFolder,
    take,
    /** A task was begun here: its end is told. */
    begun(taskId: string) {
      follow(taskId)
      tasks.refresh()
    },
    putAway(taskId: string) {
      putAway.value = new Set([...putAway.value, taskId])
    },
    refresh: tasks.refresh,
  }
}

export const isUnderWay = ({ status }: Pick<DataTaskRow, 'status'>): boolean => status === 'queued' || status === 'running'

/** "UMAP · seed-2-dpo/step-75 · today 18:59". */
export function mapName({ request, createdAtMs }: DataTaskRow): string {
  if (request.kind !== 'map') return ''
  return `${request.method.toUpperCase()} · ${request.checkpoint.split(/[\\/]/).slice(-2).join('/')} · ${moment(createdAtMs, Date.now())}`
}

export function provideDataWork(): DataWork {
  const work = createDataWork()
  provide(key, work)
  return work
}

export function useDataWork(): DataWork {
  const work = inject(key)
  if (work === undefined) throw new Error('useDataWork is called outside the Data room')
  return work
}
