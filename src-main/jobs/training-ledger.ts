// A prepared training in numbers: what its memory is predicted from, and one line a module.

import { featureWidth, MODULES, numImageFeatures, numImageTokens } from '../domain/model-spec.ts'
import type { Training } from '../domain/run-config.ts'
import type { ModuleLedger } from '../domain/training-plan.ts'
import { numPatches, patchWidth } from '../domain/vision-encoder-spec.ts'
import type { LedgerTensor } from '../engine/parameter-ledger.ts'
import type { Oracle } from './memory-oracle.ts'
import type { PreparedTraining } from './prepared-training.ts'
import { IMAGE_CACHE_BYTES } from './samples.ts'

/** What a prediction is made from: the longest bucket decides the peak. */
export function oracleOf({ start: { spec, weights }, buckets, images: met, imagesAs }: PreparedTraining, base: number, execution: Oracle['execution']): Oracle {
  const { visionEncoder } = spec
  const { T, A } = buckets.buckets.at(-1)!
  const I = numImageTokens(spec)
  const picture = imagesAs === 'features' ? { P: numImageFeatures(spec), patchWidth: featureWidth(spec) } : { P: numPatches(visionEncoder), patchWidth: patchWidth(visionEncoder) }
  const batch = { ...picture, imagesAs, I, T, A }
  const images = Math.min(met.length * batch.P * batch.patchWidth * 4, IMAGE_CACHE_BYTES)
  return { spec, shapes: weights, batch, execution, base, images }
}

/** One line a module. */
export function moduleLedgers(ledger: readonly LedgerTensor[], training: Training): ModuleLedger[] {
  const sizeOf = ({ shape }: LedgerTensor) => shape.reduce((product, size) => product * size, 1)
  const sum = (tensors: readonly LedgerTensor[]) => tensors.reduce((total, tensor) => total + sizeOf(tensor), 0)
  return MODULES.map((module) => {
    const tensors = ledger.filter((tensor) => tensor.module === module && tensor.part !== 'adapter')
    const trained = ledger.filter((tensor) => tensor.module === module && (tensor.part === 'trained' || tensor.part === 'adapter'))
    const settings = training.modules[module]
    const isPartly = tensors.some(({ part }) => part === 'frozen')
    return {
      module,
      state: !settings.train ? 'frozen' : settings.lora !== null ? 'LoRA' : isPartly ? 'partly trained' : 'trained',
      tensors: tensors.length,
      parameters: sum(tensors),
      trained: sum(trained),
      learningRate: settings.train ? (settings.learningRate ?? training.learningRate) : null,
    }
  })
}
