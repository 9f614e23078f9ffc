// The rules of Cambrian's scripts, DocVQA and EvalAI, on cases that tell them apart.

import { describe, expect, it } from 'vitest'
import {
  anls,
  cleanAnswer,
  containsAnswer,
  editDistance,
  exactMatch,
  normaliseVqaAnswer,
  optionLetter,
  relaxedMatch,
  vqaAccuracy,
} from '../../../../src-main/engine/evaluate/measures/answers.ts'
import { refusal } from '../../../support/refusal.ts'

describe('cleaning', () => {
  it.each([
    ['Red.', 'red'],
    ['The answer is: Red', 'red'],
    ['the answer is red, no: the answer is blue.', 'blue'],
    ['Answer: (B)', 'b'],
    ['(b).', 'b'],
    ['  two words :', 'two words'],
    ['3,', '3'],
    ['', ''],
    ['...', ''],
    ['a.b', 'a.b'],
  ])('%j becomes %j', (text, cleaned) => {
    expect(cleanAnswer(text)).toBe(cleaned)
  })

  it.each([
    ['B', 'B'],
    ['(b) the dog', 'B'],
    ['The answer is: C.', 'C'],
    ['D: nothing', 'D'],
    ['banana', null],
    ['', null],
    ['7', null],
  ])('the option letter of %j is %j', (text, letter) => {
    expect(optionLetter(text)).toBe(letter)
  })
})

describe('matching', () => {
  it('exact match is after cleaning, against any answer, and never on an empty prediction', () => {
    expect(exactMatch('Answer: Red.', ['blue', 'red'])).toBe(true)
    expect(exactMatch('dark red', ['red'])).toBe(false)
    expect(exactMatch('', ['.'])).toBe(false)
  })

  it('containment is enough for OCR', () => {
    expect(containsAnswer('The sign says STOP!', ['stop'])).toBe(true)
    expect(containsAnswer('stp', ['stop'])).toBe(false)
    expect(containsAnswer('anything', ['  '])).toBe(false)
  })

  it('relaxed: 5 % of the answer, inclusive; 0 only by 0; words exactly', () => {
    expect([
      relaxedMatch('105', ['100']),
      relaxedMatch('105.1', ['100']),
      relaxedMatch('95', ['100']),
      relaxedMatch('-95', ['-100']),
    ]).toEqual([true, false, true, true])
    expect([relaxedMatch('0', ['0']), relaxedMatch('0.0', ['0']), relaxedMatch('0.001', ['0'])]).toEqual([true, true, false])
    expect([relaxedMatch('1,050', ['1000']), relaxedMatch('12%', ['0.12']), relaxedMatch('12', ['12%'])]).toEqual([
      true,
      true,
      false,
    ])
    expect([relaxedMatch('Brazil', ['brazil']), relaxedMatch('', ['0'])]).toEqual([true, false])
  })
})

describe('ANLS', () => {
  it('exactly ½ counts, less does not', () => {
    expect(anls('ab', ['ac'])).toBe(0.5)
    expect(anls('abx', ['ayz'])).toBe(0)
  })

  it('takes the best answer, ignores case and blanks, counts characters and not code units', () => {
    expect(anls('  Invoice   12 ', ['nothing', 'invoice 12'])).toBe(1)
    expect(anls('🦊🦊', ['🦊🐻'])).toBe(0.5)
    expect([anls('', ['']), anls('', ['a'])]).toEqual([1, 0])
  })

  it('edit distance: kitten to sitting takes 3, and is symmetric', () => {
    expect(editDistance([...'kitten'], [...'sitting'])).toBe(3)
    expect(editDistance([...'sitting'], [...'kitten'])).toBe(3)
    expect(editDistance([], [...'abc'])).toBe(3)
  })
})

describe('VQA accuracy', () => {
  it.each([
    ['The Dog', 'dog'],
    ['two dogs', '2 dogs'],
    ['none', '0'],
    ['dont know', "don't know"],
    ['couldntve', 'couldntve'],
    ["couldnt've", "couldn't've"],
    ['yes.', 'yes'],
    ['3.5', '3.5'],
    ['1,000', '1000'],
    ['black-white', 'black white'],
    ['black- white', 'black white'],
    ["man's hat", "man 's hat"],
  ])('%j is normalised to %j', (answer, normalised) => {
    expect(normaliseVqaAnswer(answer)).toBe(normalised)
  })

  it('2, 3 and 9 of 10 agreeing annotators give 0.6, 0.9 and 1', () => {
    for (const [matches, score] of [
      [2, 0.6],
      [3, 0.9],
      [9, 1],
    ] as const)
      expect(
        vqaAccuracy('Red', [...new Array<string>(matches).fill('red'), ...new Array<string>(10 - matches).fill('blue')]),
      ).toBeCloseTo(score, 12)
  })

  it('a single answer is an exact match', () => {
    expect([vqaAccuracy('a cat', ['cat']), vqaAccuracy('dog', ['cat'])]).toEqual([1, 0])
  })

  it('refuses a question without answers', () => {
    for (const call of [() => vqaAccuracy('x', []), () => anls('x', []), () => exactMatch('x', [])])
      expect(refusal(call)).toBe('invalid-input')
  })
})
