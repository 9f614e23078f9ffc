import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mayBeSimilar, plainWords, wordDifference, wordSimilarity } from '../../../src-main/domain/labelling/word-difference.ts'

const text = (parts: readonly { readonly text: string }[]) => parts.map((part) => part.text).join('')
const marked = (parts: readonly { readonly text: string; readonly isShared: boolean }[]) =>
  parts.map((part) => (part.isShared ? part.text : `[${part.text}]`)).join('')

describe('the difference of two answers', () => {
  it('marks the words that differ and leaves the others', () => {
    const { a, b } = wordDifference('There are three red mugs.', 'There are two red cups.')
    expect(marked(a)).toBe('There are [three] red [mugs].')
    expect(marked(b)).toBe('There are [two] red [cups].')
  })

  it('marks a row of changed words as one', () => {
    expect(marked(wordDifference('a big blue car', 'a tiny grey car').a)).toBe('a [big blue] car')
  })

  it('is nothing for equal texts and everything for texts without a common word', () => {
    expect(wordDifference('same words', 'same words').a).toEqual([{ text: 'same words', isShared: true }])
    expect(wordDifference('yes', 'no').b).toEqual([{ text: 'no', isShared: false }])
    expect(wordDifference('', 'no')).toEqual({ a: [], b: [{ text: 'no', isShared: false }] })
  })

  it('loses no character, and what is shared is the same on both sides', () => {
    const words = fc.array(fc.constantFrom('a', 'b', ' ', '\n', 'né', '3.5', '，', '🙂', '<b>'), { maxLength: 40 }).map((each) => each.join(''))
    fc.assert(
      fc.property(words, words, (left, right) => {
        const { a, b } = wordDifference(left, right)
        expect(text(a)).toBe(left)
        expect(text(b)).toBe(right)
      }),
      { numRuns: 500, seed: 1 },
    )
  })

  it('of a text far beyond the table is still whole', () => {
    const [long, other] = ['x y '.repeat(3000), 'z w '.repeat(3000)]
    expect(text(wordDifference(long, other).a)).toBe(long)
  })
})

describe('the similarity of two answers', () => {
  it('is the share of words in common and in order', () => {
    const similarity = (a: string, b: string) => wordSimilarity(plainWords(a), plainWords(b))
    // Three of four and three of five words: 2·3/9.
    expect(similarity('the cat sat down', 'The cat, it sat up')).toBeCloseTo(6 / 9, 12)
    expect(similarity('Yes.', 'yes')).toBe(1)
    expect(similarity('', '!')).toBe(1)
    expect(similarity('yes', '?')).toBe(0)
  })

  it('never passes the bound by which pairs are left out unread', () => {
    const words = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(words, words, (a, b) => {
        if (wordSimilarity(a, b) >= 0.95) expect(mayBeSimilar(a, b, 0.95)).toBe(true)
      }),
      { numRuns: 500, seed: 2 },
    )
  })
})
