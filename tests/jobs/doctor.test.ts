// What the doctor concludes from what it finds. A line is fine without a remedy, or not fine with one.

import { describe, expect, it } from 'vitest'
import { doctorReportSchema } from '../../src-main/domain/doctor-report.ts'
import type { BackendInfo } from '../../src-main/jobs/backend/backend.ts'
import {
  cudaCheck,
  deviceCheck,
  diagnose,
  engineCheck,
  stepsCheck,
  freeSpaceCheck,
  memoryCheck,
  nodeCheck,
} from '../../src-main/jobs/doctor.ts'

const native: BackendInfo = {
  kind: 'native',
  engine: 'TensorFlow 2.21.0',
  device: 'a processor',
  gpu: false,
  threads: 2,
  why: null,
}
const wasm: BackendInfo = { ...native, kind: 'wasm', engine: 'TensorFlow.js on WebAssembly', why: 'the addon is absent' }
const card = 'NVIDIA X, 24576 MiB, 550.54'

describe('the doctor', () => {
  it('answers for this machine in the words of the contract, every remedy exactly where something is wrong', async () => {
    const others = [{ id: 'sqlite', title: 'SQLite', state: 'ok' as const, found: '3', remedy: null }]
    const report = doctorReportSchema.parse(await diagnose({ folder: '/a/folder/that/is/not/there/yet', others }))
    expect(report.checks.map(({ id }) => id)).toEqual([
      'engine',
      'steps',
      'device',
      'cuda',
      'memory',
      'disk',
      'node',
      'electron',
      'artwork',
      'sqlite',
    ])
    for (const check of report.checks) expect(check.remedy === null, check.id).toBe(check.state === 'ok')
    expect(report.healthy).toBe(report.checks.every(({ state }) => state !== 'fault'))
  })

  it('is not healthy when what the caller found is a fault', async () => {
    const others = [{ id: 'sqlite', title: 'SQLite', state: 'fault' as const, found: 'no addon', remedy: 'npm ci' }]
    expect((await diagnose({ folder: '/', others })).healthy).toBe(false)
  })

  it('says why the engine is WebAssembly, and that none is a fault', () => {
    expect(engineCheck(native).state).toBe('ok')
    expect(engineCheck(wasm)).toMatchObject({ state: 'warning', found: expect.stringContaining('the addon is absent') })
    expect(engineCheck(new Error('no backend'))).toMatchObject({ state: 'fault', found: 'no backend' })
  })

  it('says how steps run, why they do not compile, and recommends bfloat16 where the processor or a card has it', () => {
    const xla = { mode: 'xla', warnings: [] } as const
    expect(stepsCheck(native, xla, 'fpu avx2')).toMatchObject({ state: 'ok', found: expect.stringMatching(/by XLA.*keep precision float32/) })
    expect(stepsCheck(native, xla, 'fpu avx512_bf16 amx_bf16').found).toMatch(/AMX.*worth a try/)
    // A flag is a word: a processor without the instruction must not be taken for one with it.
    expect(stepsCheck(native, xla, 'avx512_bf16x').found).toMatch(/keep precision float32/)
    expect(stepsCheck({ ...native, gpu: true }, xla, '').found).toMatch(/the card multiplies bfloat16/)
    expect(stepsCheck(native, { mode: 'eager', warnings: ['no such operator.'] }, '')).toMatchObject({
      state: 'warning',
      found: expect.stringContaining('no such operator'),
    })
    expect(stepsCheck(wasm, { mode: 'eager', warnings: [] }, '').state).toBe('ok')
  })

  it('points at a GPU that lies idle, and only then', () => {
    expect(deviceCheck(native, []).state).toBe('ok')
    expect(deviceCheck(native, [card])).toMatchObject({ state: 'warning', remedy: expect.stringContaining('setup:gpu') })
    expect(deviceCheck({ ...native, gpu: true, device: 'NVIDIA X' }, [card])).toMatchObject({
      state: 'ok',
      found: 'GPU: NVIDIA X',
    })
  })

  it('asks for CUDA libraries of the GPU engine alone, and names those missing', () => {
    expect(cudaCheck(null, []).state).toBe('ok')
    expect(cudaCheck({ variant: 'cpu', libraries: null }, [card]).state).toBe('warning')
    const withOnly = (names: readonly string[]) => cudaCheck({ variant: 'gpu', libraries: null }, [card], () => new Set(names))
    expect(withOnly(['libcudnn.so.9'])).toMatchObject({ state: 'fault', remedy: expect.stringContaining('driver') })
    expect(withOnly(['libcudnn.so.9']).found).not.toContain('libcudnn')
    expect(withOnly(['libcuda.so.1']).remedy).toContain('setup:gpu')
  })

  it('warns below 4 GB of memory and 5 GB of disk, and stops below 1 GB of disk', () => {
    expect([memoryCheck(4e9, 8e9), memoryCheck(3.9e9, 8e9)].map(({ state }) => state)).toEqual(['ok', 'warning'])
    expect([5e9, 4.9e9, 0.9e9].map((free) => freeSpaceCheck(free, '/').state)).toEqual(['ok', 'warning', 'fault'])
  })

  it('refuses a Node on which the SQLite addon dies', () => {
    expect(nodeCheck('24.21.0', undefined)).toMatchObject({ state: 'ok', found: '24.21.0' })
    expect(nodeCheck('24.15.0', '42.0.0').found).toContain('Electron 42.0.0')
    expect(nodeCheck('20.20.2', undefined).state).toBe('fault')
  })
})
