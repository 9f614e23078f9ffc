// Qwen3 (arXiv 2505.09388): each head of queries and keys is normed, heads have a width of their own, no biases by default.

import { headWidth } from '../../../domain/model-spec.ts'
import type { LanguageModelFamily } from './family.ts'

export const qwen3: LanguageModelFamily = {
  modelType: 'qwen3',
  architecture: 'Qwen3ForCausalLM',
  absent: { vocabSize: 151936, intermediateSize: 22016, numKeyValueHeads: 32, headDim: 128, maxPositionEmbeddings: 32768 },
  biases: ({ attentionBias }) => ({ queryKeyValue: attentionBias, output: attentionBias, mlp: false }),
  hasWindows: true,
  normsQueriesAndKeys: true,
  ownFields: (spec) => ({ head_dim: headWidth(spec), attention_bias: spec.attentionBias, use_sliding_window: false }),
}
