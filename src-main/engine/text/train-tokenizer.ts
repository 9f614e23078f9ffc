// A byte-level BPE tokenizer learned from text, written as a Hugging Face tokenizer.json: for models from scratch only.
// Its rules are those of GPT-2 and Qwen2 (bytes as visible characters, Qwen2's pre-tokenisation), its chat template is
// the shortest that keeps turns apart, because a small model pays for every token.

import { LabError } from '../../domain/errors.ts'
import type { TokenizerFiles } from './tokenizer.ts'

/** Qwen2's pre-tokenisation. */
const SPLIT = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const SPLIT_PATTERN = new RegExp(SPLIT.replace('(?i:', '(?:'), 'giu')

const SPECIAL = { pad: '<|pad|>', user: '<|user|>', assistant: '<|assistant|>', end: '<|end|>', image: '<image>' } as const

const CHAT_TEMPLATE =
  "{% for message in messages %}{% if message['role'] == 'user' %}" +
  `${SPECIAL.user}{{ message['content'] }}{% else %}${SPECIAL.assistant}{{ message['content'] }}${SPECIAL.end}` +
  `{% endif %}{% endfor %}{% if add_generation_prompt %}${SPECIAL.assistant}{% endif %}`

declare const TextEncoder: new () => { encode(text: string): Uint8Array }

/**
 * Learns merges until the vocabulary has `vocabSize` tokens or no pair occurs twice.
 * @throws LabError 'invalid-input' when `vocabSize` has no room for bytes and special tokens
 */
export function trainTokenizer(texts: Iterable<string>, vocabSize: number): TokenizerFiles {
  const special = Object.values(SPECIAL)
  const bytes = byteCharacters()
  if (vocabSize < bytes.length + special.length)
    throw new LabError('invalid-input', `vocabSize: expected at least ${bytes.length + special.length} (bytes and special tokens), got ${vocabSize}`)
  const words = countWords(texts, bytes)
  const vocabulary = [...special, ...[...bytes].sort()]
  const merges: [string, string][] = []
  const pieces = [...words].map(([word, count]) => ({ symbols: [...word], count }))
  while (vocabulary.length < vocabSize) {
    const best = mostFrequentPair(pieces)
    if (best === null) break
    merges.push(best)
    vocabulary.push(best[0] + best[1])
    for (const piece of pieces) piece.symbols = merge(piece.symbols, best)
  }
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: special.map((content, id) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })),
      normalizer: null,
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          { type: 'Split', pattern: { Regex: SPLIT }, behavior: 'Isolated', invert: false },
          { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
        ],
      },
      post_processor: null,
      decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
        merges,
      },
    },
    config: {
      tokenizer_class: 'PreTrainedTokenizerFast',
      eos_token: SPECIAL.end,
      pad_token: SPECIAL.pad,
      image_token: SPECIAL.image,
      additional_special_tokens: special,
      clean_up_tokenization_spaces: false,
      model_max_length: 131072,
      chat_template: CHAT_TEMPLATE,
    },
  }
}

/** GPT-2's visible character for each byte: printable ones stand for themselves, the others move above 255. */
function byteCharacters(): string[] {
  const isPrintable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isPrintable(byte) ? byte : next++))
}

function countWords(texts: Iterable<string>, bytes: readonly string[]): Map<string, number> {
  const encoder = new TextEncoder()
  const counts = new Map<string, number>()
  const specials = new RegExp(Object.values(SPECIAL).map((token) => token.replace(/[|]/g, '\\|')).join('|'))
  for (const text of texts)
    for (const plain of text.split(specials))
      for (const [word] of plain.matchAll(SPLIT_PATTERN)) counts.set(word, (counts.get(word) ?? 0) + 1)
  return new Map([...counts].map(([word, count]) => [[...encoder.encode(word)].map((byte) => bytes[byte]!).join(''), count]))
}

/** Ties go to the pair that sorts first, so that the result does not depend on the order of the texts. */
function mostFrequentPair(pieces: readonly { readonly symbols: readonly string[]; readonly count: number }[]): [string, string] | null {
  const counts = new Map<string, number>()
  for (const { symbols, count } of pieces)
    for (let i = 1; i < symbols.length; i++) {
      const pair = `${symbols[i - 1]} ${symbols[i]}`
      counts.set(pair, (counts.get(pair) ?? 0) + count)
    }
  let best: string | null = null
  let most = 1
  for (const [pair, count] of counts)
    if (count > most || (count === most && best !== null && pair < best)) [best, most] = [pair, count]
  return best === null ? null : (best.split(' ') as [string, string])
}

function merge(symbols: readonly string[], [left, right]: readonly [string, string]): string[] {
  const merged: string[] = []
  for (const symbol of symbols)
    if (symbol === right && merged.at(-1) === left) merged[merged.length - 1] = left + right
    else merged.push(symbol)
  return merged
}
