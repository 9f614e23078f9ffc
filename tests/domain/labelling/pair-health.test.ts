import { describe, expect, it } from 'vitest'
import { imageUse, teachesLanguageOnly } from '../../../src-main/domain/labelling/image-use.ts'
import { pairHealth, questionKey } from '../../../src-main/domain/labelling/pair-health.ts'

const pair = (id: string, chosen: string, rejected: string, prompt = '<image>\nHow many mugs?', imageSha256: string | null = 'img') => ({
  row: Number(id),
  id,
  imageSha256,
  content: { prompt, chosen, rejected },
})
const faults = (...args: Parameters<typeof pairHealth>) => pairHealth(...args).findings.map(({ fault, sampleId, otherId }) => [fault, sampleId, otherId])

describe('pairs with a fault', () => {
  it('of the same text are duplicates, of exchanged answers swapped; another image makes another pair', () => {
    const pairs = [
      pair('1', 'three', 'two'),
      pair('2', 'Three.', ' two', 'How  many mugs?'),
      pair('3', 'two', 'three'),
      pair('4', 'three', 'two', '<image>\nHow many mugs?', 'another'),
    ]
    expect(faults(pairs)).toEqual([
      ['duplicate', '2', '1'],
      ['swapped', '3', '1'],
    ])
  })

  it('that differ in nothing to learn are identical, in one word of forty near-identical', () => {
    const long = Array.from({ length: 40 }, (_, i) => `word${i}`).join(' ')
    expect(faults([pair('1', 'Yes!', 'yes')])).toEqual([['identical', '1', null]])
    expect(faults([pair('1', long, long.replace('word7', 'other'))])).toEqual([['near-identical', '1', null]])
    expect(faults([pair('1', 'there are three mugs', 'there are two mugs')])).toEqual([])
  })

  it('of very unlike length are told, and which way the set leans', () => {
    const long = 'many words '.repeat(15)
    const health = pairHealth([pair('1', long, 'short'), pair('2', long, 'brief'), pair('3', 'one', 'two')])
    expect(health.counts).toMatchObject({ 'length-gap': 2 })
    expect(health.chosenLonger).toMatchObject({ value: 1, count: 2 })
    expect(health.lengthGaps[2]).toBe(29)
  })

  it('whose answer or prompt tells the label leak it; a choice named in the question does not', () => {
    expect(faults([pair('1', 'Correct answer: three', 'two')])).toEqual([['leak', '1', null]])
    expect(faults([pair('1', 'on the table', 'under the chair', 'It is on the table. Where is it?')])).toEqual([['leak', '1', null]])
    expect(faults([pair('1', 'red', 'blue', 'Is it red or blue?')])).toEqual([])
  })

  it('of which neither is the known answer are both wrong', () => {
    const known = new Map([[questionKey('img', 'how many mugs'), 'four']])
    expect(faults([pair('1', 'three', 'two')], known)).toEqual([['both-wrong', '1', null]])
    expect(faults([pair('1', 'There are four.', 'two')], known)).toEqual([])
    expect(faults([pair('1', 'fourteen', 'two')], known)).toEqual([['both-wrong', '1', null]])
  })

  it('are none in an empty set', () => {
    expect(pairHealth([])).toMatchObject({ pairs: 0, findings: [], chosenLonger: null, lengthGaps: [] })
  })
})

describe('the audit of image use', () => {
  const audited = (sampleId: string, held: number, blank: number, shuffled: number, near: number) => ({
    sampleId,
    cluster: sampleId,
    margins: { true: held, blank, shuffled, 'near-miss': near },
  })

  it('finds no need of the image where the margin is the same without it, all where nothing remains', () => {
    const language = Array.from({ length: 20 }, (_, i) => audited(`${i}`, 1 + i / 10, 1 + i / 10, 1 + i / 10, 1 + i / 10))
    const sight = Array.from({ length: 20 }, (_, i) => audited(`${i}`, 1 + i / 10, 0, 0, 0))
    expect(imageUse(language).needsImage).toMatchObject({ value: 0, low: 0, high: 0 })
    expect(imageUse(language).languageOnly).toHaveLength(20)
    expect(imageUse(sight).needsImage).toMatchObject({ value: 1, low: 1, high: 1 })
    expect(imageUse(sight).languageOnly).toEqual([])
  })

  it('calls a pair language only when every other image keeps half of the margin, and never one told wrong', () => {
    expect(teachesLanguageOnly(audited('1', 2, 1, 1, 1))).toBe(true)
    expect(teachesLanguageOnly(audited('1', 2, 1, 0.9, 1))).toBe(false)
    expect(teachesLanguageOnly(audited('1', -1, -1, -1, -1))).toBe(false)
  })

  it('says nothing of a share where the margins are not above nought, and no interval of few pairs', () => {
    expect(imageUse([audited('1', -1, 0, 0, 0)]).needsImage).toBeNull()
    expect(imageUse([audited('1', 1, 0.5, 0.5, 0.5)]).needsImage).toEqual({ value: 0.5, low: null, high: null })
    expect(imageUse([])).toMatchObject({ pairs: 0, conditions: [], needsImage: null })
  })
})
