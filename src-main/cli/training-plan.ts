// A dry run's answer as text: the ledger, the shapes, the memory, and what to change where it does not fit.

import type { TrainingPlan } from '../domain/training-plan.ts'
import { formatBytes } from '../services/number-text.ts'
import { table, type Column } from './table.ts'

export function planText(plan: TrainingPlan): string {
  return [ledgerTable(plan), '', shapesLine(plan), '', ...memoryLines(plan)].join('\n')
}

function ledgerTable({ modules }: TrainingPlan): string {
  const [left, right] = (['left', 'right'] as const).map((align) => (title: string): Column => ({ title, align }))
  const number = (value: number) => value.toLocaleString('en')
  const total = (of: 'tensors' | 'parameters' | 'trained') => number(modules.reduce((sum, each) => sum + each[of], 0))
  return table(
    [left!('Module'), left!('State'), right!('Tensors'), right!('Parameters'), right!('Trained'), right!('Learning rate')],
    [
      ...modules.map(({ module, state, tensors, parameters, trained, learningRate }) => [module, state, number(tensors), number(parameters), number(trained), learningRate === null ? '–' : String(learningRate)]),
      ['all', '', total('tensors'), total('parameters'), total('trained'), ''],
    ],
  )
}

function shapesLine({ samples, tooLong, buckets, paddingShare }: TrainingPlan): string {
  const shapes = buckets.map((bucket) => `${bucket.T} positions (${bucket.A} of an answer) for ${bucket.samples.toLocaleString('en')}`).join(', ')
  return `${samples.toLocaleString('en')} samples, ${tooLong.toLocaleString('en')} too long and left out; ${shapes}; ${(100 * paddingShare).toFixed(1)} % of the positions are padding`
}

function memoryLines({ memory, unpredicted, execution, budget, proposal }: TrainingPlan): string[] {
  if (memory === null) return [`memory: not predicted, because ${unpredicted}`]
  const { base, images, weights, moments, batch, working, overhead, peak } = memory
  const parts = { engine: base, 'images kept': images, weights, moments, batch, 'activations and gradients': working, 'what comes on top': overhead }
  const said = Object.entries(parts).map(([name, bytes]) => `${name} ${formatBytes(bytes)}`)
  const lines = [`memory (${execution}): ${formatBytes(peak)} at its peak = ${said.join(' + ')}`, `available: ${formatBytes(budget)}`]
  if (peak <= budget) return lines
  if (proposal === null) return [...lines, 'It does not fit, and no smaller batch, checkpointing or LoRA makes it fit: take a smaller model, or shorter samples.']
  const settings = Object.entries(proposal.settings).map(([path, value]) => `--set training.${path}=${JSON.stringify(value)}`)
  return [...lines, `It does not fit. With ${settings.join(' ')} it takes ${formatBytes(proposal.peak)}: ${proposal.why}.`]
}
