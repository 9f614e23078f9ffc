// A tokenizer against its reference: tokens of texts, texts of tokens, and what its chat template makes of conversations.

import { createChatTokenizer, type ChatTurn } from '../../engine/text/tokenizer.ts'
import { readTokenizerFiles } from '../tokenizer-files.ts'
import type { ParityKind } from './parity-kind.ts'

interface Encoded {
  readonly text: string
  readonly input_ids?: readonly number[]
  readonly input_ids_no_special: readonly number[]
  readonly decoded?: string
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
    for (const { text, input_ids: whole, input_ids_no_special: ids, decoded, decoded_skip_special: plain } of files.json['encode'] as readonly Encoded[]) {
      const name = JSON.stringify(text)
      comparison.same('tokens', name, tokenizer.encode(text), ids)
      comparison.same('decoded text', name, tokenizer.decode(ids), plain)
      if (whole !== undefined) comparison.same('tokens, with those around a text', name, tokenizer.encode(text, true), whole)
      if (decoded !== undefined) comparison.same('decoded text, special tokens included', name, tokenizer.decode(ids, false), decoded)
    }
    for (const { messages, add_generation_prompt: isPrompt, text } of (files.json['chat'] ?? []) as readonly Chat[]) {
      const turns = messages.map(({ role, content }): ChatTurn => ({ from: role === 'user' ? 'human' : (role as ChatTurn['from']), text: content }))
      comparison.same('chat text', JSON.stringify(text), tokenizer.chatText(turns, isPrompt), text)
      if (isPrompt) comparison.same('chat prompts', JSON.stringify(text), tokenizer.encodePrompt(turns), tokenizer.encode(text))
    }
  },
}
