// What a training reads before its first step: the model it starts from, and its samples as tokens in buckets. The training
// and its dry run begin alike.

import { LabError } from '../domain/errors.ts'
import { MODULES, numImageTokens } from '../domain/model-spec.ts'
import type { RunConfig } from '../domain/run-config.ts'
import type { ImageRef } from '../domain/sample.ts'
import type { ImagesAs } from '../engine/models/multimodal-lm.ts'
import { createObjective, type Objective } from '../engine/objectives/objective.ts'
import { parameterLedger, type LedgerTensor } from '../engine/parameter-ledger.ts'
import { bucketsOf, encodeSamples, imagesMet, type Bucketed, type EncodedData } from './batches.ts'
import { assertCheckable, promptSamples } from './sampled-batches.ts'
import { readSnapshot } from './samples.ts'
import { startModel, type StartModel } from './start-model.ts'
import { takesFeatures } from './vision-features.ts'

export interface PreparedTraining {
  readonly objective: Objective
  readonly start: StartModel
  readonly ledger: readonly LedgerTensor[]
  readonly data: EncodedData
  /** Of the split "train", before those too long are left out. */
  readonly samples: number
  readonly buckets: Bucketed
  /** The images that its steps meet, each once, and what the steps take in of them. */
  readonly images: readonly ImageRef[]
  readonly imagesAs: ImagesAs
}

/** @throws LabError 'invalid-input' when nothing is trained or nothing is left to train on, 'not-found', 'corrupt-artifact' */
export async function prepareTraining(project: string, { training, snapshot, start: from }: RunConfig): Promise<PreparedTraining> {
  const objective = createObjective(training.objective)
  const start = await startModel(from)
  if (!MODULES.some((module) => training.modules[module].train))
    throw new LabError('invalid-input', 'modules: expected at least one module to train, found all frozen')
  const ledger = parameterLedger(start.spec, start.weights, training)
  const all = await readSnapshot(project, snapshot)
  const samples = all.filter(({ split }) => split === 'train')
  if (samples.length === 0 && all.length > 0)
    throw new LabError('invalid-input', `the dataset has ${all.length} samples and none in the split "train"; split it, or choose another`)
  const encoded = encodeSamples(samples, start.tokenizer, numImageTokens(start.spec), training.maxLength, objective)
  const data = training.objective.kind === 'grpo' ? promptSamples(encoded, training.objective, training.maxLength) : encoded
  if (training.objective.kind === 'grpo') assertCheckable(training.objective, data, start.tokenizer)
  const images = imagesMet(data.samples, training)
  const imagesAs = (await takesFeatures(project, training, objective, start.spec, images.length)) ? 'features' : 'patches'
  return { objective, start, ledger, data, samples: samples.length, buckets: bucketsOf(data.samples), images, imagesAs }
}
