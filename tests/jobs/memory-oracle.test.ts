// Proposals of settings that fit: whatever the limit, what is proposed is predicted to stay below it, makes the same updates,
// and changes no more than it has to. Models of 25 and 125 million parameters, as shapes alone: nothing is computed.

import * as tf from '@tensorflow/tfjs'
import { describe, expect, it } from 'vitest'
import { multimodalLmSpecSchema, numImageTokens } from '../../src-main/domain/model-spec.ts'
import { trainingSchema } from '../../src-main/domain/run-config.ts'
import { numPatches, patchWidth } from '../../src-main/domain/vision-encoder-spec.ts'
import { initialWeights } from '../../src-main/engine/weights/initial.ts'
import { MEASURED_ERROR, predictMemory, proposeSettings, withSettings, type Oracle } from '../../src-main/jobs/memory-oracle.ts'

await tf.setBackend('cpu')

const GIB = 2 ** 30
const widths = (hiddenSize: number, numHiddenLayers: number) => ({ hiddenSize, intermediateSize: 4 * hiddenSize, numHiddenLayers, numAttentionHeads: hiddenSize / 64 })
function oracleOf(languageModel: object): Oracle {
  const spec = multimodalLmSpecSchema.parse({ visionEncoder: { imageSize: 128, patchSize: 16, ...widths(384, 6) }, languageModel: { vocabSize: 8192, ...languageModel }, visionFeatureLayer: -1 })
  const I = numImageTokens(spec)
  const batch = { P: numPatches(spec.visionEncoder), patchWidth: patchWidth(spec.visionEncoder), I, T: I + 64, A: 32 }
  return { spec, shapes: initialWeights(spec, 0), batch, execution: 'eager', base: 0.4 * GIB, images: 0 }
}

describe.each([
  ['25 M', oracleOf({ numKeyValueHeads: 6, ...widths(384, 6) }), [1, 1.5, 2]],
  ['125 M', oracleOf({ numKeyValueHeads: 12, ...widths(768, 12) }), [2, 3, 4]],
] as const)('what is proposed for a model of %s', (_, oracle, limits) => {
  const training = trainingSchema.parse({ steps: 1, batchSize: 16, gradientAccumulation: 2, objective: { kind: 'dpo' } })
  const peakOf = (settings: Readonly<Record<string, unknown>>) => predictMemory(oracle, withSettings(training, settings)).peak
  const withMargin = (peak: number) => peak + MEASURED_ERROR * (peak - oracle.base - oracle.images)
  const proposals = limits.map((limit) => ({ limit: limit * GIB, proposal: proposeSettings(oracle, training, limit * GIB) }))

  it('is predicted to fit with what predictions were found to be off, and makes updates of as many samples', () => {
    expect(proposals.filter(({ proposal }) => proposal !== null).length).toBeGreaterThan(1)
    for (const { limit, proposal } of proposals) {
      if (proposal === null) continue
      const { settings, peak } = proposal
      const { batchSize, gradientAccumulation } = withSettings(training, settings)
      expect(peak).toBe(peakOf(settings))
      expect(withMargin(peak)).toBeLessThanOrEqual(limit)
      expect(batchSize * gradientAccumulation).toBe(32)
    }
  })

  it('changes no more than it has to', () => {
    for (const { limit, proposal } of proposals) {
      if (proposal === null) continue
      const { batchSize = 16, gradientAccumulation: _, ...changed } = proposal.settings as { batchSize?: number; gradientAccumulation?: number }
      // The next larger pass does not fit, nor does one picture a pass without the rest of the change.
      if (batchSize < 16) expect(withMargin(peakOf({ ...changed, batchSize: 2 * batchSize, gradientAccumulation: 16 / batchSize }))).toBeGreaterThan(limit)
      if (Object.keys(changed).length > 0) expect(withMargin(peakOf({ batchSize: 1, gradientAccumulation: 32 }))).toBeGreaterThan(limit)
    }
  })

  it('is nothing where weights alone do not fit', () => {
    expect(proposeSettings(oracle, training, oracle.base)).toBeNull()
  })
})
