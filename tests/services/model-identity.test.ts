// Equal weights have one identity, whoever wrote them: the job that reads a folder and the service that asks for it agree.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { sha256 } from '../../src-main/jobs/files.ts'
import { weightsIdentity } from '../../src-main/services/model-identity.ts'
import { faultOfPromise } from '../support/fault-of.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

it('is the hash of the one file, of the shards’ hashes in order, and of a checkpoint what its record says', async () => {
  const folder = join(temporaryFolder(), 'model')
  mkdirSync(folder)
  expect((await faultOfPromise(weightsIdentity(folder))).message).toContain('expected a model folder with safetensors files')
  writeFileSync(join(folder, 'model-2.safetensors'), 'second')
  expect(await weightsIdentity(folder)).toBe(sha256('second'))
  writeFileSync(join(folder, 'model-1.safetensors'), 'first')
  expect(await weightsIdentity(folder)).toBe(sha256(sha256('first') + sha256('second')))
  writeFileSync(join(folder, 'lab.json'), JSON.stringify({ sha256: 'abc' }))
  expect(await weightsIdentity(folder)).toBe('abc')
  writeFileSync(join(folder, 'lab.json'), '{}')
  expect((await faultOfPromise(weightsIdentity(folder))).code).toBe('corrupt-artifact')
  writeFileSync(join(folder, 'lab.json'), '{"sha256": "ab')
  expect(await faultOfPromise(weightsIdentity(folder))).toMatchObject({ code: 'corrupt-artifact', message: expect.stringMatching(/lab\.json.*not JSON/) })
  rmSync(folder, { recursive: true })
  expect((await faultOfPromise(weightsIdentity(folder))).code).toBe('not-found')
})
