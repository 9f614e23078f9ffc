// The kinds of reference cases that the lab can compare itself with, one line a kind.

import { dualEncoderParity } from './dual-encoder.ts'
import { imagesParity } from './images.ts'
import type { ParityKind } from './parity-kind.ts'
import { visionEncoderParity } from './vision-encoder.ts'

export const PARITY_KINDS: readonly ParityKind[] = [visionEncoderParity, dualEncoderParity, imagesParity]
