// The kinds of reference cases that the lab can compare itself with, one line a kind.

import { dualEncoderParity } from './dual-encoder.ts'
import { imagesParity } from './images.ts'
import { languageModelParity } from './language-model.ts'
import { measurementsParity } from './measurements.ts'
import { multimodalLmParity } from './multimodal-lm.ts'
import type { ParityKind } from './parity-kind.ts'
import { tokenizerParity } from './tokenizers.ts'
import { trainingParity } from './training.ts'
import { visionEncoderParity } from './vision-encoder.ts'

export const PARITY_KINDS: readonly ParityKind[] = [
  visionEncoderParity,
  dualEncoderParity,
  languageModelParity,
  multimodalLmParity,
  trainingParity,
  tokenizerParity,
  imagesParity,
  measurementsParity,
]
