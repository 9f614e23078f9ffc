import { describe, expect, it } from 'vitest'
import { planSlots } from '../../../src-main/domain/labelling/plan-slots.ts'

const items = (count: number) => Array.from({ length: count }, (_, i) => ({ itemId: `item ${i}`, reason: `reason ${i}` }))
const gold = Array.from({ length: 30 }, (_, i) => ({ itemId: `gold ${i}`, expected: 'first' as const }))
const settings = { seed: 3, repeatShare: 0.1, gold: { dataset: 'gold', share: 0.05 } }

describe('the places of a queue', () => {
  const slots = planSlots(items(100), gold, settings)

  it('hold each item once in the order given, the repeats and the gold items that were asked for', () => {
    expect(slots.filter(({ role }) => role === 'item').map(({ itemId }) => itemId)).toEqual(items(100).map(({ itemId }) => itemId))
    expect(slots.filter(({ role }) => role === 'repeat')).toHaveLength(10)
    expect(slots.filter(({ role }) => role === 'gold')).toHaveLength(5)
    expect(slots.map(({ ordinal }) => ordinal)).toEqual(slots.map((_, i) => i))
  })

  it('repeat an item no sooner than twenty places after its first showing, where there is room', () => {
    for (const { itemId, ordinal } of slots.filter(({ role }) => role === 'repeat')) {
      const first = slots.find((slot) => slot.role === 'item' && slot.itemId === itemId)!
      expect(ordinal).toBeGreaterThan(first.ordinal)
      if (Number(itemId.slice(5)) < 80) expect(ordinal - first.ordinal).toBeGreaterThanOrEqual(20)
    }
  })

  it('are the same for the same seed and others for another', () => {
    expect(planSlots(items(100), gold, settings)).toEqual(slots)
    expect(planSlots(items(100), gold, { ...settings, seed: 4 })).not.toEqual(slots)
  })

  it('do not give a planted item away: its reason is one that an item has', () => {
    const reasons = new Set(items(100).map(({ reason }) => reason))
    for (const { reason } of slots) expect(reasons.has(reason)).toBe(true)
  })

  it('never plant as gold what is judged anyway', () => {
    const own = planSlots(items(20), [{ itemId: 'item 3', expected: 'first' }], { ...settings, gold: { dataset: 'gold', share: 0.5 } })
    expect(own.filter(({ role }) => role === 'gold')).toEqual([])
  })

  it('of one item are one place', () => {
    expect(planSlots(items(1), [], { seed: 0, repeatShare: 0.05, gold: null })).toHaveLength(1)
  })
})
