// Rewards by rule, and the advantages that groups of them give.

import { describe, expect, it } from 'vitest'
import { groupAdvantages, verifiableReward } from '../../../src-main/engine/objectives/rewards.ts'

const reward = (kind: 'exact-match' | 'number' | 'box-iou', answer: string, accepted: string | readonly string[], numberTolerance = 0.05) =>
  verifiableReward({ reward: kind, numberTolerance }, answer, [accepted].flat())

describe('the reward of an answer', () => {
  it('exact-match: equal after cleaning, and nothing for silence', () => {
    expect(reward('exact-match', ' Red.', 'red')).toBe(1)
    expect(reward('exact-match', 'The answer is: (B)', 'b')).toBe(1)
    expect(reward('exact-match', 'dark red', 'red')).toBe(0)
    expect(reward('exact-match', '', 'red')).toBe(0)
  })

  it('is the best over all answers that are accepted, in any order', () => {
    for (const accepted of [['no', 'Two', '2'], ['2', 'Two', 'no']]) {
      expect(reward('exact-match', 'two.', accepted)).toBe(1)
      expect(reward('exact-match', 'three', accepted)).toBe(0)
      expect(reward('number', '2.05', accepted)).toBe(1)
    }
    const boxes = ['[20, 20, 30, 30]', 'nowhere', '[0, 0, 10, 20]', '[0, 0, 10, 10]']
    expect(reward('box-iou', '[0, 0, 10, 10]', boxes)).toBe(1)
    expect(reward('box-iou', '[0, 0, 10, 10]', boxes.slice(0, 3))).toBe(0.5)
    expect(reward('box-iou', '[0, 0, 10, 10]', ['nowhere'])).toBe(0)
  })

  it('number: within the tolerance, as a share of the expected one; words by exact match', () => {
    expect(reward('number', '104', '100')).toBe(1)
    expect(reward('number', '106', '100')).toBe(0)
    expect(reward('number', '106', '100', 0.1)).toBe(1)
    expect(reward('number', 'three', 'Three')).toBe(1)
    expect(reward('number', '1', '0')).toBe(0)
  })

  it('box-iou: the overlap of the first boxes; 0 where one of them is none', () => {
    // 10×10 and its right half with as much beyond: 50 in common of 150.
    expect(reward('box-iou', 'It is at [5, 0, 15, 10].', '[0, 0, 10, 10]')).toBeCloseTo(1 / 3, 12)
    expect(reward('box-iou', '(0.0,0,10,10)', '[0, 0, 10, 10]')).toBe(1)
    expect(reward('box-iou', '[20, 20, 30, 30]', '[0, 0, 10, 10]')).toBe(0)
    for (const unreadable of ['', '[1, 2, 3]', 'at 0, 0, 10, 10', '[10, 0, 0, 10]', '[0, 0, 0, 0]'])
      expect(reward('box-iou', unreadable, '[0, 0, 10, 10]'), unreadable).toBe(0)
  })
})

describe('advantages', () => {
  it('by hand: rewards 1, 0, 0, 1 have the mean ½ and the sample deviation √⅓', () => {
    const scale = Math.sqrt(1 / 3) + 1e-4
    const { advantages, metrics } = groupAdvantages([[1, 0, 0, 1]], 'group')
    expect(advantages).toEqual([[0.5 / scale, -0.5 / scale, -0.5 / scale, 0.5 / scale]])
    expect(metrics).toEqual({ reward: 0.5, reward_std: Math.sqrt(1 / 3), frac_reward_zero_std: 0 })
    expect(groupAdvantages([[1, 0, 0, 1]], 'none').advantages).toEqual([[0.5, -0.5, -0.5, 0.5]])
  })

  it('of every group sum to 0, whatever they are scaled by', () => {
    for (const scaling of ['group', 'batch', 'none'] as const)
      for (const group of groupAdvantages([[0.2, 0.9, 0.4], [1, 1, 0]], scaling).advantages)
        expect(group.reduce((sum, each) => sum + each, 0)).toBeCloseTo(0, 12)
  })

  it('of a group whose rewards are alike are 0, and it is counted', () => {
    const { advantages, metrics } = groupAdvantages([[1, 1], [0, 1], [0, 0]], 'group')
    expect([advantages[0], advantages[2]]).toEqual([[0, 0], [0, 0]])
    expect(metrics.frac_reward_zero_std).toBeCloseTo(2 / 3, 12)
  })

  it('scaled by the batch keep the groups’ own spreads in proportion', () => {
    const [wide, narrow] = groupAdvantages([[0, 1], [0.4, 0.6]], 'batch').advantages
    expect(wide![1]! / narrow![1]!).toBeCloseTo(5, 10)
  })
})
