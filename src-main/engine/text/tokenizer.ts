// Text to token ids and back, and the chat template around it: both exactly as the checkpoint's own files say.

import { Template } from '@huggingface/jinja'
import { Tokenizer } from '@huggingface/tokenizers'
import { LabError } from '../../domain/errors.ts'
import type { Turn } from '../../domain/sample.ts'

/** The two files of a tokenizer, parsed. */
export interface TokenizerFiles {
  /** tokenizer.json */
  readonly tokenizer: object
  /** tokenizer_config.json, with `chat_template` in it (chat_template.jinja is put there by the reader). */
  readonly config: Readonly<Record<string, unknown>>
}

export interface ChatTokenizer {
  readonly vocabSize: number
  readonly padId: number
  /** Ends an answer; generation stops here. */
  readonly endId: number
  /** The placeholder that image tokens replace. */
  readonly imageId: number
  encode(text: string): number[]
  /** Special tokens are left out. */
  decode(ids: readonly number[]): string
  /**
   * A conversation as tokens. Answers are the assistant's words and the token that ends them, nothing of the template
   * before; each is encoded on its own, so that a prompt is the same tokens in training and in generation.
   */
  encodeConversation(turns: readonly Turn[]): { readonly ids: number[]; readonly isAnswer: boolean[] }
  /** The prompt before the assistant's next answer. */
  encodePrompt(turns: readonly Turn[]): number[]
}

/** @throws LabError 'corrupt-artifact' naming what the files lack: chat template, image placeholder, end token */
export function createChatTokenizer({ tokenizer: json, config }: TokenizerFiles): ChatTokenizer {
  const tokenizer = new Tokenizer(json, config)
  const template = config['chat_template']
  if (typeof template !== 'string')
    throw new LabError('corrupt-artifact', 'tokenizer_config.json: expected a chat_template; add one, or choose an instruct checkpoint')
  const chat = new Template(template)
  const idOf = (role: string, text: unknown): number => {
    const id = typeof text === 'string' ? tokenizer.token_to_id(text) : undefined
    if (id === undefined)
      throw new LabError('corrupt-artifact', `the tokenizer has no ${role} token (${JSON.stringify(text)}); add it to tokenizer.json and tokenizer_config.json`)
    return id
  }
  const text = (value: unknown) => (typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value)
  const endText = text(config['eos_token'])
  const imageText = text(config['image_token']) ?? '<image>'
  const imageId = idOf('image', imageText)
  const endId = idOf('end (eos_token)', endText)
  const padId = idOf('padding', text(config['pad_token']) ?? endText)
  const encode = (words: string) => tokenizer.encode(words, { add_special_tokens: false }).ids

  const render = (turns: readonly Turn[], addGenerationPrompt: boolean) =>
    chat.render({
      messages: turns.map(({ from, text: content }) => ({ role: from === 'human' ? 'user' : 'assistant', content })),
      add_generation_prompt: addGenerationPrompt,
      bos_token: text(config['bos_token']) ?? '',
      eos_token: endText,
    })

  return {
    vocabSize: Math.max(...tokenizer.get_vocab(true).values()) + 1,
    padId,
    endId,
    imageId,
    encode,
    // The library refuses an empty list; a model may well answer nothing.
    decode: (ids) => (ids.length === 0 ? '' : tokenizer.decode([...ids], { skip_special_tokens: true })),
    encodePrompt: (turns) => encode(render(turns, true)),
    encodeConversation(turns) {
      const ids: number[] = []
      const isAnswer: boolean[] = []
      const push = (words: string, answer: boolean) => {
        for (const id of encode(words)) {
          ids.push(id)
          isAnswer.push(answer)
        }
      }
      let done = ''
      turns.forEach((turn, i) => {
        if (turn.from !== 'assistant') return
        const before = render(turns.slice(0, i), true)
        const after = render(turns.slice(0, i + 1), false)
        if (!before.startsWith(done) || !after.startsWith(before))
          throw new LabError('corrupt-artifact', 'the chat template rewrites earlier turns when a later one is added; it cannot be trained turn by turn')
        push(before.slice(done.length), false)
        // The answer's own end token is learned; what the template writes after it (a line break) is not.
        const tail = after.slice(before.length)
        // The last one: the words may hold the end token's text, and templates that strip white space shorten them.
        const end = typeof endText === 'string' ? tail.lastIndexOf(endText) : -1
        const cut = end < 0 ? tail.length : end + (endText as string).length
        push(tail.slice(0, cut), true)
        push(tail.slice(cut), false)
        done = after
      })
      return { ids, isAnswer }
    },
  }
}
