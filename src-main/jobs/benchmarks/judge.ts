// One answer judged by one measure. `parsed` is what was judged; null: nothing could be made of the answer, which then counts
// as wrong and is counted on its own.

import type { BenchmarkItem, Measure } from '../../domain/benchmark.ts'
import { anls, cleanAnswer, containsAnswer, exactMatch, optionLetter, relaxedMatch, vqaAccuracy } from '../../engine/evaluate/measures/answers.ts'

export interface Judgement {
  readonly value: number
  readonly parsed: string | null
}

const UNPARSED: Judgement = { value: 0, parsed: null }

export function judgeAnswer(measure: Measure, { answers, options }: Pick<BenchmarkItem, 'answers' | 'options'>, given: string): Judgement {
  const said = cleanAnswer(given)
  if (said === '') return UNPARSED
  switch (measure) {
    case 'option': {
      const letter = letterOf(said, given, options)
      return letter === null ? UNPARSED : { value: answers.includes(letter) ? 1 : 0, parsed: letter }
    }
    case 'yes-no': {
      const word = firstWord(said)
      return word === 'yes' || word === 'no' ? { value: answers.some((each) => cleanAnswer(each) === word) ? 1 : 0, parsed: word } : UNPARSED
    }
    case 'first-word': {
      const word = firstWord(said)
      return word === '' ? UNPARSED : { value: answers.some((each) => cleanAnswer(each) === word) ? 1 : 0, parsed: word }
    }
    case 'exact':
      return { value: exactMatch(given, answers) ? 1 : 0, parsed: said }
    case 'contains':
      return { value: containsAnswer(given, answers) ? 1 : 0, parsed: given.toLowerCase().trim() }
    case 'relaxed':
      return { value: relaxedMatch(given, answers) ? 1 : 0, parsed: said }
    case 'vqa':
      return { value: vqaAccuracy(said, answers), parsed: said }
    case 'anls':
      return { value: anls(given, answers), parsed: given.trim() }
  }
}

/** The option whose text was given, else the letter that the answer begins with; null where it is no option's. */
function letterOf(said: string, given: string, options: readonly string[]): string | null {
  const at = options.findIndex((option) => cleanAnswer(option) === said)
  if (at >= 0) return letterAt(at)
  const letter = optionLetter(given)
  return letter !== null && (options.length === 0 || letter.charCodeAt(0) - 65 < options.length) ? letter : null
}

export const letterAt = (index: number): string => String.fromCharCode(65 + index)

const firstWord = (said: string): string => said.split(/\s+/)[0]!.replace(/[^\p{L}\p{N}%$]+$/u, '')
