// Llama 2 and 3 (arXiv 2307.09288, 2407.21783) and SmolLM2 (arXiv 2502.02737): biases only where the config asks for them.

import { headWidth } from '../../../domain/model-spec.ts'
import type { LanguageModelFamily } from './family.ts'

export const llama: LanguageModelFamily = {
  modelType: 'llama',
  architecture: 'LlamaForCausalLM',
  absent: { vocabSize: 32000, intermediateSize: 11008, numKeyValueHeads: null, headDim: null, maxPositionEmbeddings: 2048 },
  biases: ({ attentionBias, mlpBias }) => ({ queryKeyValue: attentionBias, output: attentionBias, mlp: mlpBias }),
  hasWindows: false,
  normsQueriesAndKeys: false,
  ownFields: (spec) => ({ head_dim: headWidth(spec), attention_bias: spec.attentionBias, mlp_bias: spec.mlpBias }),
}
