// Lengths of time in words. Time left is said coarsely and never to a precision that the estimate does not have.

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** How long something took: "0.8 s", "42 s", "3 min 05 s", "2 h 14 min", "3 d 4 h". */
export function duration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return '–'
  if (ms < 9_950) return `${(ms / SECOND).toFixed(1)} s`
  if (ms < MINUTE - 500) return `${Math.round(ms / SECOND)} s`
  if (ms < HOUR - 500) {
    const seconds = Math.round(ms / SECOND)
    return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
  }
  const minutes = Math.round(ms / MINUTE)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
  const hours = Math.round(ms / HOUR)
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** For a narrow cell: "0.4 s", "42 s", "3:05", "2:14 h". */
export function shortDuration(ms: number): string {
  if (ms < 9_950) return `${(ms / SECOND).toFixed(1)} s`
  const seconds = Math.round(ms / SECOND)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
  const minutes = Math.round(ms / MINUTE)
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')} h`
}

/** An estimate: "less than 10 s left", "about 40 s left", "about 12 min left", "about 2 h 10 min left". */
export function timeLeft(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms) || ms < 0) return 'measuring pace'
  if (ms < 10 * SECOND) return 'less than 10 s left'
  if (ms < 90 * SECOND) return `about ${Math.round(ms / (10 * SECOND)) * 10} s left`
  if (ms < 10 * MINUTE) return `about ${Math.round(ms / MINUTE)} min left`
  if (ms < HOUR) return `about ${Math.round(ms / MINUTE)} min left`
  if (ms < DAY) {
    const minutes = Math.round(ms / (5 * MINUTE)) * 5
    return minutes % 60 === 0 ? `about ${minutes / 60} h left` : `about ${Math.floor(minutes / 60)} h ${minutes % 60} min left`
  }
  const hours = Math.round(ms / HOUR)
  return `about ${Math.floor(hours / 24)} d ${hours % 24} h left`
}

/** "today 14:03", "12 Nov 14:03", "12 Nov 2024". */
export function moment(atMs: number, nowMs: number): string {
  const at = new Date(atMs)
  const now = new Date(nowMs)
  const clock = `${String(at.getHours()).padStart(2, '0')}:${String(at.getMinutes()).padStart(2, '0')}`
  if (at.toDateString() === now.toDateString()) return `today ${clock}`
  const day = `${at.getDate()} ${MONTHS[at.getMonth()]}`
  return at.getFullYear() === now.getFullYear() ? `${day} ${clock}` : `${day} ${at.getFullYear()}`
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
