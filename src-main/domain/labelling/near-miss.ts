// Rule-made wrong answers: what is true of another image under a question of the same kind. Numbers miss by one where
// they can, because two is the near miss of three and not seven.

import { createRandom } from '../random.ts'
import { plainWords, wordSimilarity } from './word-difference.ts'

export interface AskedQuestion {
  readonly id: string
  readonly question: string
  readonly answer: string
  readonly category: string | null
}

/** Other questions looked at for each: the most alike of a draw is near enough, and a draw keeps the rule linear. */
const DRAWN = 40

/** A near miss for each question that has one, by id. The same questions and seed give the same misses. */
export function nearMisses(questions: readonly AskedQuestion[], seed: number): ReadonlyMap<string, string> {
  const kinds = new Map<string, AskedQuestion[]>()
  for (const each of questions) kinds.set(kindOf(each), [...(kinds.get(kindOf(each)) ?? []), each])
  const misses = new Map<string, string>()
  for (const each of questions) {
    const alike = kinds.get(kindOf(each))!
    const random = createRandom(seed, 'near-miss', each.id)
    const drawn = alike.length <= DRAWN ? random.shuffle(alike) : Array.from({ length: DRAWN }, () => random.pick(alike))
    const own = plain(each.answer)
    const best = drawn
      .filter(({ answer }) => plain(answer) !== own)
      .map((other) => ({ answer: other.answer, distance: distance(each, other) }))
      .toSorted((x, y) => x.distance - y.distance)[0]
    if (best !== undefined) misses.set(each.id, best.answer)
  }
  return misses
}

/** Numbers far apart are far, whatever the questions; else the less alike the questions, the farther. */
function distance(a: AskedQuestion, b: AskedQuestion): number {
  const [x, y] = [Number(a.answer), Number(b.answer)]
  const apart = Number.isFinite(x) && Number.isFinite(y) ? Math.abs(x - y) : 0
  return apart + 1 - wordSimilarity(plainWords(a.question), plainWords(b.question))
}

/** Category, how the question begins, and whether a number answers it. */
function kindOf({ question, answer, category }: AskedQuestion): string {
  return [category ?? '', question.toLowerCase().split(/\s+/).slice(0, 2).join(' '), Number.isFinite(Number(answer)) ? 'number' : 'words'].join('\u0000')
}

function plain(answer: string): string {
  return answer.toLowerCase().replace(/[.\s]+$/, '').trim()
}
