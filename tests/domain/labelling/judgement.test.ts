import { describe, expect, it } from 'vitest'
import { judgementInputSchema, sideOrder, verdictOf } from '../../../src-main/domain/labelling/judgement.ts'

describe('a verdict', () => {
  it('is about the answer that stood on the chosen side, and nothing when skipped', () => {
    expect(verdictOf({ choice: 'a', aShows: 'first' })).toBe('first')
    expect(verdictOf({ choice: 'a', aShows: 'second' })).toBe('second')
    expect(verdictOf({ choice: 'b', aShows: 'second' })).toBe('first')
    expect(verdictOf({ choice: 'tie', aShows: 'second' })).toBe('tie')
    expect(verdictOf({ choice: 'both-bad', aShows: 'first' })).toBe('both-bad')
    expect(verdictOf({ choice: 'skip', aShows: 'first' })).toBeNull()
  })
})

describe('the side of an answer', () => {
  const orders = (labeller: string) => Array.from({ length: 2000 }, (_, i) => sideOrder(7, labeller, `item ${i}`, false))

  it('is a fair coin, the same every time it is asked', () => {
    const heads = orders('Ada').filter((order) => order === 'first').length
    // Four standard deviations of a fair coin over 2000: ±89.
    expect(Math.abs(heads - 1000)).toBeLessThan(90)
    expect(orders('Ada')).toEqual(orders('Ada'))
  })

  it('of one labeller says nothing of another’s', () => {
    const [ada, ben] = [orders('Ada'), orders('Ben')]
    const alike = ada.filter((order, i) => order === ben[i]).length
    expect(Math.abs(alike - 1000)).toBeLessThan(90)
  })

  it('is exchanged where an item is planted again', () => {
    for (let i = 0; i < 50; i++) expect(sideOrder(7, 'Ada', `item ${i}`, true)).not.toBe(sideOrder(7, 'Ada', `item ${i}`, false))
  })
})

describe('what a window may send', () => {
  const valid = { queueId: 'q', ordinal: 0, labeller: ' Ada ', choice: 'a', seconds: 1 }
  it('has a name without blanks around it, and refuses an empty one, an endless time and an unknown choice', () => {
    expect(judgementInputSchema.parse(valid).labeller).toBe('Ada')
    for (const wrong of [{ labeller: '  ' }, { seconds: Infinity }, { seconds: -1 }, { choice: 'c' }, { ordinal: 1.5 }, { strength: 4 }])
      expect(judgementInputSchema.safeParse({ ...valid, ...wrong }).success).toBe(false)
  })
})
