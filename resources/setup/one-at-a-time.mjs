// One set-up at a time for a user: two commands started together must not both fill the same folders.
// The holder touches its lock while it works; a lock that nobody touches any more is a dead one and is taken over.

import { mkdirSync, openSync, closeSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cacheFolder } from './places.mjs'
import { SetupFault, say } from './report.mjs'

const beatMs = 2_000
const deadAfterMs = 30_000

export async function oneAtATime(work, folder = cacheFolder()) {
  const lockFile = join(folder, 'set-up.lock')
  makeFolder(folder)
  let told = false
  while (!take(lockFile)) {
    if (isDead(lockFile)) rmSync(lockFile, { force: true })
    else {
      if (!told) say('• another set-up is under way; waiting for it')
      told = true
      await sleep(300)
    }
  }
  const beat = setInterval(() => utimesSync(lockFile, new Date(), new Date()), beatMs)
  const release = () => rmSync(lockFile, { force: true })
  process.once('exit', release)
  try {
    return await work()
  } finally {
    clearInterval(beat)
    process.off('exit', release)
    release()
  }
}

function makeFolder(folder) {
  try {
    mkdirSync(folder, { recursive: true })
  } catch (error) {
    throw new SetupFault(
      `the cache folder ${folder} cannot be made (${error.message})`,
      'make it writable, or name another place: XDG_CACHE_HOME=/some/writable/folder',
    )
  }
}

function take(lockFile) {
  try {
    const file = openSync(lockFile, 'wx')
    writeFileSync(file, `${process.pid}\n`)
    closeSync(file)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw new SetupFault(
      `the lock ${lockFile} cannot be written (${error.message})`,
      'make its folder writable, or name another place: XDG_CACHE_HOME=/some/writable/folder',
    )
  }
}

function isDead(lockFile) {
  const age = Date.now() - (statSync(lockFile, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
  return age > deadAfterMs
}
