// Runs of the objectives beside SFT and DPO: each learns to prefer the chosen answer, compiled as well as eagerly, in the order
// of data that every objective meets; and those without a reference compute none.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { follow, pairTraining, readSamples, RESUMED, stepsOf, train, weightsOf, writeSnapshot } from './tiny-training.ts'

// Compiling is the processor's work: beside other work it takes several times as long.
vi.setConfig({ testTimeout: 120_000 })

const pairs = pairTraining()
const { aJob } = pairs
const referenceFiles = () => {
  const folder = join(pairs.tiny.project, 'cache', 'reference-log-probs')
  return existsSync(folder) ? readdirSync(folder) : []
}

const OBJECTIVES = [
  { kind: 'simpo', simpoGamma: 0.5 },
  { kind: 'cpo', cpoAlpha: 0.1 },
  { kind: 'orpo', beta: 1 },
  { kind: 'mpo' },
  { kind: 'kto', beta: 0.5 },
  { kind: 'dpo', lossType: 'aot' },
  { kind: 'dpo', ldAlpha: 0.5, fDivergenceType: 'js_divergence' },
]
/** Those whose operators the others do not have. */
const COMPILED = ['orpo', 'mpo', 'kto']

for (const objective of OBJECTIVES)
  describe(JSON.stringify(objective), () => {
    it('learns which answer is preferred', async () => {
      const before = referenceFiles().length
      const steps = await train(aJob({ training: { steps: 24, learningRate: 1e-2, objective } }))
      // Batches differ in how far apart their answers are at the start, so means over many of them are compared.
      const lead = (part: typeof steps) => part.reduce((sum, step) => sum + step['rewards/margins']!, 0) / part.length
      expect(lead(steps.slice(-8))).toBeGreaterThan(lead(steps.slice(0, 8)) + 0.01)
      if (['simpo', 'cpo', 'orpo'].includes(objective.kind)) expect(referenceFiles()).toHaveLength(before)
      else expect(referenceFiles().length).toBeGreaterThan(0)
    })

    if (COMPILED.includes(objective.kind) || 'lossType' in objective)
      it('gives the eager losses when compiled', async () => {
        const training = { steps: 2, objective }
        const [eager, graph] = [await train(aJob({ training })), await train(aJob({ training, execution: 'graph' }))]
        graph.forEach((step, i) => {
          for (const [name, value] of Object.entries(eager[i]!)) {
            // At step 0 the policy is the reference: which of two equal rewards is larger is decided by rounding.
            if (name === 'rewards/accuracies' && i === 0) continue
            expect(step[name], name).toBeCloseTo(value, 3)
          }
        })
      })
  })

describe('kto', () => {
  const objective = { kind: 'kto' }

  it('stopped and continued equals a run that never was, bit for bit', async () => {
    const whole = aJob({ training: { ...RESUMED, objective } })
    const expected = await train(whole)
    const parts = aJob({ training: { ...RESUMED, objective } })
    const first = await follow(parts, { stopAfter: 3 })
    const rest = await follow(parts)
    expect([...stepsOf(first.events), ...stepsOf(rest.events)]).toEqual(expected)
    expect(await weightsOf(parts)).toBe(await weightsOf(whole))
  })

  it('meets the same pairs in the same order as DPO', async () => {
    const tokensOf = (steps: readonly Readonly<Record<string, number>>[]) => steps.map(({ num_tokens, epoch }) => [num_tokens, epoch])
    const training = { steps: 6, batchSize: 1 }
    const [kto, dpo] = [await train(aJob({ training: { ...training, objective } })), await train(aJob({ training: { ...training, objective: { kind: 'dpo' } } }))]
    expect(tokensOf(kto)).toEqual(tokensOf(dpo))
  })

  it('starts without a drift: the reference was asked about the same mismatched answers', async () => {
    const [first] = await train(aJob({ training: { steps: 1, objective } }))
    expect(first!['kl']).toBeCloseTo(0, 4)
    expect(first!['loss']).toBeCloseTo(0.5, 4)
  })

  it('of one pair alone has no other answer to compare with, and says so', async () => {
    const [pair] = readSamples(pairs.tiny, pairs.snapshot)
    const { fault } = await follow(aJob({ snapshot: writeSnapshot(pairs.tiny, [pair!]), training: { objective } }))
    expect([fault?.code, fault?.message]).toEqual(['invalid-input', expect.stringContaining('two pairs')])
  })
})
