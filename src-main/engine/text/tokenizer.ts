// Text to token ids and back, and the chat template around it: both exactly as the checkpoint's own files say.

import type { Tokenizer } from '@huggingface/tokenizers'
import { LabError } from '../../domain/errors.ts'
import type { Turn } from '../../domain/sample.ts'
import { parseChatTemplate } from './chat-template.ts'
import { openTokenizer } from './open-tokenizer.ts'

/** The two files of a tokenizer, parsed. */
export interface TokenizerFiles {
  /** tokenizer.json */
  readonly tokenizer: object
  /** tokenizer_config.json, with `chat_template` in it (chat_template.jinja is put there by the reader). */
  readonly config: Readonly<Record<string, unknown>>
  /** generation_config.json; absent where the folder has none. */
  readonly generation?: Readonly<Record<string, unknown>>
}

/** A turn, or what stands before all of them. */
export interface ChatTurn {
  readonly from: Turn['from'] | 'system'
  readonly text: string
}

export interface ChatTokenizer {
  readonly vocabSize: number
  readonly padId: number
  /** Ends an answer: the one that answers are trained to end with. */
  readonly endId: number
  /** Every token that ends a generated answer: `endId`, and those of generation_config.json. */
  readonly endIds: readonly number[]
  /** The placeholder that image tokens replace. */
  readonly imageId: number
  /** What generation_config.json asks of answers; null: that they are greedy. */
  readonly recommended: RecommendedSampling | null
  /** What it asks for and no answer follows. */
  readonly notComputed: readonly string[]
  /** Without the tokens that the tokenizer puts around a text of its own, unless they are asked for. */
  encode(text: string, addsSpecialTokens?: boolean): number[]
  /** Special tokens are left out, unless they are asked for. */
  decode(ids: readonly number[], skipsSpecialTokens?: boolean): string
  /** What the chat template makes of a conversation. */
  chatText(turns: readonly ChatTurn[], addsGenerationPrompt: boolean): string
  /**
   * A conversation as tokens. Answers are the assistant's words and the token that ends them, nothing of the template
   * before; each is encoded on its own, so that a prompt is the same tokens in training and in generation.
   */
  encodeConversation(turns: readonly ChatTurn[]): { readonly ids: number[]; readonly isAnswer: boolean[] }
  /** The prompt before the assistant's next answer. */
  encodePrompt(turns: readonly ChatTurn[]): number[]
}

/**
 * @throws LabError 'corrupt-artifact' naming what the files lack: chat template, image placeholder, end token, or an image
 *   placeholder in what the chat template makes of a turn with an image
 */
export function createChatTokenizer({ tokenizer: json, config, generation }: TokenizerFiles): ChatTokenizer {
  const tokenizer = openTokenizer(json, config)
  const idOf = (role: string, text: unknown): number => {
    const id = typeof text === 'string' ? tokenizer.token_to_id(text) : undefined
    if (id === undefined)
      throw new LabError('corrupt-artifact', `the tokenizer has no ${role} token (${JSON.stringify(text)}); add it to tokenizer.json and tokenizer_config.json`)
    return id
  }
  const endText = text(config['eos_token'])
  const imageText = imageTokenText(config)
  const imageId = idOf('image', imageText)
  const endId = idOf('end (eos_token)', endText)
  const padId = idOf('padding', text(config['pad_token']) ?? endText)
  const plain = (words: string) => encode(words, false)
  const encode = (words: string, addsSpecialTokens: boolean) => tokenizer.encode(words, { add_special_tokens: addsSpecialTokens }).ids
  const vocabSize = largestId(tokenizer) + 1
  const { render, takesParts } = chatRenderer(config, imageText, endText)
  // transformers' processors let the tokenizer put its first token (Llama's <s>) before what their templates write, unless
  // they wrote it; a tokenizer's own template is taken as it is.
  const prefix = takesParts ? tokenizer.encode('').ids.filter((id) => id !== endId) : []
  const withPrefix = (ids: readonly number[]) => (ids.length > 0 && prefix.some((id, i) => ids[i] !== id) ? [...prefix, ...ids] : [...ids])

  return {
    vocabSize,
    padId,
    endId,
    endIds: [...new Set([endId, ...endIdsOf(generation, vocabSize)])],
    imageId,
    recommended: recommendedSampling({ ...(generation !== undefined && { generation }) }),
    notComputed: settingsNotComputed({ ...(generation !== undefined && { generation }) }),
    encode: (words, addsSpecialTokens = false) => encode(words, addsSpecialTokens),
    // The library refuses an empty list; a model may well answer nothing.
    decode: (ids, skipsSpecialTokens = true) => (ids.length === 0 ? '' : tokenizer.decode([...ids], { skip_special_tokens: skipsSpecialTokens })),
    chatText: render,
    encodePrompt: (turns) => withPrefix(plain(render(turns, true))),
    encodeConversation(turns) {
      const ids: number[] = []
      const isAnswer: boolean[] = []
      const push = (words: string, answer: boolean) => {
        for (const id of plain(words)) {
          ids.push(id)
          isAnswer.push(answer)
        }
      }
      /** A template that ends no answer (LLaVA 1.5's) would teach the model never to stop. */
      const pushEnd = () => {
        ids.push(endId)
        isAnswer.push(true)
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
        if (end < 0) pushEnd()
        push(tail.slice(cut), false)
        done = after
      })
      const whole = withPrefix(ids)
      return { ids: whole, isAnswer: [...new Array<boolean>(whole.length - ids.length).fill(false), ...isAnswer] }
    },
  }
}

/** Not as arguments of one call: a vocabulary of 150,000 is more than a call takes. */
function largestId(tokenizer: Tokenizer): number {
  let largest = -1
  for (const id of tokenizer.get_vocab(true).values()) largest = Math.max(largest, id)
  return largest
}

/** A special token as a config gives it: its text, or an object that holds it. */
function text(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value
}

/**
 * The end tokens of generation_config.json: one id, or a list.
 * @throws LabError 'corrupt-artifact' for what is no id of this tokenizer
 */
function endIdsOf(generation: TokenizerFiles['generation'], vocabSize: number): readonly number[] {
  const given = generation?.['eos_token_id'] ?? []
  const ids: readonly unknown[] = Array.isArray(given) ? given : [given]
  const stray = ids.find((id) => !Number.isInteger(id) || (id as number) < 0 || (id as number) >= vocabSize)
  if (stray !== undefined)
    throw new LabError('corrupt-artifact', `generation_config.json: eos_token_id: expected ids from 0 to ${vocabSize - 1}, found ${JSON.stringify(stray)}; it belongs to another tokenizer, correct it or remove the file`)
  return ids as readonly number[]
}

/** What generation_config.json asks of answers, under the names of the lab's sampling. */
export interface RecommendedSampling {
  readonly temperature: number
  readonly topP: number
  readonly topK: number
  readonly minP: number
  readonly repetitionPenalty: number
  readonly noRepeatNgramSize: number
}

/** How generation_config.json would have answers chosen, with the reference's own values where it leaves one out; null: greedily, with nothing else. */
export function recommendedSampling({ generation = {} }: Pick<TokenizerFiles, 'generation'>): RecommendedSampling | null {
  const number = (key: string, otherwise: number) => (typeof generation[key] === 'number' ? generation[key] : otherwise)
  const draws = generation['do_sample'] === true
  const asked = {
    temperature: draws ? number('temperature', 1) : 0,
    topP: draws ? number('top_p', 1) : 1,
    topK: draws ? number('top_k', 50) : 0,
    minP: draws ? number('min_p', 0) : 0,
    repetitionPenalty: number('repetition_penalty', 1),
    noRepeatNgramSize: number('no_repeat_ngram_size', 0),
  }
  return draws || asked.repetitionPenalty !== 1 || asked.noRepeatNgramSize !== 0 ? asked : null
}

/** Settings that would change an answer and that the lab does not compute, with the value that changes nothing. */
const NOT_COMPUTED: Readonly<Record<string, unknown>> = {
  num_beams: 1, num_beam_groups: 1, diversity_penalty: 0, penalty_alpha: 0, typical_p: 1, epsilon_cutoff: 0, eta_cutoff: 0, top_h: 0, guidance_scale: 1, min_length: 0, min_new_tokens: 0,
  encoder_repetition_penalty: 1, encoder_no_repeat_ngram_size: 0, exponential_decay_length_penalty: null, sequence_bias: null, bad_words_ids: null, suppress_tokens: null, begin_suppress_tokens: null,
  forced_bos_token_id: null, forced_eos_token_id: null, stop_strings: null, watermarking_config: null,
}

/** What generation_config.json asks for and no answer of the lab follows, as "num_beams 4". */
export function settingsNotComputed({ generation = {} }: Pick<TokenizerFiles, 'generation'>): readonly string[] {
  return Object.entries(NOT_COMPUTED).flatMap(([key, neutral]) => {
    const given = generation[key] ?? neutral
    return given === neutral || (Array.isArray(given) && given.length === 0) ? [] : [`${key} ${JSON.stringify(given)}`]
  })
}

/** The placeholder's text; "<image>" where the files do not say. */
export function imageTokenText(config: TokenizerFiles['config']): string {
  const named = text(config['image_token'])
  return typeof named === 'string' ? named : '<image>'
}

/** The chat template: one text, or a list of named ones of which "default" is meant. */
function templateText(config: TokenizerFiles['config']): string {
  const given = config['chat_template']
  const chosen = Array.isArray(given)
    ? (given as { name?: unknown; template?: unknown }[]).find(({ name }, _, all) => name === 'default' || all.length === 1)?.template
    : given
  if (typeof chosen !== 'string')
    throw new LabError('corrupt-artifact', 'tokenizer_config.json: expected a chat_template; add one, or choose an instruct checkpoint')
  return chosen
}

/** @throws LabError 'corrupt-artifact' for a template of bad syntax, or of syntax that the library does not know */
function parsed(template: string): ReturnType<typeof parseChatTemplate> {
  try {
    return parseChatTemplate(template)
  } catch (thrown) {
    throw new LabError('corrupt-artifact', `chat_template (in tokenizer_config.json or chat_template.jinja): expected a Jinja template, found: ${thrown instanceof Error ? thrown.message : String(thrown)}; correct it, or choose another`, {}, thrown)
  }
}

/**
 * Conversations as the template writes them. Some templates take a turn's words as text, with the placeholder in it; those of
 * multimodal checkpoints take a list of parts, and write the placeholder themselves. Which one this is, is tried.
 */
function chatRenderer(
  config: TokenizerFiles['config'],
  imageText: string,
  endText: unknown,
): { readonly takesParts: boolean; render(turns: readonly ChatTurn[], addGenerationPrompt: boolean): string } {
  const template = parsed(templateText(config))
  const asParts = (words: string) => {
    const image = words.includes(imageText) ? [{ type: 'image' }] : []
    const rest = words.replace(`${imageText}\n`, '').replace(`\n${imageText}`, '').replace(imageText, '')
    return [...image, { type: 'text', text: rest }]
  }
  const renderAs = (content: (words: string) => unknown, turns: readonly ChatTurn[], addGenerationPrompt: boolean) =>
    template({
      messages: turns.map(({ from, text: words }) => ({ role: from === 'human' ? 'user' : from, content: content(words) })),
      add_generation_prompt: addGenerationPrompt,
      bos_token: text(config['bos_token']) ?? '',
      eos_token: endText,
      pad_token: text(config['pad_token']) ?? '',
    })
  const probe: Turn[] = [{ from: 'human', text: `${imageText}\nprobe` }]
  const failures: string[] = []
  const writes = (content: (words: string) => unknown): string | null => {
    try {
      const written = renderAs(content, probe, true)
      return written.includes('probe') ? written : null
    } catch (thrown) {
      // A template that expects the other form fails in its own words; so does one that uses what the library does not know.
      failures.push(thrown instanceof Error ? thrown.message : String(thrown))
      return null
    }
  }
  const asText = (words: string) => words
  const content = writes(asText) !== null ? asText : writes(asParts) !== null ? asParts : null
  if (content === null)
    throw new LabError('corrupt-artifact', `chat_template (in tokenizer_config.json or chat_template.jinja): expected the words of a turn, given as text or as a list of parts, found neither written${failures.length > 0 ? ` (${[...new Set(failures)].join('; ')})` : ''}; choose another template`)
  if (!writes(content)!.includes(imageText))
    throw new LabError('corrupt-artifact', `chat_template (in tokenizer_config.json or chat_template.jinja): expected the image token ${imageText} where a turn has an image, found ${JSON.stringify(writes(content)!)}; the model would never see an image. Correct chat_template, or image_token in tokenizer_config.json`)
  return { takesParts: content === asParts, render: (turns, addGenerationPrompt) => renderAs(content, turns, addGenerationPrompt) }
}

/**
 * Files whose tokenizer knows the image placeholder: as given, or with one added after the last token.
 * @returns the files, and the token's id where it is new
 */
export function withImageToken({ tokenizer, config }: TokenizerFiles): { readonly files: TokenizerFiles; readonly addedId: number | null } {
  const content = imageTokenText(config)
  const known = openTokenizer(tokenizer, config)
  if (known.token_to_id(content) !== undefined) return { files: { tokenizer, config: { ...config, image_token: content } }, addedId: null }
  const addedId = largestId(known) + 1
  const token = { id: addedId, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
  const before = (tokenizer as { added_tokens?: readonly unknown[] }).added_tokens ?? []
  return { files: { tokenizer: { ...tokenizer, added_tokens: [...before, token] }, config: { ...config, image_token: content } }, addedId }
}
