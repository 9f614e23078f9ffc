// The choice of an engine where the native one cannot be had. Every test of an engine has a file, and so a process, of its own.

import * as tf from '@tensorflow/tfjs'
import { describe, expect, it } from 'vitest'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { openNativeBackend } from '../../../src-main/jobs/backend/native-backend.ts'

const absent = () => {
  throw new Error(
    'The Node.js native addon module (tfjs_binding.node) can not be found at path: /lab/tfjs_binding.node. \nPlease run …',
  )
}

describe('asking for the native engine where there is none', () => {
  it('says what is missing and what to do', async () => {
    const refusal = openNativeBackend(absent)
    await expect(refusal).rejects.toMatchObject({ code: 'engine-missing' })
    await expect(refusal).rejects.toThrow(/tfjs_binding\.node\) can not be found at path: .*\. Run `npm run setup`/)
  })

  it('names a library that the addon needs', async () => {
    const unlinked = () => {
      throw new Error('libtensorflow_cc.so.2: cannot open shared object file: No such file or directory')
    }
    await expect(openNativeBackend(unlinked)).rejects.toThrow(
      /libtensorflow_cc\.so\.2: cannot open shared object file.*npm run setup/,
    )
  })

  it('leaves the process free to open another engine', async () => {
    await expect(openBackend('native', { loadAddon: absent })).rejects.toMatchObject({ code: 'engine-missing' })
    // The next test opens one.
  })
})

describe('auto where there is no native engine', () => {
  it('opens WebAssembly and says why', async () => {
    const info = await openBackend('auto', { loadAddon: absent, threads: 2 })
    expect(info).toMatchObject({ kind: 'wasm', gpu: false, threads: 2 })
    expect(info.engine).toMatch(/^TensorFlow\.js \d+\.\d+\.\d+ on WebAssembly/)
    expect(info.device).not.toBe('')
    expect(info.why).toMatch(/can not be found at path.*npm run setup/)
    expect(tf.getBackend()).toBe('wasm')
  })

  it('gives the same engine when asked again, and refuses to change it', async () => {
    const first = await openBackend('auto')
    expect(await openBackend('wasm')).toBe(first)
    await expect(openBackend('native')).rejects.toMatchObject({ code: 'conflict' })
    await expect(openBackend('cpu')).rejects.toMatchObject({ code: 'conflict' })
  })
})
