// A tokenizer learned from text: what it learns, what it never merges, and what it does not depend on.

import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../src-main/domain/random.ts'
import { createChatTokenizer } from '../../../src-main/engine/text/tokenizer.ts'
import { trainTokenizer } from '../../../src-main/engine/text/train-tokenizer.ts'
import { faultOf } from '../../support/fault-of.ts'

interface TokenizerJson {
  readonly added_tokens: readonly { readonly id: number; readonly content: string; readonly special: boolean }[]
  readonly model: { readonly vocab: Readonly<Record<string, number>>; readonly merges: readonly (readonly [string, string])[] }
}
const jsonOf = (files: { readonly tokenizer: object }) => files.tokenizer as unknown as TokenizerJson
const SMALLEST = 256 + 5
const TEXTS = [
  'How many red squares are there? There are 3 red squares.',
  'Where is the dog? The dog is on the right of the table.',
  "It's the dog's table; they're red. Naïve café 你好世界 👩‍👩‍👧‍👦",
]

describe('trainTokenizer', () => {
  it('merges the most frequent pair first; of equal ones the one that sorts first', () => {
    // Words: "ab" 3×, " ab" 2× (Ġ is the space): a·b occurs 5×, Ġ·ab 2×. Then c·d and c·e occur twice each.
    const { merges } = jsonOf(trainTokenizer(['ab ab', 'ab ab', 'ab', 'cd', 'ce', 'cd', 'ce'], SMALLEST + 4)).model
    expect(merges).toEqual([
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'e'],
      ['Ġ', 'ab'],
    ])
  })

  it('numbers tokens without a gap: special ones, bytes, then merges in their order', () => {
    const alphabet = ['a', 'b', 'ab', 'ba', ' ', 'aa', 'é']
    for (let seed = 0; seed < 20; seed++) {
      const random = createRandom(seed, 'texts')
      const texts = Array.from({ length: 6 }, () => Array.from({ length: 12 }, () => random.pick(alphabet)).join(''))
      const { vocab, merges } = jsonOf(trainTokenizer(texts, SMALLEST + 25)).model
      expect(Object.values(vocab).sort((a, b) => a - b)).toEqual(Array.from({ length: Object.keys(vocab).length }, (_, id) => id))
      merges.forEach(([left, right], i) => expect(vocab[left + right]).toBe(SMALLEST + i))
    }
  })

  it('does not depend on the order of the texts', () => {
    expect(trainTokenizer([...TEXTS].reverse(), 330)).toEqual(trainTokenizer(TEXTS, 330))
  })

  it('gives special tokens the first numbers, and never learns from them', () => {
    const plain = jsonOf(trainTokenizer(TEXTS, 320))
    expect(plain.added_tokens.map(({ id, content, special }) => [id, content, special])).toEqual([
      [0, '<|pad|>', true],
      [1, '<|user|>', true],
      [2, '<|assistant|>', true],
      [3, '<|end|>', true],
      [4, '<image>', true],
    ])
    const withSpecial = TEXTS.map((text) => `<image><|user|>${text}<|end|>`)
    expect(jsonOf(trainTokenizer(withSpecial, 320)).model).toEqual(plain.model)
  })

  it('stops where no pair occurs twice, and never exceeds the size asked for', () => {
    expect(jsonOf(trainTokenizer(['ab'], 1000)).model.merges).toEqual([])
    for (const size of [SMALLEST, 270, 290])
      expect(Object.keys(jsonOf(trainTokenizer(TEXTS, size)).model.vocab).length).toBe(size)
    expect(jsonOf(trainTokenizer([], 300)).model.merges).toEqual([])
  })

  it('refuses a size without room for bytes and special tokens, and says how much room it takes', () => {
    const fault = faultOf(() => trainTokenizer(TEXTS, SMALLEST - 1))
    expect(fault.code).toBe('invalid-input')
    expect(fault.message).toContain(String(SMALLEST))
  })

  it('makes a frequent word one token, and text shorter the more it may learn', () => {
    const lengths = [SMALLEST, 270, 280, 290].map((size) => {
      const tokenizer = createChatTokenizer(trainTokenizer(TEXTS, size))
      return TEXTS.reduce((sum, text) => sum + tokenizer.encode(text).length, 0)
    })
    for (let i = 1; i < lengths.length; i++) expect(lengths[i]!).toBeLessThan(lengths[i - 1]!)
    expect(createChatTokenizer(trainTokenizer(['square square square square'], 280)).encode(' square').length).toBe(1)
  })
})
