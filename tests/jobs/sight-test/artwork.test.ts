import { beforeAll, describe, expect, it } from 'vitest'
import { openArtwork, SIGN_STYLES, type Artwork, type Sprite } from '../../../src-main/jobs/sight-test/artwork.ts'
import { CLASSES, KINDS, TINT_RGB, TINTS, TRAITS, WORD_FAMILIES, WORDS } from '../../../src-main/jobs/sight-test/vocabulary.ts'

let artwork: Artwork
beforeAll(async () => {
  artwork = await openArtwork(40)
}, 60_000)

/** Pixels that are fully opaque, as [red, green, blue]. */
function opaque({ rgba }: Sprite): number[][] {
  return Array.from({ length: rgba.length / 4 }, (_, i) => [...rgba.subarray(4 * i, 4 * i + 4)])
    .filter((pixel) => pixel[3]! > 254)
    .map((pixel) => pixel.slice(0, 3))
}

describe('objects', () => {
  it.each(CLASSES)('a $name fills its box and covers enough of it to be seen', ({ name }) => {
    const sprite = artwork.object(name, null, 20, false)
    expect(Math.max(sprite.width, sprite.height)).toBe(20)
    const covered = sprite.rgba.filter((alpha, i) => i % 4 === 3 && alpha >= 127.5)
    expect(covered.length).toBeGreaterThan(90)
  })

  it('mirroring turns rows round and changes nothing else', () => {
    const [plain, mirrored] = [artwork.object('snake', null, 24, false), artwork.object('snake', null, 24, true)]
    const at = ({ rgba, width }: Sprite, x: number, y: number) => [...rgba.subarray(4 * (y * width + x), 4 * (y * width + x) + 4)]
    for (let x = 0; x < plain.width; x++) expect(at(mirrored, plain.width - 1 - x, 9)).toEqual(at(plain, x, 9))
    expect(mirrored.rgba).not.toEqual(plain.rgba)
  })

  it.each(CLASSES.filter(({ tint }) => tint !== null))(
    'a painted $name shows its paint, and each paint differently',
    ({ name }) => {
      for (const tint of TINTS) {
        const pixels = opaque(artwork.object(name, tint, 40, false))
        const near = (color: (typeof TINTS)[number]) =>
          pixels.filter((pixel) => Math.hypot(...pixel.map((value, i) => value - TINT_RGB[color][i]!)) < 60).length
        expect(near(tint)).toBeGreaterThan(20)
        for (const other of TINTS) if (other !== tint) expect(near(tint), `${tint}, not ${other}`).toBeGreaterThan(near(other))
      }
    },
  )
})

describe('signs', () => {
  it.each(WORDS)('"%s" stands whole on its board, away from the edge', (word) => {
    for (const style of SIGN_STYLES) {
      const { width, height, rgba } = artwork.sign(word, style, 26)
      const isLetter = (x: number, y: number) => {
        const pixel = rgba.subarray(4 * (y * width + x), 4 * (y * width + x) + 3)
        const to = (color: readonly number[]) => Math.hypot(...color.map((value, i) => value - pixel[i]!))
        return to(style.letters) < to(style.board)
      }
      // Inside the frame there is a margin without a letter on each side, and letters between.
      const column = (x: number) => Array.from({ length: height - 8 }, (_, i) => isLetter(x, i + 4)).some(Boolean)
      const frame = 3
      expect([column(frame), column(width - 1 - frame)]).toEqual([false, false])
      expect(Array.from({ length: width - 12 }, (_, i) => column(i + 6)).filter(Boolean).length).toBeGreaterThan(width / 3)
    }
  })
})

describe('the vocabulary', () => {
  it('has at least 48 classes and 24 words; every word of a family differs from the others in one letter', () => {
    expect(new Set(CLASSES.map(({ name }) => name)).size).toBe(CLASSES.length)
    expect(CLASSES.length).toBeGreaterThanOrEqual(48)
    expect(new Set(WORDS).size).toBe(24)
    for (const family of WORD_FAMILIES)
      for (const a of family)
        for (const b of family) if (a !== b) expect([...a].filter((letter, i) => letter !== b[i])).toHaveLength(1)
  })

  it('no class has two answers to one question of knowledge, and every class asked about is of the kind', () => {
    expect(new Set(CLASSES.map(({ kind }) => kind))).toEqual(new Set(KINDS))
    for (const { answers, kind } of TRAITS) {
      const named = Object.values(answers).flat()
      expect(new Set(named).size).toBe(named.length)
      for (const name of named) expect(CLASSES.find((each) => each.name === name)?.kind).toBe(kind)
    }
  })
})
