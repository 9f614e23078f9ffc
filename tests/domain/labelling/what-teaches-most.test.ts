import { describe, expect, it } from 'vitest'
import { orderByDisagreement, orderByMargin } from '../../../src-main/domain/labelling/item-order.ts'
import { nearMisses } from '../../../src-main/domain/labelling/near-miss.ts'

describe('what teaches most', () => {
  it('is what one model is least sure of, whichever way it leans, and says so', () => {
    const planned = orderByMargin([
      { itemId: 'sure', value: -5 },
      { itemId: 'unsure', value: -0.1 },
      { itemId: 'so so', value: 2 },
    ])
    expect(planned.map(({ itemId }) => itemId)).toEqual(['unsure', 'so so', 'sure'])
    expect(planned[0]!.reason).toContain('0.10 nats')
  })

  it('is what models contradict each other on, most evenly split first', () => {
    const scores = (a: number, b: number, c: number) => [
      { itemId: 'agreed', value: a },
      { itemId: 'split', value: b },
      { itemId: 'narrow', value: c },
    ]
    const planned = orderByDisagreement([scores(3, 1, 0.2), scores(4, -1, 0.1), scores(5, 2, 0.3)])
    expect(planned.map(({ itemId }) => itemId)).toEqual(['split', 'narrow', 'agreed'])
    expect(planned[0]!.reason).toBe('Models disagree: 2 of 3 against 1')
  })
})

describe('a near miss', () => {
  const question = (id: string, text: string, answer: string, category: string | null = 'count') => ({ id, question: text, answer, category })

  it('is the nearest other number for a count, and an answer of the same kind for words', () => {
    const misses = nearMisses(
      [
        question('1', 'How many mugs?', '3'),
        question('2', 'How many cats?', '2'),
        question('3', 'How many cars?', '9'),
        question('4', 'What colour is the kite?', 'green', 'colour'),
        question('5', 'What colour is the boat?', 'red', 'colour'),
        question('6', 'Where is the boat?', 'left', 'place'),
      ],
      0,
    )
    expect(misses.get('1')).toBe('2')
    expect(misses.get('4')).toBe('red')
    // Nothing else of its kind: no miss rather than a silly one.
    expect(misses.has('6')).toBe(false)
  })

  it('is never the right answer in other letters, and the same for the same seed', () => {
    const asked = [question('1', 'How many?', 'Two'), question('2', 'How many?', 'two.'), question('3', 'How many?', 'three')]
    expect(nearMisses(asked, 0).get('1')).toBe('three')
    expect(nearMisses(asked, 5)).toEqual(nearMisses(asked, 5))
  })
})
