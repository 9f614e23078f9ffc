// What a model's own answer is worth, by rules that anyone can check, and what that makes of a group of answers to one prompt.
// Deliberately absent: a reward model, and any credit for an answer that cannot be read.

import type { ObjectiveOf } from '../../domain/objective-config.ts'
import { exactMatch, relaxedMatch } from '../evaluate/measures/answers.ts'

/**
 * The reward of an answer, 0 to 1: the largest against any of those that the dataset accepts.
 *
 *   exact-match  1 when both are equal after the lab's cleaning (that of question answering)
 *   number       1 when the number is within numberTolerance·|expected| of the expected one; words by exact match
 *   box-iou      intersection over union of the first box x1, y1, x2, y2 in each; 0 where there is none
 */
export function verifiableReward(
  { reward, numberTolerance }: Pick<ObjectiveOf<'grpo'>, 'reward' | 'numberTolerance'>,
  answer: string,
  accepted: readonly string[],
): number {
  switch (reward) {
    case 'exact-match':
      return exactMatch(answer, accepted) ? 1 : 0
    case 'number':
      return relaxedMatch(answer, accepted, numberTolerance) ? 1 : 0
    case 'box-iou': {
      const found = boxIn(answer)
      if (found === null) return 0
      return accepted.reduce((best, expected) => {
        const wanted = boxIn(expected)
        return wanted === null ? best : Math.max(best, intersectionOverUnion(found, wanted))
      }, 0)
    }
  }
}

/** Corners x1 ≤ x2, y1 ≤ y2, in whatever unit the text uses. */
type Corners = readonly [x1: number, y1: number, x2: number, y2: number]

const NUMBER = String.raw`\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*`
const BOX = new RegExp(`[[(]${[NUMBER, NUMBER, NUMBER, NUMBER].join(',')}[\\])]`)

/** The first four numbers in brackets, as vision-language models are taught to write a box; null when it is no box. */
function boxIn(text: string): Corners | null {
  const match = BOX.exec(text)
  if (match === null) return null
  const [x1, y1, x2, y2] = match.slice(1).map(Number) as unknown as Corners
  return x1 < x2 && y1 < y2 ? [x1, y1, x2, y2] : null
}

function intersectionOverUnion(a: Corners, b: Corners): number {
  const area = ([x1, y1, x2, y2]: Corners) => Math.max(0, x2 - x1) * Math.max(0, y2 - y1)
  const common = area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])])
  return common / (area(a) + area(b) - common)
}

/** Rewards of G answers to each of some prompts, and what they say. */
export interface GroupAdvantages {
  /** As given: one list a prompt. */
  readonly advantages: readonly (readonly number[])[]
  /** Under TRL's names. */
  readonly metrics: Readonly<Record<'reward' | 'reward_std' | 'frac_reward_zero_std', number>>
}

/**
 * A_i = (R_i − mean R)/(std R + 10⁻⁴), over the group (GRPO, arXiv 2402.03300, section 4.1.2), with the standard deviation of
 * the group, of the whole batch, or none (Dr. GRPO, arXiv 2503.20783, which shows the division to favour easy and hard prompts).
 * Standard deviations are of a sample (n − 1), as TRL takes them. A group whose rewards are all alike teaches nothing.
 */
export function groupAdvantages(rewards: readonly (readonly number[])[], scaleRewards: ObjectiveOf<'grpo'>['scaleRewards']): GroupAdvantages {
  const all = rewards.flat()
  const spread = deviation(all)
  const scaleOf = (group: readonly number[]) => (scaleRewards === 'none' ? 1 : (scaleRewards === 'group' ? deviation(group) : spread) + 1e-4)
  const isFlat = (group: readonly number[]) => (scaleRewards === 'batch' ? spread : deviation(group)) < 1e-8
  return {
    advantages: rewards.map((group) => {
      const [middle, scale] = [mean(group), scaleOf(group)]
      return group.map((reward) => (reward - middle) / scale)
    }),
    metrics: { reward: mean(all), reward_std: spread, frac_reward_zero_std: rewards.filter(isFlat).length / rewards.length },
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function deviation(values: readonly number[]): number {
  if (values.length < 2) return 0
  const middle = mean(values)
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1))
}
