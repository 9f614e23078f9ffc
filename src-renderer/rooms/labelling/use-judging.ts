// One labeller at one queue: the item shown and those ahead of it, the draft of a judgement, the clock of an item, and
// what the keys do. The next item is taken from main's answer to the judgement, which leaves main when it is stored; its
// image has been fetched and decoded long before.

import { computed, markRaw, onScopeDispose, ref, shallowRef, watch } from 'vue'
import type { Choice, Judgement, Side } from '../../../src-main/domain/labelling/judgement.ts'
import type { LabellerProgress, ShownItem, Upcoming } from '../../../src-main/domain/labelling/queue.ts'
import type { Region } from '../../../src-main/domain/sample.ts'
import { ask } from '../../lab/client.ts'
import { useAction } from '../../lab/use-operation.ts'

/** Items kept ready: a fast labeller is no faster than the disk then. */
const AHEAD = 8

export interface Draft {
  edit: { side: Side; text: string } | null
  flagged: boolean
  tags: string[]
  note: string
  region: Region
}

export function imageAddress(sha256: string): string {
  return `lab-image://sha/${sha256}`
}

export function useJudging(queueId: string, labeller: () => string) {
  const action = useAction()
  const items = shallowRef<readonly ShownItem[]>([])
  const progress = shallowRef<LabellerProgress | null>(null)
  const showsSkipped = ref(false)
  const draft = ref<Draft>(emptyDraft(null))
  /** What the last key did, for the eye and for a reader of the screen. */
  const last = shallowRef<{ readonly choice: Choice | 'undo'; readonly ordinal: number } | null>(null)
  const item = computed(() => items.value[0] ?? null)
  const clock = useClock()
  const ready = new Map<string, HTMLImageElement>()

  function show(next: Upcoming, first: ShownItem | null = null) {
    items.value = first === null ? next.items : [first, ...next.items.filter(({ ordinal }) => ordinal !== first.ordinal)]
    progress.value = next.progress
    for (const { image } of items.value) if (image !== null) prefetch(image.sha256)
    for (const sha256 of [...ready.keys()].slice(0, -4 * AHEAD)) ready.delete(sha256)
    draft.value = emptyDraft(items.value[0]?.earlier ?? null)
    clock.restart()
  }

  function prefetch(sha256: string) {
    if (ready.has(sha256)) return
    const image = new Image()
    image.src = imageAddress(sha256)
    // A picture that cannot be read is told where it is shown.
    image.decode().catch(() => {})
    ready.set(sha256, image)
  }

  async function begin() {
    if (labeller() === '') return
    const next = await action.act(() => ask('labelling.upcoming', { queueId, labeller: labeller(), count: AHEAD, skipped: showsSkipped.value }))
    if (next !== undefined) show(next)
  }

  /** Keys that come while one is being stored are dropped: nobody has seen what they would be about. */
  async function judge(choice: Choice, strength: number | null = null) {
    const now = item.value
    if (now === null || action.pending.value) return
    const judgement = {
      queueId,
      ordinal: now.ordinal,
      labeller: labeller(),
      choice,
      strength,
      ...draft.value,
      edit: draft.value.edit === null || draft.value.edit.text.trim() === '' ? null : draft.value.edit,
      seconds: clock.seconds(),
    }
    const next = await action.act(() => ask('labelling.judge', { judgement, count: AHEAD, skipped: showsSkipped.value }))
    if (next === undefined) return
    last.value = { choice, ordinal: now.ordinal }
    show(next)
  }

  async function undo() {
    if (action.pending.value || labeller() === '') return
    const answer = await action.act(() => ask('labelling.undo', { queueId, labeller: labeller(), count: AHEAD }))
    if (answer === undefined) return
    if (answer.item !== null) last.value = { choice: 'undo', ordinal: answer.item.ordinal }
    show(answer.upcoming, answer.item)
  }

  watch([labeller, showsSkipped], () => void begin(), { immediate: true })
  return { item, items, progress, draft, last, showsSkipped, judge, undo, begin, error: action.error, pending: action.pending }
}

function emptyDraft(earlier: Judgement | null): Draft {
  return {
    edit: earlier?.edit ?? null,
    flagged: earlier?.flagged ?? false,
    tags: [...(earlier?.tags ?? [])],
    note: earlier?.note ?? '',
    // A mask holds thousands of numbers: nothing watches them one by one.
    region: markRaw([...(earlier?.region ?? [])]),
  }
}

/** Seconds for which the item has been in front of somebody: the clock stands while the window is not. */
function useClock() {
  let spentMs = 0
  let since: number | null = performance.now()
  const pause = () => {
    if (since !== null) spentMs += performance.now() - since
    since = null
  }
  const go = () => (since ??= performance.now())
  const follow = () => (document.hidden ? pause() : go())
  addEventListener('blur', pause)
  addEventListener('focus', go)
  document.addEventListener('visibilitychange', follow)
  onScopeDispose(() => {
    removeEventListener('blur', pause)
    removeEventListener('focus', go)
    document.removeEventListener('visibilitychange', follow)
  })
  return {
    restart() {
      spentMs = 0
      if (since !== null) since = performance.now()
    },
    seconds: () => Math.min(86_400, (spentMs + (since === null ? 0 : performance.now() - since)) / 1000),
  }
}
