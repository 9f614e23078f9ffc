// A step that fails names what to do next, and the right thing.

import { describe, expect, it } from 'vitest'
import { npmRemedy } from '../../resources/setup/node-packages.mjs'
import { manualRemedy } from '../../resources/setup/system-packages.mjs'
import { pipFault } from '../../resources/setup/tensorflow-libraries.mjs'
import { requirementsFile, tensorflowVariants } from '../../resources/setup/tensorflow-wheels.mjs'

describe('the remedy', () => {
  it('of a missing system package is one command where there is apt, and the names where there is not', () => {
    expect(manualRemedy(true, ['g++'])).toBe('sudo apt-get update && sudo apt-get install --yes --no-install-recommends g++')
    expect(manualRemedy(false, ['g++', 'xvfb'])).toMatch(/g\+\+ xvfb$/)
  })

  it.each([
    [{ missing: true, output: '' }, /install Node/],
    [{ missing: false, output: 'npm error code ENOSPC' }, /free/],
    [{ missing: false, output: 'package.json and package-lock.json are not in sync' }, /npm install/],
    [{ missing: false, output: 'ETIMEDOUT' }, /npm ping/],
  ])('of a failed npm ci answers its cause: %o', (npm, remedy) => {
    expect(npmRemedy(npm)).toMatch(remedy)
  })

  it('of a wheel with the wrong hash is never to try again elsewhere', () => {
    const fault = pipFault('ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.')
    expect(fault.message).toContain('pinned hash')
    expect(fault.remedy).toMatch(/^do not use it/)
  })

  it('of a failed pip download names the index or the disk', () => {
    expect(pipFault('Could not find a version that satisfies').remedy).toContain('PIP_INDEX_URL')
    expect(pipFault('[Errno 28] No space left on device').remedy).toContain('free some space')
  })
})

describe('every pinned wheel', () => {
  it('has a version and a SHA-256, so that pip refuses all others', () => {
    for (const { wheels } of Object.values(tensorflowVariants)) {
      for (const line of requirementsFile(wheels).trimEnd().split('\n'))
        expect(line).toMatch(/^[a-z0-9-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}$/)
    }
  })
})
