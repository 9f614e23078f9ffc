// Every benchmark's definition on answers worked by hand: its own records in, its own prompt, its published score out.

import { describe, expect, it } from 'vitest'
import { paperSummary, PAPER_GROUPS, type BenchmarkName } from '../../../src-main/domain/benchmark.ts'
import { metricNamed } from '../../../src-main/domain/metric.ts'
import { intervalOf, valueOf, type Judged } from '../../../src-main/jobs/benchmarks/benchmark.ts'
import { judgeAnswer } from '../../../src-main/jobs/benchmarks/judge.ts'
import { BENCHMARK_OF, benchmarkQuestion, recognisedBenchmark } from '../../../src-main/jobs/benchmarks/published.ts'
import type { Row } from '../../../src-main/jobs/import/row-fault.ts'

/** Rows and what was said to each; `image` names the picture. */
function judged(name: BenchmarkName, rows: readonly (readonly [row: Row, ...given: string[]])[], file = 'data.jsonl'): Judged[] {
  const benchmark = BENCHMARK_OF[name]
  return rows.map(([row, ...given], i) => {
    const content = benchmarkQuestion(benchmark, row, file)!
    const item = content.benchmark!
    const cluster = typeof row['image'] === 'string' ? row['image'] : `image ${i}`
    const answers = given.map((text) => ({ prompt: '', expected: item.answers, given: text, ...judgeAnswer(benchmark.measure(item), item, text) }))
    const sample = { id: `sample ${i}`, split: 'test', source: null, image: null, content } as const
    return { sample, item, cluster, unit: item.unit ?? cluster, value: answers[0]!.value, answers }
  })
}
function scores(name: BenchmarkName, ...of: Parameters<typeof judged> extends [unknown, ...infer Rest] ? Rest : never): Record<string, number> {
  return Object.fromEntries(BENCHMARK_OF[name].scores(judged(name, ...of)).map((score) => [score.name, valueOf(name, score)]))
}

describe('published scores', () => {
  const mmvp = (index: number, right: string): Row => ({ Index: String(index), Question: 'Open?', Options: '(a) Open (b) Closed', 'Correct Answer': right })
  it('MMVP: a pair counts if both are right; pairs are (1, 2), (3, 4), never (2, 3); an option’s text is as good as its letter', () => {
    const given = scores('mmvp', [[mmvp(1, '(a)'), '(a)'], [mmvp(2, '(b)'), 'Open'], [mmvp(3, '(a)'), 'Open.'], [mmvp(4, '(b)'), 'B']])
    expect(given).toEqual({ 'pair-accuracy': 0.5, accuracy: 0.75 })
  })

  it('CV-Bench: 2D is the mean over sources, however many questions each has; overall the mean of 2D and 3D', () => {
    const row = (source: string, task: string): Row => ({ source, task, question: 'How many?', choices: ['1', '2'], answer: '(B)', prompt: '' })
    const given = scores('cv-bench', [
      [row('ADE20K', 'Count'), 'B'], [row('ADE20K', 'Count'), 'A'], [row('ADE20K', 'Relation'), 'A'], [row('ADE20K', 'Relation'), 'A'],
      [row('COCO', 'Count'), 'B'], [row('Omni3D', 'Depth'), 'A'],
    ])
    expect(given).toMatchObject({ '2d': (0.25 + 1) / 2, '3d': 0, overall: 0.3125, accuracy: 2 / 6, 'accuracy/count': 2 / 3, 'accuracy/depth': 0 })
  })

  it('POPE: precision, recall, F1 and the ratio of yes by hand; neither yes nor no is wrong and no positive', () => {
    const row = (label: string, category = 'random'): Row => ({ text: 'Is there a dog?', label, category })
    // TP 2, FP 1, FN 2 (one unparsed), TN 1.
    const given = scores('pope', [[row('yes'), 'Yes'], [row('yes'), 'yes, there is'], [row('yes'), 'No.'], [row('yes'), 'perhaps'], [row('no'), 'Yes'], [row('no'), 'no']])
    expect(given).toEqual({ accuracy: 3 / 6, precision: 2 / 3, recall: 2 / 4, f1: expect.closeTo(4 / 7, 12), 'yes-ratio': 3 / 6 })
    expect(scores('pope', [[row('no'), 'no']])).toMatchObject({ precision: 0, recall: 0, f1: 0, 'yes-ratio': 0, accuracy: 1 })
    expect(judged('pope', [[{ text: 'Is there?', label: 'no' }, 'no']], 'coco_pope_adversarial.json')[0]!.sample.content.category).toBe('adversarial')
  })

  it('MME: per sub-task accuracy and accuracy⁺ in points, summed', () => {
    const row = (image: string, category: string, answer: string): Row => ({ image, category, answer, question: 'Is it?' })
    // existence: 3 of 4 questions, 1 of 2 pictures: 125. OCR: all: 200. code_reasoning: half, none: 50.
    const given = scores('mme', [
      [row('a', 'existence', 'Yes'), 'yes'], [row('a', 'existence', 'No'), 'no'], [row('b', 'existence', 'Yes'), 'yes'], [row('b', 'existence', 'No'), 'yes'],
      [row('a', 'OCR', 'Yes'), 'Yes.'], [row('a', 'OCR', 'No'), 'No'],
      [row('c', 'code_reasoning', 'Yes'), 'no'], [row('c', 'code_reasoning', 'No'), 'no'],
    ])
    expect(given).toMatchObject({ perception: 325, cognition: 50, 'points/existence': 125, 'points/ocr': 200, accuracy: 6 / 8, 'accuracy-plus': 2 / 4 })
  })

  it('MMBench: right only under every rotation, asked here or given by the file', () => {
    const row = (index: number): Row => ({ index, question: 'Which?', A: 'x', B: 'y', C: 'nan', answer: 'A' })
    expect(scores('mmbench', [[row(1), 'A', 'A'], [row(2), 'A', 'B']])).toMatchObject({ 'circular-accuracy': 0.5, accuracy: 1 })
    expect(scores('mmbench', [[row(5), 'A'], [row(1_000_005), 'B'], [row(6), 'A']])).toMatchObject({ 'circular-accuracy': 0.5, accuracy: 2 / 3 })
  })

  const single: readonly (readonly [BenchmarkName, Row, readonly (readonly [given: string, value: number])[]])[] = [
    ['realworldqa', { question: 'Where to?', answer: 'Left' }, [['left turn', 1], ['Turn left', 0]]],
    ['vstar', { text: 'What colour?\n(A) red\n(B) blue\nAnswer with the option\'s letter from the given choices directly.', label: 'B', category: 'direct_attributes' }, [['B', 1], ['blue', 1], ['A', 0]]],
    ['seed', { question: 'What?', choice_a: 'x', choice_b: 'y', choice_c: 'z', answer: 'C', question_type_id: 3, data_type: 'image' }, [['(c)', 1], ['D', 0]]],
    ['gqa', { question: 'What?', answer: 'table', imageId: 'n1' }, [['Table.', 1], ['a table', 0]]],
    ['textvqa', { question: 'What?', answers: [...Array<string>(2).fill('stop'), ...Array<string>(8).fill('go')], ocr_tokens: ['STOP'], image_id: 'i' }, [['stop', 0.6], ['Go', 1], ['no', 0]]],
    ['chartqa', { query: 'How many?', label: '100', imgname: 'a.png' }, [['105', 1], ['94.9', 0], ['95', 1]]],
    ['chartqa', { query: 'How many?', label: '0', imgname: 'a.png' }, [['0.0', 1], ['0.01', 0]]],
    ['docvqa', { question: 'Who?', answers: ['abcd', 'zzzzzzzz'], docId: 1 }, [['ABCD', 1], ['abxy', 0.5], ['axyz', 0]]],
    ['ocrbench', { question: 'Read.', answers: ['centre'], type: 'Regular Text Recognition' }, [['It says CENTRE.', 1], ['center', 0]]],
    ['ocrbench', { question: 'Read.', answers: ['x ^ 2'], type: 'Handwritten Mathematical Expression Recognition' }, [['x^2', 1], ['X^2', 0]]],
    ['scienceqa', { question: 'Which?', choices: ['iron', 'wood'], answer: 1, image: 'i.png' }, [['B', 1], ['wood', 1], ['A', 0]]],
    ['ai2d', { question: 'Which?', options: ['a', 'b', 'c', 'd'], answer: '2' }, [['C', 1], ['c.', 1], ['B', 0]]],
    ['mmmu', { id: 'validation_Art_3', question: 'See <image 1>?', options: "['$5', 'it\\'s 6']", answer: 'B', question_type: 'multiple-choice', image_1: 'i' }, [['B', 1], ["it's 6", 1], ['A', 0]]],
    ['mmmu', { id: 'validation_Art_4', question: 'How many?', options: '[]', answer: '20', question_type: 'open', image_1: 'i' }, [['21', 1], ['22', 0]]],
    ['mathvista', { pid: '1', question: 'Which?', choices: ['145°', '135°'], answer: '135°', answer_type: 'text', question_type: 'multi_choice' }, [['B', 1], ['135°', 1], ['(A)', 0]]],
    ['own', { question: 'What?', answer: 'a cat' }, [['A cat.', 1], ['cat', 0]]],
  ]
  it.each(single)('%s: %j', (name, row, answers) => {
    for (const [given, value] of answers) expect(Object.values(scores(name, [[row, given]]))[0], given).toBeCloseTo(value, 12)
  })
})

it('what cannot be parsed is told from what is wrong', () => {
  const item = { answers: ['A'], options: ['red', 'blue'] }
  for (const given of ['', ' \n\u0000'.trim(), 'Z', 'neither of them']) expect(judgeAnswer('option', item, given), given).toEqual({ value: 0, parsed: null })
  expect(judgeAnswer('option', item, 'The answer is: (B).')).toEqual({ value: 0, parsed: 'B' })
  expect(judgeAnswer('yes-no', { answers: ['no'], options: [] }, 'maybe')).toEqual({ value: 0, parsed: null })
})

it('records that are like no other are recognised, those that look alike are not', () => {
  expect(recognisedBenchmark({ Index: '1', Question: '', Options: '', 'Correct Answer': '' })?.name).toBe('mmvp')
  expect(recognisedBenchmark({ question: '', choice_a: '', question_type_id: 1 })?.name).toBe('seed')
  expect(recognisedBenchmark({ image: '', question: '', answer: '' })).toBeNull()
})

it('rows that a published score leaves out are no questions of it', () => {
  expect(benchmarkQuestion(BENCHMARK_OF.scienceqa, { question: 'x', choices: ['a', 'b'], answer: 0, image: null }, 'f')).toBeNull()
  expect(benchmarkQuestion(BENCHMARK_OF.seed, { question: 'x', choice_a: 'a', answer: 'A', data_type: 'video' }, 'f')).toBeNull()
})

it('intervals hold their number, and are drawn over pictures where questions share one', () => {
  const gqa = (image: string): Row => ({ image, imageId: image, question: 'x', answer: 'yes' })
  const rows = Array.from({ length: 40 }, (_, i) => [gqa(`picture ${i >> 2}`), (i >> 2) % 2 === 0 ? 'yes' : 'no'] as const)
  const [score] = BENCHMARK_OF.gqa.scores(judged('gqa', rows))
  const clustered = intervalOf('gqa', score!, 0)!
  const [alone] = BENCHMARK_OF.gqa.scores(judged('gqa', rows.map(([, given], i) => [gqa(`picture ${i}`), given] as const)))
  const independent = intervalOf('gqa', alone!, 0)!
  expect(clustered.low).toBeLessThan(independent.low)
  expect(clustered.high).toBeGreaterThan(independent.high)
  expect(intervalOf('gqa', score!, 0)).toEqual(clustered)
})

it('the paper’s averages: MME by 20, shares by 100, and nothing where one of its sixteen is missing', () => {
  // Table A, 0.5B SFT: MME 1170.9 …; group mean 58.0, average 49.5.
  const row = [1170.9, 55.2, 63.1, 55.2, 57.1, 54.3, 54.5, 45.3, 25.3, 50.5, 45.3, 49.5, 75.1, 33.7, 10.2, 59.1]
  const metrics = Object.values(PAPER_GROUPS).flat()
  const values = new Map(metrics.map((metric, i): [string, number] => [metric, metric.endsWith('perception') ? row[i]! : row[i]! / 100]))
  const { groups, average } = paperSummary(values)
  expect(groups.map(({ value }) => Number(value!.toFixed(1)))).toEqual([58, 52.8, 42.6, 44.5])
  expect(average).toBeCloseTo(49.5, 1)
  values.delete('benchmark/mmvp/pair-accuracy')
  expect(paperSummary(values)).toMatchObject({ average: null })
  for (const metric of metrics) expect(metricNamed(metric).meaning, metric).not.toBe('')
})
