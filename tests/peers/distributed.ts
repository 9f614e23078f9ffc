// A recipe whose arms two processes train together on this machine's processor, and the lab's own training of them, for
// run_distributed.py: as many losses as there are ways to share a batch out.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { trainingSchema, type Training } from '../../src-main/domain/run-config.ts'
import { tinyProject } from '../jobs/evaluate/tiny-project.ts'
import { run, SEED, SHARED, takeInRun } from './recipe.ts'
import type { PeerCheck } from './peers.ts'

const STEPS = 4
/** MPO takes a mean over a whole pass, KTO its drift; SFT weighs the tokens of all devices; LoRA is merged when all have stopped. */
const OBJECTIVES = { mpo: { kind: 'mpo', beta: 0.3 }, kto: { kind: 'kto', beta: 0.3 }, lora: { kind: 'dpo', beta: 0.3, labelSmoothing: 0.1 }, grpo: { kind: 'grpo', numGenerations: 2, maxCompletionLength: 4 } } as const
type Name = keyof typeof OBJECTIVES

function trainingOf(objective: object, modules: object = SHARED.modules): Training {
  return trainingSchema.parse({ ...SHARED, steps: STEPS, batchSize: 4, objective, learningRate: 5e-4, modules })
}
const LORA = { visionEncoder: { lora: { rank: 3, alpha: 5 } }, languageModel: { lora: { rank: 2, alpha: 7, targets: 'q_proj v_proj' } } }
const armsOf = (name: Name) => {
  const modules = name === 'lora' ? LORA : undefined
  return { sft: trainingOf({ kind: 'sft' }, modules), dpo: trainingOf(OBJECTIVES[name], modules) }
}
const LAUNCHES: readonly { readonly name: Name; readonly arm: 'sft' | 'dpo'; readonly by: readonly string[] }[] = [
  { name: 'mpo', arm: 'sft', by: ['ddp'] },
  { name: 'mpo', arm: 'dpo', by: ['ddp', 'fsdp'] },
  { name: 'kto', arm: 'dpo', by: ['ddp'] },
  { name: 'lora', arm: 'dpo', by: ['fsdp', 'deepspeed'] },
  // Drawn by another generator of random numbers: that it runs is all that can be compared.
  { name: 'grpo', arm: 'dpo', by: ['ddp'] },
]

interface Launch {
  readonly title: string
  readonly by: string
  readonly arm: string
  readonly recipe: string
  readonly output: string
  /** null: nothing to compare with. */
  readonly steps: readonly unknown[] | null
  readonly own: string
  readonly config: object
}

export const distributed = {
  async prepare(folder: string): Promise<void> {
    const tiny = tinyProject(join(folder, 'project'), { train: 20, validation: 0, test: 1 })
    const checkpoint = await tiny.checkpoint(5)
    const snapshot = tiny.snapshots.preferences
    const launches: Launch[] = []
    for (const { name, arm, by } of LAUNCHES) {
      const recipe = join(folder, `${name}-recipe`)
      await run({ kind: 'export-recipe', project: tiny.project, folder: recipe, study: { id: 'study', name: 'Tiny study' }, snapshot, seeds: [{ seed: SEED, checkpoint }], arms: armsOf(name), images: null })
      const own = join(folder, `${name}-${arm}-lab`)
      const config = { training: armsOf(name)[arm], snapshot, start: { kind: 'checkpoint', folder: checkpoint } }
      const events = name === 'grpo' ? null : await run({ kind: 'train', project: tiny.project, folder: own, config, execution: 'eager' })
      const steps = events === null ? null : events.flatMap((event) => (event.kind === 'step' ? [event.metrics] : []))
      for (const way of by) launches.push({ title: `${name}, ${arm}, two processes by ${way}`, by: way, arm, recipe, output: join(folder, 'out', `${name}-${arm}-${way}`), steps, own, config })
    }
    writeFileSync(join(folder, 'lab.json'), JSON.stringify({ seed: SEED, checkpoint, launches }))
  },
  async conclude(folder: string): Promise<readonly PeerCheck[]> {
    const { checkpoint, launches } = JSON.parse(readFileSync(join(folder, 'lab.json'), 'utf8')) as { checkpoint: string; launches: readonly Launch[] }
    const ran = JSON.parse(readFileSync(join(folder, 'ran.json'), 'utf8')) as readonly string[]
    const checks: PeerCheck[] = []
    for (const { title, output, own, config, steps } of launches)
      if (steps !== null && ran.includes(title)) checks.push(...(await takeInRun(title, { source: output, target: `${output}-imported`, own, checkpoint, config }, STEPS)))
    return checks
  },
}
