// The tokenizer of a dual encoder's text tower: a short text as exactly as many tokens as there are positions, the way the
// family was trained. CLIP ends with its end token, SigLIP reads its padding, and neither has a chat template.

import { LabError } from '../../domain/errors.ts'
import { openTokenizer } from './open-tokenizer.ts'
import type { TokenizerFiles } from './tokenizer.ts'

export interface TextEncoderTokenizer {
  /** As many ids as there are positions. @throws LabError 'invalid-input' for a text that is longer */
  encode(text: string): number[]
}

/**
 * @param family  SigLIP was trained on lower-case text without punctuation (big_vision's canonicalisation), SigLIP 2 on lower case
 * @throws LabError 'corrupt-artifact' when the files have no padding token
 */
export function createTextEncoderTokenizer({ tokenizer: json, config }: TokenizerFiles, family: 'clip' | 'siglip' | 'siglip2', positions: number): TextEncoderTokenizer {
  const tokenizer = openTokenizer(json, config)
  const pad = config['pad_token'] ?? config['eos_token']
  const padText = typeof pad === 'object' && pad !== null ? (pad as { content?: unknown }).content : pad
  const padId = typeof padText === 'string' ? tokenizer.token_to_id(padText) : undefined
  if (padId === undefined)
    throw new LabError('corrupt-artifact', `the tokenizer has no padding token (${JSON.stringify(padText)}); add pad_token to tokenizer_config.json`)
  return {
    encode(text) {
      const { ids } = tokenizer.encode(canonical(text, family), { add_special_tokens: true })
      if (ids.length > positions) throw new LabError('invalid-input', `text ${JSON.stringify(text)}: expected at most ${positions} tokens, found ${ids.length}; shorten the class name or the template`)
      return [...ids, ...new Array<number>(positions - ids.length).fill(padId)]
    },
  }
}

function canonical(text: string, family: 'clip' | 'siglip' | 'siglip2'): string {
  if (family === 'clip') return text
  const lower = text.toLowerCase()
  if (family === 'siglip2') return lower
  return lower
    .replace(/[!-/:-@[-`{-~]/g, '')
    .replace(/\s+/g, ' ')
    .trim()
}
