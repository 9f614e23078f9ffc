import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { armId, nextColour, PALETTE_SIZE } from '../../../src-main/domain/encoder.ts'
import { ENCODERS } from '../../../src-main/domain/study.ts'
import { encoderMark, MARK_TOKENS, studyMarks } from '../../../src-renderer/ui/encoder-marks.ts'

const tokens = readFileSync(join(import.meta.dirname, '../../../src-renderer/style/tokens.css'), 'utf8')

it('gives the stages of a study the marks that they have everywhere', () => {
  expect(ENCODERS.map((name, index) => encoderMark(index).token === `--encoder-${name}`)).toEqual([true, true, true])
})

it('marks sixty-three encoders differently, neighbours in colour and in shape', () => {
  const marks = Array.from({ length: 63 }, (_, index) => encoderMark(index))
  expect(new Set(marks.map(({ token, path }) => token + path)).size).toBe(63)
  for (let index = 1; index < marks.length; index++) {
    expect(marks[index]!.token).not.toBe(marks[index - 1]!.token)
    expect(marks[index]!.path).not.toBe(marks[index - 1]!.path)
  }
})

/** Contrast of two colours by WCAG 2. */
function contrast(a: string, b: string): number {
  const luminance = (hex: string) => {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)) as [number, number, number]
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

it('has as many colours as places are given out for', () => {
  expect(MARK_TOKENS).toHaveLength(PALETTE_SIZE)
})

it('gives the arms of every study the colours of their stages, in shapes of their own, and nobody else those colours', () => {
  const taken = new Set<number>()
  const give = (arm: Parameters<typeof nextColour>[0]) => {
    const place = nextColour(arm, taken)
    expect(taken.has(place)).toBe(false)
    taken.add(place)
    return encoderMark(place)
  }
  const studies = Array.from({ length: 3 }, () => ENCODERS.map(give))
  for (const marks of studies) expect(marks.map(({ token }) => token)).toEqual(ENCODERS.map((arm) => `--encoder-${arm}`))
  expect(new Set(studies.map((marks) => marks[2]!.path)).size).toBe(3)
  const stages: readonly string[] = ENCODERS.map((arm) => `--encoder-${arm}`)
  for (let i = 0; i < 20; i++) expect(stages).not.toContain(give(null).token)
})

it('can be seen on its ground in both schemes', () => {
  const pair = (token: string) => new RegExp(`${token}: light-dark\\((#\\w{6}), (#\\w{6})\\)`).exec(tokens)!.slice(1) as [string, string]
  const ground = pair('--surface')
  for (const token of MARK_TOKENS)
    for (const scheme of [0, 1] as const) expect(contrast(pair(token)[scheme], ground[scheme]), `${token} ${scheme}`).toBeGreaterThan(3)
})

const first = [0, 1, 2].map((colour, at) => ({ id: armId('one', (['stage-1', 'sft', 'dpo'] as const)[at]!), colour }))

it('shows a study’s arms by the marks that they have among all encoders', () => {
  const known = [...first, { id: armId('two', 'stage-1'), colour: 9 }, { id: armId('two', 'sft'), colour: 10 }, { id: armId('two', 'dpo'), colour: 20 }]
  expect(studyMarks('one', known)).toEqual({ 'stage-1': 0, sft: 1, dpo: 2 })
  expect(studyMarks('two', known)).toEqual({ 'stage-1': 9, sft: 10, dpo: 20 })
})

it('shows an arm without a checkpoint by the mark that it will be given', () => {
  const known = [...first, { id: armId('two', 'stage-1'), colour: 9 }]
  expect(studyMarks('two', known)).toEqual({ 'stage-1': 9, sft: nextColour('sft', new Set([0, 1, 2, 9])), dpo: 11 })
  expect(studyMarks('one', [])).toEqual({ 'stage-1': 0, sft: 1, dpo: 2 })
})
