// Judging an answer by rule: Cambrian's cleaning (github.com/cambrian-mllm/cambrian, eval), exact match, relaxed numbers,
// containment, ANLS, and VQA accuracy with EvalAI's normalisation. Deliberately absent: a judge model, and any repair of an
// answer that cannot be parsed beyond what is written here.

import { LabError } from '../../../domain/errors.ts'

/**
 * Cambrian's shared cleaning: lower-case; the text after the last "answer is", "answer is:" or "answer:"; without blanks at
 * the ends, trailing `.`, `:` and `,`, a leading `(` and a trailing `)`.
 */
export function cleanAnswer(text: string): string {
  const lower = text.toLowerCase()
  const marker = [...lower.matchAll(/answer is:?|answer:/g)].at(-1)
  return (marker ? lower.slice(marker.index + marker[0].length) : lower)
    .trim()
    .replace(/[.:,\s]+$/, '')
    .replace(/^\(/, '')
    .replace(/\)$/, '')
    .trim()
}

/** The option letter of an answer to a multiple-choice question, upper case, or null when it does not begin with one. */
export function optionLetter(text: string): string | null {
  const first = /^[a-z](?![a-z])/.exec(cleanAnswer(text))
  return first ? first[0].toUpperCase() : null
}

/** The cleaned prediction equals one of the cleaned answers. An empty prediction equals nothing. */
export function exactMatch(prediction: string, answers: readonly string[]): boolean {
  const said = cleanAnswer(prediction)
  return said !== '' && requireAnswers(answers).some((answer) => cleanAnswer(answer) === said)
}

/** Some answer is contained in the prediction, both lower-case and trimmed (OCRBench's default). */
export function containsAnswer(prediction: string, answers: readonly string[]): boolean {
  const said = prediction.toLowerCase().trim()
  return requireAnswers(answers).some((answer) => answer.trim() !== '' && said.includes(answer.toLowerCase().trim()))
}

/**
 * ChartQA's relaxed accuracy: numbers within 5 % of the answer, |p − g| ≤ 0.05·|g|, anything else by exact match after
 * cleaning. A percent sign divides by 100 on both sides; an answer of 0 asks for exactly 0.
 */
export function relaxedMatch(prediction: string, answers: readonly string[], tolerance = 0.05): boolean {
  const said = numberIn(cleanAnswer(prediction))
  return requireAnswers(answers).some((answer) => {
    const gold = numberIn(cleanAnswer(answer))
    return said !== null && gold !== null
      ? Math.abs(said - gold) <= tolerance * Math.abs(gold) * (1 + 1e-12)
      : exactMatch(prediction, [answer])
  })
}

function numberIn(text: string): number | null {
  const match = /^([+-]?(?:\d+(?:,\d{3})*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)\s*(%?)$/i.exec(text)
  return match ? Number(match[1]!.replaceAll(',', '')) / (match[2] ? 100 : 1) : null
}

/**
 * Average normalised Levenshtein similarity of one question (Biten et al. 2019, arXiv 1905.13648; DocVQA):
 *
 *   max over answers of s = 1 − Lev(p, g)/max(|p|, |g|), counted as 0 when s < threshold
 *
 * lower-case, blanks collapsed, characters being Unicode code points. At exactly ½ it counts.
 */
export function anls(prediction: string, answers: readonly string[], threshold = 0.5): number {
  const tidy = (text: string) => [...text.toLowerCase().trim().split(/\s+/).join(' ')]
  const said = tidy(prediction)
  const best = requireAnswers(answers).reduce((most, answer) => {
    const gold = tidy(answer)
    const length = Math.max(said.length, gold.length)
    return Math.max(most, length === 0 ? 1 : 1 - editDistance(said, gold) / length)
  }, 0)
  return best >= threshold ? best : 0
}

/** Levenshtein distance: insertions, deletions and substitutions, one each. */
export function editDistance(a: readonly string[], b: readonly string[]): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++)
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    previous = row
  }
  return previous[b.length]!
}

/**
 * VQA accuracy of one question (Goyal et al. 2017, arXiv 1612.00837), as TextVQA computes it: for each answer left out,
 * min(1, matches among the others/3); averaged. With 10 answers 0, 1, 2, 3, 4 matches give 0, 0.3, 0.6, 0.9, 1.
 * A single answer leaves nothing when left out, and is an exact match. Both sides are normalised first.
 */
export function vqaAccuracy(prediction: string, answers: readonly string[]): number {
  const said = normaliseVqaAnswer(prediction)
  const matches = requireAnswers(answers).map((answer) => normaliseVqaAnswer(answer) === said)
  if (matches.length === 1) return matches[0] ? 1 : 0
  const count = matches.filter(Boolean).length
  const leftOut = matches.map((isMatch) => Math.min(1, (count - (isMatch ? 1 : 0)) / 3))
  return leftOut.reduce((sum, each) => sum + each, 0) / matches.length
}

/**
 * EvalAI's answer processor for VQA: lower-case; punctuation dropped, or turned into a blank between words; number words
 * to digits; articles dropped; apostrophes put back into contractions.
 */
export function normaliseVqaAnswer(answer: string): string {
  const flat = answer
    .toLowerCase()
    .replaceAll(',', '')
    .replaceAll('?', '')
    .replaceAll("'s", " 's")
    .trim()
    .replace(/[\n\t]/g, ' ')
    .trim()
  let text = flat
  for (const mark of PUNCTUATION) text = text.replaceAll(mark, flat.includes(`${mark} `) || flat.includes(` ${mark}`) ? '' : ' ')
  // A full stop that is not a decimal point goes.
  return text
    .replace(/\.(?!\d)/g, '')
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => NUMBER_WORDS.get(word) ?? word)
    .filter((word) => !ARTICLES.has(word))
    .map((word) => CONTRACTIONS.get(word) ?? word)
    .join(' ')
}

const PUNCTUATION = [...';/[]"{}()=+\\_-><@`!']
const ARTICLES = new Set(['a', 'an', 'the'])
const NUMBER_WORDS = new Map(
  ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'].map((word, i): [string, string] => [
    word,
    String(i),
  ]),
).set('none', '0')

/** Words that lost their apostrophe; the key is the word without the mark at its usual place. */
const CONTRACTIONS: ReadonlyMap<string, string> = new Map([
  // Without any apostrophe: the key is the word with its marks taken out.
  ...(
    "ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd how'll " +
    "how's isn't it'd it'll ma'am mightn't might've mustn't must've needn't not've o'clock oughtn't shan't should've " +
    "shouldn't somebody'll somebody's someone'd someone'll someone's something'd something'll that's there'd there're there's " +
    "they'd they'll they're they've 'twas wasn't we've weren't what'll what're what's what've when's where'd where's " +
    "where've who'd who'll who's who've why'll why're why's won't would've wouldn't y'all you'd you'll you're you've"
  )
    .split(' ')
    .map((word): [string, string] => [word.replaceAll("'", ''), word]),
  // With one of two apostrophes: the other is put back.
  ...(
    "couldn't've hadn't've he'd've it'd've mightn't've she'd've shouldn't've somebody'd've someone'd've something'd've " +
    "there'd've they'd've we'd've who'd've wouldn't've y'all'll you'd've"
  )
    .split(' ')
    .flatMap((word): [string, string][] => {
      const [first, second] = [word.indexOf("'"), word.lastIndexOf("'")]
      return [
        [word.slice(0, first) + word.slice(first + 1), word],
        [word.slice(0, second) + word.slice(second + 1), word],
      ]
    }),
  ["yall'd've", "y'all'd've"],
  ["y'alld've", "y'all'd've"],
  ["y'all'dve", "y'all'd've"],
  ["somebody'd", 'somebodyd'],
])

function requireAnswers(answers: readonly string[]): readonly string[] {
  if (answers.length === 0) throw new LabError('invalid-input', 'answers: expected at least one answer to compare with, got none')
  return answers
}
