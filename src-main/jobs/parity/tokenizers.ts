// A tokenizer against its reference: tokens of texts, texts of tokens, and what its chat template makes of conversations.

import { openTokenizer } from '../../engine/text/open-tokenizer.ts'
import { createChatTokenizer, imageTokenText, withImageToken, type ChatTurn, type TokenizerFiles } from '../../engine/text/tokenizer.ts'
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

/** Writes what it is given: where a case says nothing of chats, its tokenizer may have no template. */
const WORDS_ALONE = '{% for message in messages %}{{ message.content }}{% endfor %}'
/** A private character, which no text of a case holds: a tokenizer that knows no image is compared all the same. */
const NO_IMAGE = '\uf8ff'

function asChat(files: TokenizerFiles, hasChats: boolean): TokenizerFiles {
  const { tokenizer, config } = files
  const knowsImages = openTokenizer(tokenizer, config).token_to_id(imageTokenText(config)) !== undefined
  const known = knowsImages ? files : { ...files, ...withImageToken({ tokenizer, config: { ...config, image_token: NO_IMAGE } }).files }
  return hasChats ? known : { ...known, config: { ...known.config, chat_template: WORDS_ALONE, eos_token: config['eos_token'] ?? config['pad_token'] ?? imageTokenText(known.config) } }
}

export const tokenizerParity: ParityKind = {
  name: 'tokenizer',
  recognises: (files) => Array.isArray(files.json['encode']) && files.has('tokenizer.json'),
  async compare(files, comparison) {
    const chats = (files.json['chat'] ?? []) as readonly Chat[]
    const tokenizer = createChatTokenizer(asChat(await readTokenizerFiles(files.folder), chats.length > 0))
    for (const { text, input_ids: whole, input_ids_no_special: ids, decoded, decoded_skip_special: plain } of files.json['encode'] as readonly Encoded[]) {
      const name = JSON.stringify(text)
      comparison.same('tokens', name, tokenizer.encode(text), ids)
      comparison.same('decoded text', name, tokenizer.decode(ids), plain)
      if (whole !== undefined) comparison.same('tokens, with those around a text', name, tokenizer.encode(text, true), whole)
      if (decoded !== undefined) comparison.same('decoded text, special tokens included', name, tokenizer.decode(ids, false), decoded)
    }
    for (const { messages, add_generation_prompt: isPrompt, text } of chats) {
      const turns = messages.map(({ role, content }): ChatTurn => ({ from: role === 'user' ? 'human' : (role as ChatTurn['from']), text: content }))
      comparison.same('chat text', JSON.stringify(text), tokenizer.chatText(turns, isPrompt), text)
      if (isPrompt) comparison.same('chat prompts', JSON.stringify(text), tokenizer.encodePrompt(turns), tokenizer.encode(text))
    }
  },
}
