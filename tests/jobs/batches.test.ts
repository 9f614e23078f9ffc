// From samples to batches: nothing is lost, little is padding, and the order is a function of data and seed alone.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { numImageTokens } from '../../src-main/domain/model-spec.ts'
import { objectiveSchema, type ObjectiveOf } from '../../src-main/domain/objective-config.ts'
import { siglipPreprocess } from '../../src-main/domain/preprocess-spec.ts'
import { createRandom } from '../../src-main/domain/random.ts'
import { trainingSchema } from '../../src-main/domain/run-config.ts'
import type { Content, Sample } from '../../src-main/domain/sample.ts'
import { createObjective } from '../../src-main/engine/objectives/objective.ts'
import { bucketAnswer, bucketLength } from '../../src-main/engine/text/collate.ts'
import { createChatTokenizer } from '../../src-main/engine/text/tokenizer.ts'
import { trainTokenizer } from '../../src-main/engine/text/train-tokenizer.ts'
import type { StepBatch } from '../../src-main/engine/train.ts'
import { openBackend } from '../../src-main/jobs/backend/backend.ts'
import {
  asDealt,
  batchOrder,
  bucketOfAll,
  chooseBuckets,
  encodeSamples,
  stepBatches,
  withImage,
  type EncodedSample,
  type Plan,
} from '../../src-main/jobs/batches.ts'
import { assertCheckable, promptSamples } from '../../src-main/jobs/sampled-batches.ts'
import { createImageSource } from '../../src-main/jobs/samples.ts'
import { faultOf } from '../support/fault-of.ts'
import { SIDE, TINY_SPEC, tinyProject, type TinyProject } from './evaluate/tiny-project.ts'
import { readSamples } from './tiny-training.ts'

const I = numImageTokens(TINY_SPEC)
const tokenizer = createChatTokenizer(trainTokenizer(['What colour is it? It is red, green, blue. There is a square.'], 300))
const root = mkdtempSync(join(tmpdir(), 'pivot-lab-batches-'))
let tiny: TinyProject
beforeAll(async () => {
  await openBackend('native')
  tiny = tinyProject(root)
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Encoded samples of random lengths; two rows each. */
function lengths(seed: number, count = 200, longest = 300): EncodedSample[] {
  const random = createRandom(seed, 'lengths')
  return Array.from({ length: count }, (_, i) => ({
    id: `s${i}`,
    image: null,
    rows: [0, 1].map(() => {
      const answer = 1 + random.integer(40)
      const length = answer + 1 + random.integer(longest)
      return { ids: new Array<number>(length).fill(2), isAnswer: Array.from({ length }, (_value, t) => t >= length - answer) }
    }),
  }))
}
const longestRow = ({ rows }: EncodedSample) => Math.max(...rows.map(({ ids }) => ids.length))
const mostAnswers = ({ rows }: EncodedSample) => Math.max(...rows.map(({ isAnswer }) => isAnswer.filter(Boolean).length))

describe('prompts with room for answers that are yet to be drawn', () => {
  const config = (settings: object) => objectiveSchema.parse({ kind: 'grpo', ...settings }) as ObjectiveOf<'grpo'>
  const ids = (samples: readonly EncodedSample[], dealt: readonly EncodedSample[]) => {
    const order = batchOrder(dealt, chooseBuckets(dealt), 6, 3)
    return Array.from({ length: 100 }, () => order.next().value.indices.map((index) => samples[index]!.id))
  }

  it('are met in the order in which the pairs themselves are, with the same images', () => {
    const samples = lengths(4)
    const { samples: prompts } = promptSamples({ samples, tooLong: [] }, config({ maxCompletionLength: 64 }), 500)
    expect(ids(prompts, asDealt(prompts))).toEqual(ids(samples, samples))
    // Their own lengths would give another order: the law is not empty.
    expect(ids(prompts, prompts)).not.toEqual(ids(samples, samples))
  })

  it('share a bucket that holds every row of a batch', () => {
    const { samples: prompts } = promptSamples({ samples: lengths(5), tooLong: [] }, config({ maxCompletionLength: 9 }), 500)
    const [buckets, dealt] = [chooseBuckets(prompts), asDealt(prompts)]
    const order = batchOrder(dealt, chooseBuckets(dealt), 6, 3)
    for (let i = 0; i < 50; i++) {
      const chosen = order.next().value.indices.map((index) => prompts[index]!)
      const { T, A } = bucketOfAll(buckets, chosen)
      for (const each of chosen) expect([longestRow(each) <= T, mostAnswers(each) <= A]).toEqual([true, true])
    }
  })

  it('of pairs are refused where one would be left out: the other arm meets it', () => {
    expect(faultOf(() => promptSamples({ samples: lengths(6), tooLong: [] }, config({ maxCompletionLength: 64 }), 320)).message).toMatch(/\d+ of 200 prompts of pairs leave no room for an answer of 64 tokens within maxLength \(320\)/)
  })

  it('are refused where the rule can check no answer of the dataset', () => {
    const { samples: prompts } = promptSamples({ samples: lengths(7), tooLong: [] }, config({}), 500)
    const accepting = (accepted: readonly string[]) => ({ samples: prompts.map((sample) => ({ ...sample, accepted })), tooLong: [] })
    const boxes = config({ reward: 'box-iou' })
    expect(faultOf(() => assertCheckable(boxes, accepting(['on the left']), tokenizer)).message).toMatch(/box-iou finds nothing to check in any of the 200 answers.*"on the left"/)
    expect(() => assertCheckable(boxes, accepting(['[1, 2, 3, 4]']), tokenizer)).not.toThrow()
    expect(() => assertCheckable(config({}), accepting(['on the left']), tokenizer)).not.toThrow()
  })
})

describe('buckets', () => {
  it('hold every sample, grow in both ways, and are few', () => {
    for (let seed = 0; seed < 10; seed++) {
      const samples = lengths(seed)
      const buckets = chooseBuckets(samples)
      for (const sample of samples)
        expect(buckets.some(({ T, A }) => longestRow(sample) <= T && mostAnswers(sample) <= A)).toBe(true)
      buckets.slice(1).forEach((bucket, i) => {
        expect(bucket.T).toBeGreaterThan(buckets[i]!.T)
        expect(bucket.A).toBeGreaterThanOrEqual(buckets[i]!.A)
      })
      expect(buckets.length).toBeLessThan(8)
    }
  })

  it('waste no more than a fifth beyond the grain of lengths, in each bucket', () => {
    for (let seed = 0; seed < 10; seed++) {
      const samples = lengths(seed)
      const buckets = chooseBuckets(samples)
      const needed = buckets.map((_, b) =>
        samples
          .filter((sample) => buckets.findIndex(({ T }) => bucketLength(longestRow(sample)) <= T) === b)
          .map((sample) => bucketLength(longestRow(sample))),
      )
      needed.forEach((each, b) => {
        const sum = each.reduce((total, length) => total + length, 0)
        expect(buckets[b]!.T * each.length).toBeLessThanOrEqual(1.2 * sum + 1e-9)
      })
    }
  })

  it('one length is one bucket, and its sizes are grains', () => {
    const samples = Array.from({ length: 9 }, (_, i) => ({ ...lengths(1, 1)[0]!, id: `s${i}` }))
    expect(chooseBuckets(samples)).toEqual([
      { T: bucketLength(longestRow(samples[0]!)), A: bucketAnswer(mostAnswers(samples[0]!)) },
    ])
  })
})

const take = (samples: readonly EncodedSample[], perStep: number, seed: number, count: number): Plan[] => {
  const order = batchOrder(samples, chooseBuckets(samples), perStep, seed)
  return Array.from({ length: count }, () => order.next().value)
}

describe('the order of batches', () => {
  it('is a function of data and seed: the same again, another for another seed', () => {
    const samples = lengths(2)
    expect(take(samples, 8, 1, 40)).toEqual(take(samples, 8, 1, 40))
    expect(take(samples, 8, 1, 40)).not.toEqual(take(samples, 8, 2, 40))
  })

  it('fills every batch, from one bucket, with each sample as often as another but for what waits', () => {
    const samples = lengths(3, 60)
    const plans = take(samples, 4, 1, 150)
    const counts = new Array<number>(60).fill(0)
    for (const { indices, bucket } of plans) {
      expect(indices.length).toBe(4)
      for (const index of indices) {
        counts[index]!++
        expect(longestRow(samples[index]!)).toBeLessThanOrEqual(bucket.T)
        expect(mostAnswers(samples[index]!)).toBeLessThanOrEqual(bucket.A)
      }
    }
    // 600 draws over 60 samples are ten epochs; a queue keeps fewer than four.
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2)
  })

  it('shuffles every epoch anew, and counts passes over the data', () => {
    const samples = lengths(4, 1).flatMap((one) => Array.from({ length: 12 }, (_, i) => ({ ...one, id: `s${i}` })))
    const plans = take(samples, 4, 1, 6)
    const epochs = [plans.slice(0, 3), plans.slice(3)].map((each) => each.flatMap(({ indices }) => indices))
    for (const epoch of epochs) expect([...epoch].sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i))
    expect(epochs[0]).not.toEqual(epochs[1])
    plans.forEach(({ epoch }, i) => expect(epoch).toBeCloseTo(((i + 1) * 4) / 12, 12))
  })

  it('reaches a batch larger than the data by passing over them again', () => {
    const samples = [0, 1, 2].map((i) => ({ ...lengths(5, 1)[0]!, id: `s${i}` }))
    const [plan] = take(samples, 8, 1, 1)
    expect(plan!.indices.length).toBe(8)
    expect(new Set(plan!.indices)).toEqual(new Set([0, 1, 2]))
  })
})

describe('batches of a step', () => {
  function source(
    kind: 'sft' | 'dpo',
    overrides: Readonly<Record<string, unknown>> = {},
    reference: ReadonlyMap<string, readonly number[]> | null = null,
  ) {
    const training = trainingSchema.parse({ batchSize: 3, gradientAccumulation: 2, objective: { kind }, seed: 5, ...overrides })
    const objective = createObjective(training.objective)
    const samples = readSamples(tiny, tiny.snapshots.preferences).filter(({ split }) => split === 'train')
    return {
      samples: encodeSamples(samples, tokenizer, I, 512, objective).samples,
      images: createImageSource(tiny.project, siglipPreprocess(SIDE), TINY_SPEC.visionEncoder.patchSize),
      tokenizer,
      numImageTokens: I,
      numPatches: I,
      patchWidth: 3 * TINY_SPEC.visionEncoder.patchSize ** 2,
      objective,
      training,
      reference,
    }
  }
  async function collect(from: ReturnType<typeof source>, count: number, stepsDone = 0): Promise<StepBatch[]> {
    const batches: StepBatch[] = []
    for await (const batch of stepBatches(from, stepsDone)) {
      batches.push(batch)
      if (batches.length === count) break
    }
    return batches
  }
  const values = (batch: StepBatch, name: string) => Array.from(batch.tensors[name]!.dataSync())

  it('SFT and DPO meet the same samples, pixels and chosen answers in the same order', async () => {
    const [sft, dpo] = [await collect(source('sft'), 5), await collect(source('dpo'), 5)]
    expect(sft.map(({ samples }) => samples)).toEqual(dpo.map(({ samples }) => samples))
    expect(sft.map(({ epoch }) => epoch)).toEqual(dpo.map(({ epoch }) => epoch))
    sft.forEach((batch, i) => {
      for (const micro of ['0/', '1/']) {
        expect(values(batch, `${micro}patches`)).toEqual(values(dpo[i]!, `${micro}patches`))
        const chosen = values(dpo[i]!, `${micro}ids`)
        expect(values(batch, `${micro}ids`)).toEqual(chosen.slice(0, chosen.length / 2))
        expect(batch.tensors[`${micro}ids`]!.shape[1]).toBe(dpo[i]!.tensors[`${micro}ids`]!.shape[1])
      }
    })
  })

  it('begun after a number of steps are those that would have come', async () => {
    const all = await collect(source('dpo'), 6)
    const rest = await collect(source('dpo'), 3, 3)
    rest.forEach((batch, i) => {
      expect(batch.samples).toEqual(all[3 + i]!.samples)
      for (const name of Object.keys(batch.tensors)) expect(values(batch, name), name).toEqual(values(all[3 + i]!, name))
    })
  })

  it('weigh SFT rows by one over the answer tokens, DPO rows by one over the pairs, of the whole step', async () => {
    for (const kind of ['sft', 'dpo'] as const)
      for (const batch of await collect(source(kind), 3)) {
        const tokens = ['0/', '1/'].flatMap((micro) => values(batch, `${micro}answerMask`)).reduce((sum, each) => sum + each, 0)
        for (const micro of ['0/', '1/'])
          for (const weight of values(batch, `${micro}rowWeights`))
            expect(weight).toBeCloseTo(1 / (kind === 'sft' ? tokens : 6), 7)
      }
  })

  it('two micro-batches are one batch of twice the size, cut in two', async () => {
    const [cut, whole] = [
      await collect(source('sft'), 3),
      await collect(source('sft', { batchSize: 6, gradientAccumulation: 1 }), 3),
    ]
    cut.forEach((batch, i) => {
      expect(batch.samples).toEqual(whole[i]!.samples)
      expect(batch.numTokens).toBe(whole[i]!.numTokens)
      expect([...values(batch, '0/ids'), ...values(batch, '1/ids')]).toEqual(values(whole[i]!, '0/ids'))
      expect([...values(batch, '0/patches'), ...values(batch, '1/patches')]).toEqual(values(whole[i]!, '0/patches'))
    })
  })

  it("give each row its own sample's reference: all chosen, then all rejected", async () => {
    const plain = source('dpo')
    const reference = new Map(plain.samples.map(({ id }, i) => [id, [-i, -1000 - i]]))
    const [batch] = await collect(source('dpo', {}, reference), 1)
    const numbers = batch!.samples.map((id) => reference.get(id)!)
    expect(values(batch!, '0/referenceLogProbs')).toEqual(
      [0, 1, 2].flatMap((i) => [numbers[i]![0]!]).concat([0, 1, 2].map((i) => numbers[i]![1]!)),
    )
    expect(values(batch!, '1/referenceLogProbs')).toEqual(
      [3, 4, 5].map((i) => numbers[i]![0]!).concat([3, 4, 5].map((i) => numbers[i]![1]!)),
    )
  })

  it('the same image and the same shape give the same tensors, and all are given away', async () => {
    const before = tf.memory().numTensors
    const batches = await collect(source('sft'), 2)
    for (const { tensors } of batches) tf.dispose(tensors as tf.NamedTensorMap)
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe('samples as tokens', () => {
  const sample = (content: Content, image = true): Sample => ({
    id: 'a',
    split: 'train',
    source: null,
    image: image ? { sha256: '0'.repeat(64), path: 'x.png', width: 1, height: 1 } : null,
    content,
  })
  const pair: Content = {
    kind: 'preferences',
    prompt: 'What?',
    chosen: 'red',
    rejected: 'blue',
    group: null,
    category: null,
    region: [],
  }
  const encode = (content: Content, image = true, needs: { needsPairs?: boolean; usesImages?: boolean } = {}) =>
    encodeSamples([sample(content, image)], tokenizer, I, 512, needs).samples[0]!
  const imageTokensIn = (ids: readonly number[]) => ids.filter((id) => id === tokenizer.imageId).length
  const wordsOf = ({ rows }: EncodedSample) =>
    rows.map(({ ids, isAnswer }) => tokenizer.decode(ids.filter((_, i) => isAnswer[i])))

  it('a pair has two rows, chosen and rejected; a question and a conversation have one', () => {
    expect(wordsOf(encode(pair))).toEqual(['red', 'blue'])
    expect(
      wordsOf(encode({ kind: 'questions', question: 'What?', answer: 'red', group: null, category: null, region: [] })),
    ).toEqual(['red'])
    const turns = [
      { from: 'human', text: 'What?' },
      { from: 'assistant', text: 'red' },
      { from: 'human', text: 'And?' },
      { from: 'assistant', text: 'blue' },
    ] as const
    expect(wordsOf(encode({ kind: 'conversations', turns: [...turns] }))).toEqual(['redblue'])
  })

  it('an image is as many tokens as it has patches, before the text unless the text says where, and absent without one', () => {
    for (const [prompt, image, expected] of [
      ['What?', true, I],
      ['What is <image> here?', true, I],
      ['What?', false, 0],
    ] as const)
      for (const { ids } of encode({ ...pair, prompt }, image).rows) expect(imageTokensIn(ids)).toBe(expected)
    expect(withImage('What?', true)).toBe('<image>\nWhat?')
    expect(withImage('See <image>!', true)).toBe('See <image>!')
    expect(withImage('What?', false)).toBe('What?')
  })

  it('as text alone, placeholders are left out with their line break', () => {
    const turns = [
      { from: 'human', text: '<image>\nWhat?' },
      { from: 'assistant', text: 'red' },
    ] as const
    const found = encode({ kind: 'conversations', turns: [...turns] }, true, { usesImages: false })
    expect(found.image).toBeNull()
    expect(found.rows[0]!.ids).toEqual(tokenizer.encode('<|user|>What?<|assistant|>red<|end|>'))
    expect(imageTokensIn(encode(pair, true, { usesImages: false }).rows[0]!.ids)).toBe(0)
  })

  it('that are too long are left out by name, whole, and the limit itself is not too long', () => {
    const length = encode(pair).rows[1]!.ids.length
    const longer = { ...sample({ ...pair, rejected: 'blue blue blue' }), id: 'b' }
    const { samples, tooLong } = encodeSamples([sample(pair), longer], tokenizer, I, length)
    expect([samples.map(({ id }) => id), tooLong]).toEqual([['a'], ['b']])
  })

  it('mismatched are the prompt under the next pair’s answers that fit, the first following the last', () => {
    const others = [sample(pair), { ...sample({ ...pair, prompt: 'Who?', chosen: 'green', rejected: 'grey' }), id: 'b' }]
    const { samples } = encodeSamples(others, tokenizer, I, 512, { needsPairs: true, needsMismatched: true })
    const said = (rows: readonly { ids: readonly number[]; isAnswer: readonly boolean[] }[]) =>
      rows.map(({ ids, isAnswer }) => tokenizer.decode(ids.filter((_, i) => isAnswer[i])).trim())
    expect(samples.map(({ mismatched }) => said(mismatched!))).toEqual([
      ['green', 'grey'],
      ['red', 'blue'],
    ])
    const promptOf = ({ ids, isAnswer }: { ids: readonly number[]; isAnswer: readonly boolean[] }) => ids.slice(0, isAnswer.indexOf(true))
    for (const { rows, mismatched } of samples) expect(promptOf(mismatched![0]!)).toEqual(promptOf(rows[0]!))
    expect(faultOf(() => encodeSamples(others.slice(0, 1), tokenizer, I, 512, { needsPairs: true, needsMismatched: true })).code).toBe('invalid-input')
  })

  it('two placeholders are refused', () => {
    expect(faultOf(() => encode({ ...pair, prompt: '<image> and <image>?' })).code).toBe('invalid-input')
  })
})
