// A training job in a process of its own that dies by SIGKILL at a given point of compiling its step. What is not under way in
// JavaScript (XLA's compiling) it announces on its standard output, for whoever started it to kill it.

import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import * as tf from '@tensorflow/tfjs'
import type { TrainJob } from '../../../src-main/domain/job.ts'
import { nativeBackend } from '../../../src-main/engine/compile/native-backend.ts'
import { openBackend } from '../../../src-main/jobs/backend/backend.ts'
import { runTrainJob } from '../../../src-main/jobs/train-job.ts'

export type Point =
  | 'half of the graph is written'
  | 'the graph is written and not described'
  | 'the entry is whole and not in its place'
  | 'the entry is in its place and not loaded'
  | 'XLA compiles'
  | 'machine code is written and not sealed'

export interface Doom {
  readonly job: TrainJob
  /** null: it lives to its end. */
  readonly at: Point | null
}

const { job, at } = JSON.parse(process.argv[2]!) as Doom
const dies = (point: Point) => void (at === point && process.kill(process.pid, 'SIGKILL'))
const { writeFileSync, renameSync } = fs
fs.writeFileSync = (path, data, options) => {
  const name = String(path)
  if (name.endsWith('saved_model.pb') && at === 'half of the graph is written') {
    writeFileSync(path, (data as Uint8Array).subarray(0, (data as Uint8Array).length >> 1), options)
    dies(at)
  }
  if (name.endsWith('program.json')) dies('the graph is written and not described')
  if (name.endsWith('.sha256')) dies('machine code is written and not sealed')
  writeFileSync(path, data, options)
}
fs.renameSync = (from, to) => {
  const isProgram = String(from).includes('.writing-')
  if (isProgram) dies('the entry is whole and not in its place')
  renameSync(from, to)
  if (isProgram) dies('the entry is in its place and not loaded')
}
syncBuiltinESMExports()

await openBackend('native')
const backend = nativeBackend() as { runSavedModel: (...given: [number, tf.Tensor[], { readonly name: string }[], string[]]) => tf.Tensor[] }
const run = backend.runSavedModel.bind(backend)
backend.runSavedModel = (...given) => {
  if (at === 'XLA compiles' && given[3].some((fetched) => fetched.startsWith('step:'))) fs.writeSync(1, 'compiling')
  return run(...given)
}
for await (const event of runTrainJob(job, { aborted: false }))
  if (event.kind === 'log' && event.level === 'warning') process.stderr.write(`${event.message}\n`)
