// One part of full-size.ts in a process of its own. It says what it measured as a JSON line, last on standard output.

import { existsSync, readFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs'
import type { JobEvent } from '../../src-main/domain/job.ts'
import { runAskJob } from '../../src-main/jobs/ask-job.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import { heldModel } from '../../src-main/jobs/held-model.ts'
import { parameterCounts, startModel } from '../../src-main/jobs/start-model.ts'
import { runTrainJob } from '../../src-main/jobs/train-job.ts'
import type { FullSizePart, FullSizeResult } from './full-size.ts'

const part = JSON.parse(process.argv[2]!) as FullSizePart
await openBackend('native')
const beganMs = performance.now()
const figures = await measure()
const seconds = (performance.now() - beganMs) / 1000
const result: FullSizeResult = { part: part.part, seconds, peakMb: process.resourceUsage().maxRSS / 1024, figures }
process.stdout.write(`\n${JSON.stringify(result)}\n`, () => process.exit(0))

async function measure(): Promise<FullSizeResult['figures']> {
  const signal = { aborted: false }
  switch (part.part) {
    case 'load': {
      const start = await startModel(part.job.config.start)
      const readMs = performance.now()
      const held = heldModel(start)
      // Every weight is moved to where it is computed with.
      let bytes = 0
      for (const weights of Object.values(held.model.weights))
        for (const weight of Object.values(weights)) {
          tf.tidy(() => tf.reshape(weight, [-1]).slice([0], [1]).dataSync())
          bytes += 4 * weight.size
        }
      const parameters = Object.values(parameterCounts(start.weights)).reduce((sum, count) => sum + count, 0)
      return { parameters, 'weights GiB': (bytes / 2 ** 30).toFixed(2), 'of it hashing and headers s': ((readMs - beganMs) / 1000).toFixed(1) }
    }
    case 'step': {
      const found: Record<string, number | string> = {}
      const log: string[] = []
      for await (const event of runTrainJob(part.job, signal)) {
        noteOf(event, found)
        if (event.kind === 'log') log.push(event.message)
      }
      return { ...found, checkpoint: existsSync(part.job.folder) ? 'written' : 'missing' }
    }
    case 'answer': {
      let [pieces, firstMs, lastMs, tokens] = [0, 0, 0, 0]
      for await (const event of runAskJob(part.job, signal)) {
        if (event.kind === 'text') pieces += 1
        if (event.kind === 'progress') {
          lastMs = performance.now()
          if (event.done === 1) firstMs = lastMs
          tokens = event.done
        }
      }
      return { tokens, pieces, 'first token s': ((firstMs - beganMs) / 1000).toFixed(1), 'ms a further token': ((lastMs - firstMs) / Math.max(1, tokens - 1)).toFixed(0), 'picture bytes': readFileSync(part.job.image!).length }
    }
  }
}

function noteOf(event: JobEvent, found: Record<string, number | string>): void {
  if (event.kind !== 'step') return
  found['loss'] = event.metrics['loss']!.toFixed(6)
  found['gradient norm'] = event.metrics['grad_norm']!.toPrecision(3)
}
