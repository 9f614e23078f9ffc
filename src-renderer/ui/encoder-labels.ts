// How the encoders are called in tables, legends and maps.

import type { EncoderName } from '../../src-main/domain/study.ts'

export const encoderLabels: Readonly<Record<EncoderName, string>> = { 'stage-1': 'Stage 1', sft: 'SFT', dpo: 'DPO' }
