// From rows of tokens to the arrays of a batch: every index points where it must, and nothing is lost or cut.

import { describe, expect, it } from 'vitest'
import { createRandom, type Random } from '../../../src-main/domain/random.ts'
import {
  bucketAnswer,
  bucketLength,
  collateRows,
  expandImage,
  type CollatedRows,
  type EncodedRow,
} from '../../../src-main/engine/text/collate.ts'
import { refusal } from '../../support/refusal.ts'

const IDS = { padId: 0, imageId: 1 }

/** Text, then I image tokens (or none), then text with one or two answers in it. */
function aRow(random: Random, I: number): EncodedRow {
  const text = (count: number) => Array.from({ length: count }, () => 2 + random.integer(50))
  const [before, after] = [text(1 + random.integer(4)), text(3 + random.integer(12))]
  const image = random.uniform() < 0.2 ? [] : new Array<number>(I).fill(IDS.imageId)
  const answer = after.map((_, i) => i > 0 && random.uniform() < 0.4)
  return {
    ids: [...before, ...image, ...after],
    isAnswer: [...before.map(() => false), ...image.map(() => false), ...answer],
  }
}

interface Case {
  readonly rows: readonly (EncodedRow | null)[]
  readonly images: number
  readonly I: number
  readonly collated: CollatedRows
}
const cases: readonly Case[] = Array.from({ length: 60 }, (_, seed) => {
  const random = createRandom(seed, 'collate')
  const [images, I, answers] = [1 + random.integer(4), 1 + random.integer(9), 1 + random.integer(2)]
  const rows = Array.from({ length: images * answers }, () => (random.uniform() < 0.1 ? null : aRow(random, I)))
  const T = bucketLength(Math.max(1, ...rows.map((row) => row?.ids.length ?? 0)))
  const A = bucketAnswer(Math.max(1, ...rows.map((row) => row?.isAnswer.filter(Boolean).length ?? 0)))
  return { rows, images, I, collated: collateRows(IDS, rows, images, I, { T, A }) }
})

describe('sixty random batches', () => {
  it('hold every token of every row, then padding', () => {
    for (const { rows, collated } of cases)
      rows.forEach((row, r) => {
        const found = [...collated.ids.subarray(r * collated.T, (r + 1) * collated.T)]
        const ids = row?.ids ?? []
        expect(found).toEqual([...ids, ...new Array<number>(collated.T - ids.length).fill(IDS.padId)])
      })
  })

  it('take every position from its own text, image positions from their image token: row r of image r mod B, in order', () => {
    for (const { rows, images, I, collated } of cases) {
      const { R, T, sources, isImage } = collated
      const expected = rows.flatMap((row, r) => {
        let image = 0
        return Array.from({ length: T }, (_, t) => (row?.ids[t] === IDS.imageId ? R * T + (r % images) * I + image++ : r * T + t))
      })
      expect([...sources]).toEqual(expected)
      expect([...isImage]).toEqual(expected.map((source) => (source >= R * T ? 1 : 0)))
    }
  })

  it('imagePositions is the inverse of sources where there is an image, and points at no image token where there is none', () => {
    for (const { rows, images, I, collated } of cases) {
      const { R, T, sources, isImage, imagePositions } = collated
      expect(imagePositions.length).toBe(R * I)
      rows.forEach((row, r) => {
        for (let i = 0; i < I; i++) {
          const at = imagePositions[r * I + i]!
          expect(Math.floor(at / T)).toBe(r)
          if (row?.ids.includes(IDS.imageId)) expect(sources[at]).toBe(R * T + (r % images) * I + i)
          else expect(isImage[at]).toBe(0)
        }
      })
      // A row's image tokens, each found exactly once.
      expect(isImage.reduce((sum, each) => sum + each, 0)).toBe(rows.filter((row) => row?.ids.includes(IDS.imageId)).length * I)
    }
  })

  it('predict every answer token from the position before it, and nothing else with weight', () => {
    for (const { rows, collated } of cases) {
      const { T, A, answerPositions, answerIds, answerMask } = collated
      rows.forEach((row, r) => {
        const answers = (row?.isAnswer ?? []).flatMap((is, t) => (is ? [{ position: r * T + t - 1, id: row!.ids[t]! }] : []))
        const found = Array.from({ length: A }, (_, a) => ({ position: answerPositions[r * A + a]!, id: answerIds[r * A + a]! }))
        expect(found.slice(0, answers.length)).toEqual(answers)
        expect([...answerMask.subarray(r * A, (r + 1) * A)]).toEqual(
          Array.from({ length: A }, (_, a) => (a < answers.length ? 1 : 0)),
        )
        for (const { position } of found) expect(Math.floor(position / T)).toBe(r)
        expect(collated.answerTokens[r]).toBe(answers.length)
      })
    }
  })

  it('count the tokens of real rows', () => {
    for (const { rows, collated } of cases)
      expect(collated.numTokens).toBe(rows.reduce((sum, row) => sum + (row?.ids.length ?? 0), 0))
  })
})

describe('the image placeholder', () => {
  it('becomes as many tokens as the image has, none of them an answer, and the rest keeps its marks', () => {
    const row = { ids: [5, 1, 6, 7], isAnswer: [false, false, false, true] }
    expect(expandImage(IDS, row, 3)).toEqual({ ids: [5, 1, 1, 1, 6, 7], isAnswer: [false, false, false, false, false, true] })
  })

  it('may be absent, and may not stand twice', () => {
    const row = { ids: [5, 6], isAnswer: [false, true] }
    expect(expandImage(IDS, row, 3)).toEqual(row)
    expect(refusal(() => expandImage(IDS, { ids: [1, 5, 1], isAnswer: [false, false, false] }, 3))).toBe('invalid-input')
  })
})

it('a placeholder within an answer is a word like any other', () => {
  const row = { ids: [5, 1, 1, 1, 6, 1, 7], isAnswer: [false, false, false, false, true, true, true] }
  const { sources, isImage, answerIds } = collateRows(IDS, [row], 1, 3, { T: 8, A: 4 })
  expect([...isImage]).toEqual([0, 1, 1, 1, 0, 0, 0, 0])
  expect([...sources]).toEqual([0, 8, 9, 10, 4, 5, 6, 7])
  expect([...answerIds]).toEqual([6, 1, 7, 0])
})

describe('bucket sizes', () => {
  it('hold the length, never shrink as it grows, are their own bucket, and waste less than a grain', () => {
    for (let length = 1; length <= 3000; length++) {
      for (const [bucket, grain] of [
        [bucketLength, length <= 128 ? 16 : length <= 512 ? 32 : 128],
        [bucketAnswer, 8],
      ] as const) {
        const size = bucket(length)
        expect(size).toBeGreaterThanOrEqual(length)
        expect(size - length).toBeLessThan(grain)
        expect(size).toBeLessThanOrEqual(bucket(length + 1))
        expect(bucket(size)).toBe(size)
      }
    }
  })
})
