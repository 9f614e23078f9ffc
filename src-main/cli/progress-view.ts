// Progress on the terminal: a bar that is redrawn where there is a terminal, else a line now and then, else JSON.

import type { JobProgress } from '../domain/progress.ts'
import { formatDuration } from '../services/number-text.ts'
import type { Terminal } from './terminal.ts'

const BAR_CELLS = 20
/** Without a terminal: a line at most this often, unless something begins. */
const MIN_MS_BETWEEN_LINES = 15_000
const MIN_MS_BETWEEN_JSON = 1000

export interface ProgressView {
  show(progress: JobProgress): void
  clear(): void
}

export function createProgressView(terminal: Terminal, now: () => number = Date.now): ProgressView {
  let lastTitle = ''
  let lastMs = -Infinity
  return {
    show(progress) {
      if (terminal.isInteractive) return terminal.redraw(bar(progress))
      const isNew = progress.title !== lastTitle
      const pause = terminal.isJson ? MIN_MS_BETWEEN_JSON : MIN_MS_BETWEEN_LINES
      if (!isNew && now() - lastMs < pause) return
      lastTitle = progress.title
      lastMs = now()
      terminal.json({ event: 'progress', ...progress })
      terminal.note(line(progress))
    },
    clear: () => terminal.redraw(''),
  }
}

function bar(progress: JobProgress): string {
  const share = progress.of > 0 ? Math.min(1, progress.done / progress.of) : 0
  const cells = Math.round(share * BAR_CELLS)
  return `${'█'.repeat(cells)}${'░'.repeat(BAR_CELLS - cells)} ${line(progress)}`
}

function line(progress: JobProgress): string {
  const { title, part, done, of, share, leftMs, totalLeftMs } = progress
  const count = of > 0 ? `${Math.round(done)}/${Math.round(of)}` : ''
  const own = leftMs === null ? '' : `, ${formatDuration(leftMs)} left`
  const all =
    totalLeftMs === null
      ? `all ${Math.round(100 * share)} %`
      : `all ${Math.round(100 * share)} %, ${formatDuration(totalLeftMs)} left`
  return `${title}${part === '' || part === title ? '' : ` · ${part}`} ${count}${own} · ${all}`
}
