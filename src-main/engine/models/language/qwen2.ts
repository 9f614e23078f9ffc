// Qwen2 and Qwen2.5 (arXiv 2407.10671, 2412.15115): biases on queries, keys and values, and nowhere else.

import type { LanguageModelFamily } from './family.ts'

export const qwen2: LanguageModelFamily = {
  modelType: 'qwen2',
  architecture: 'Qwen2ForCausalLM',
  absent: { vocabSize: 151936, intermediateSize: 22016, numKeyValueHeads: 32, headDim: null, maxPositionEmbeddings: 32768 },
  biases: () => ({ queryKeyValue: true, output: false, mlp: false }),
  hasWindows: true,
  normsQueriesAndKeys: false,
  ownFields: () => ({ use_sliding_window: false }),
}
