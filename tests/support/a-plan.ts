// A dry run's answer, as a fake runner and the preview of the window give it.

import type { Training } from '../../src-main/domain/run-config.ts'
import type { ModuleLedger, TrainingPlan } from '../../src-main/domain/training-plan.ts'

export function aPlan(training: Training, overrides: Partial<TrainingPlan> = {}): TrainingPlan {
  const module = (name: ModuleLedger['module'], tensors: number, parameters: number): ModuleLedger => {
    const { train, lora, learningRate } = training.modules[name]
    return {
      module: name,
      state: !train ? 'frozen' : lora === null ? 'trained' : 'LoRA',
      tensors,
      parameters,
      trained: !train ? 0 : lora === null ? parameters : 2 * lora.rank * tensors * 16,
      learningRate: train ? (learningRate ?? training.learningRate) : null,
    }
  }
  const memory = { base: 0.45e9, images: 0, weights: 0.114e9, moments: 0.229e9, batch: 1e6, working: 0.417e9, overhead: 0.2e9, peak: 1.411e9 }
  return {
    modules: [module('visionEncoder', 101, 10_900_000), module('projector', 4, 296_000), module('languageModel', 75, 13_800_000)],
    tensors: [],
    samples: 1200,
    tooLong: 3,
    buckets: [
      { T: 64, A: 16, samples: 700 },
      { T: 96, A: 32, samples: 497 },
    ],
    paddingShare: 0.09,
    execution: 'graph',
    memory,
    unpredicted: null,
    budget: 8e9,
    proposal: null,
    ...overrides,
  }
}
