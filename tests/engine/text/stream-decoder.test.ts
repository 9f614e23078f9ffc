// Streaming text: the pieces together are the whole text, no piece is half a character, and stop strings end it.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createStreamDecoder } from '../../../src-main/engine/text/stream-decoder.ts'
import { createChatTokenizer } from '../../../src-main/engine/text/tokenizer.ts'
import { trainTokenizer } from '../../../src-main/engine/text/train-tokenizer.ts'

const byteLevel = createChatTokenizer(trainTokenizer(['the red square', 'naïve café'], 290))
const { legacy } = JSON.parse(readFileSync(join(import.meta.dirname, 'sentencepiece.json'), 'utf8')) as { legacy: { tokenizer: object } }
const sentencePiece = createChatTokenizer({
  tokenizer: legacy.tokenizer,
  config: { bos_token: '<s>', eos_token: '</s>', pad_token: '<pad>', chat_template: "{% for m in messages %}{{ m['content'] }}{% endfor %}" },
})
const TEXTS = ['the red square', 'naïve café', '你好, 世界', 'a 👩‍👩‍👧‍👦 family', 'line\nbreak  and   spaces', '']

for (const [name, tokenizer] of Object.entries({ byteLevel, sentencePiece }))
  describe(`streamed by ${name} tokens`, () => {
    it('the pieces make the text that decoding all at once makes, and none is half a character', () => {
      for (const text of TEXTS) {
        const decoder = createStreamDecoder(tokenizer)
        const ids = tokenizer.encode(text)
        const pieces = [...ids.map((id) => decoder.push(id)), decoder.end()]
        expect(pieces.join(''), JSON.stringify(text)).toBe(tokenizer.decode(ids))
        expect(pieces.join('')).not.toContain('\uFFFD')
        for (const piece of pieces) expect(piece.isWellFormed()).toBe(true)
      }
    })

    it('words come as soon as they are certain, not at the end', () => {
      const decoder = createStreamDecoder(tokenizer)
      const ids = tokenizer.encode('the red square and the rest')
      const early = ids.slice(0, -1).map((id) => decoder.push(id))
      expect(early.join('').length).toBeGreaterThan('the red square and the'.length - 1)
    })

    it('a character that never becomes whole is handed out at the end, marked', () => {
      const decoder = createStreamDecoder(tokenizer)
      const [first] = tokenizer.encode('你').slice(-3)
      expect(decoder.push(first!)).toBe('')
      expect(decoder.end()).toContain('\uFFFD')
    })

    it('a stop string ends the answer before it, however the tokens cut it', () => {
      for (const [text, stops, expected] of [
        ['red STOP blue', ['STOP'], 'red '],
        ['red STO blue', ['STOP'], 'red STO blue'],
        ['red ST', ['STOP'], 'red ST'],
        ['aab', ['ab'], 'a'],
        ['one two three', ['three', 'two'], 'one '],
        ['red', [], 'red'],
      ] as const) {
        const decoder = createStreamDecoder(tokenizer, stops)
        const out = tokenizer.encode(text).map((id) => decoder.push(id))
        expect([...out, decoder.end()].join(''), `${text} until ${stops.join()}`).toBe(expected)
        expect(decoder.hasStopped).toBe(expected !== text)
      }
    })
  })
