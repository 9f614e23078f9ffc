// tokenizer.json as a tokenizer. The library computes all of it; what is mended here is that its byte fallback takes the bytes
// of a U+FEFF for a byte order mark and drops them, where the reference decodes them like any other character.

import { Tokenizer } from '@huggingface/tokenizers'

/** Standard in Node and browsers; the engine's types know of neither. */
declare const TextDecoder: new (label: string, options: { ignoreBOM: boolean }) => object

/** A decoder of the library, as far as it is looked into. */
interface Decoder {
  readonly decoders?: readonly Decoder[]
  text_decoder?: object
}

/** @param json tokenizer.json   @param config tokenizer_config.json */
export function openTokenizer(json: object, config: object): Tokenizer {
  const tokenizer = new Tokenizer(json, config)
  keepByteOrderMarks(tokenizer.decoder as Decoder | null)
  return tokenizer
}

function keepByteOrderMarks(decoder: Decoder | null): void {
  if (decoder === null) return
  if (decoder.text_decoder !== undefined) decoder.text_decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  for (const each of decoder.decoders ?? []) keepByteOrderMarks(each)
}
