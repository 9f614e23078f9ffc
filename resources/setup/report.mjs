// What set-up says, and how it fails: every step is announced, timed, and ends well or with a cause and a remedy.
// Speaks on standard error only, so that a command's own output stays clean for pipes.

/** A set-up step that could not be done: why, and the one thing to do about it. */
export class SetupFault extends Error {
  /**
   * @param {string} cause what was expected and what was found
   * @param {string} remedy what the reader should do next, a command where there is one
   */
  constructor(cause, remedy) {
    super(cause)
    this.name = 'SetupFault'
    this.remedy = remedy
  }
}

export function say(text) {
  process.stderr.write(`${text}\n`)
}

export function sayFault(title, fault) {
  if (!(fault instanceof SetupFault)) return say(`✗ ${title}: ${fault.stack ?? fault}`)
  say(`✗ ${title}: ${fault.message}`)
  say(`  remedy: ${fault.remedy}`)
}

/** Runs `work` between an announcement and its duration. Lets a fault pass, for the caller to decide. */
export async function step(title, work) {
  const startedAt = performance.now()
  say(`• ${title}`)
  const result = await work()
  say(`  done in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  return result
}
