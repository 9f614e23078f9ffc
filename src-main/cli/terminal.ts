// Where the command line writes: results to standard output, progress and faults to standard error, so that a result can
// be piped. With --json everything is one JSON value a line on standard output.

export interface Terminal {
  readonly isJson: boolean
  /** Standard error is a terminal that a line can be redrawn on. */
  readonly isInteractive: boolean
  readonly columns: number
  /** A line of the result. */
  out(text: string): void
  /** A line about what is going on. */
  note(text: string): void
  /** Redraws the last line of standard error; '' removes it. */
  redraw(text: string): void
  /** One JSON value; nothing without --json. */
  json(value: unknown): void
}

export interface Streams {
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number }
}

export function createTerminal({ stdout, stderr }: Streams, isJson: boolean): Terminal {
  const isInteractive = stderr.isTTY === true && !isJson && process.env['TERM'] !== 'dumb'
  let isLineOpen = false
  const clear = () => {
    if (isLineOpen) stderr.write('\r\u001b[2K')
    isLineOpen = false
  }
  return {
    isJson,
    isInteractive,
    get columns() {
      return stderr.columns ?? 100
    },
    out(text) {
      clear()
      if (!isJson) stdout.write(`${text}\n`)
    },
    note(text) {
      clear()
      if (!isJson) stderr.write(`${text}\n`)
    },
    redraw(text) {
      if (!isInteractive) return
      clear()
      if (text === '') return
      stderr.write(text.slice(0, this.columns - 1))
      isLineOpen = true
    },
    json(value) {
      if (isJson) stdout.write(`${JSON.stringify(value)}\n`)
    },
  }
}
