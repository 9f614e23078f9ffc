// A tokenizer against its reference: tokens of texts, texts of tokens, and what its chat template makes of conversations.

import type { Turn } from '../../domain/sample.ts'
import { createChatTokenizer } from '../../engine/text/tokenizer.ts'
import { readTokenizerFiles } from '../tokenizer-files.ts'
import type { ParityKind } from './parity-kind.ts'

interface Encoded {
  readonly text: string
  readonly input_ids_no_special: readonly number[]
  readonly decoded_skip_special: string
}
interface Chat {
  readonly messages: readonly { readonly role: string; readonly content: string }[]
  readonly add_generation_prompt: boolean
  readonly text: string
}

export const tokenizerParity: ParityKind = {
  name: 'tokenizer',
  recognises: (files) => Array.isArray(files.json['encode']) && files.has('tokenizer.json'),
  async compare(files, comparison) {
    const tokenizer = createChatTokenizer(await readTokenizerFiles(files.folder))
    for (const { text, input_ids_no_special: ids, decoded_skip_special: decoded } of files.json['encode'] as readonly Encoded[]) {
      comparison.same('tokens', JSON.stringify(text), tokenizer.encode(text), ids)
      comparison.same('decoded text', JSON.stringify(text), tokenizer.decode(ids), decoded)
    }
    for (const { messages, add_generation_prompt: isPrompt, text } of (files.json['chat'] ?? []) as readonly Chat[]) {
      // The lab keeps no system turn of its own: templates write theirs.
      if (!isPrompt || messages.some(({ role }) => role === 'system')) continue
      const turns = messages.map(({ role, content }): Turn => ({ from: role === 'user' ? 'human' : 'assistant', text: content }))
      comparison.same('chat prompts', JSON.stringify(text), tokenizer.encodePrompt(turns), tokenizer.encode(text))
    }
  },
}
