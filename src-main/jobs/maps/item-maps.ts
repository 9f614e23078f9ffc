// The maps of one picture under one encoder. Everything is computed from one pass through the encoder's blocks and from scores of
// the answers (`answerScore`); which maps can be had is decided here, and of those that cannot the reason is told.

import * as tf from '@tensorflow/tfjs'
import { LabError } from '../../domain/errors.ts'
import type { MapItem, MapJobSettings, MapMethod, Maps, MapTarget, PatchLayer } from '../../domain/patch-maps.ts'
import type { Box, Sample } from '../../domain/sample.ts'
import { numPrefixTokens, seenSide } from '../../domain/vision-encoder-spec.ts'
import { attentionRollout, lastAttention, lookedAt } from '../../engine/evaluate/maps/attention-rollout.ts'
import { answerScore, type Score, type ScoredFrom } from '../../engine/evaluate/maps/answer-score.ts'
import { gradCam, gradientMagnitude, integratedGradients, occlusion } from '../../engine/evaluate/maps/attribution.ts'
import type { Matrix } from '../../engine/evaluate/measures/matrix.ts'
import { encoderLayersUsed, imageTokens, selectedFeatures } from '../../engine/models/multimodal-lm.ts'
import { visionAttention, visionHiddenStates } from '../../engine/models/vision-encoder.ts'
import { placement } from '../../engine/preprocess/pipeline.ts'
import type { AnswerRows } from '../../engine/objectives/log-probs.ts'
import { chooseBuckets, collateSamples, encodeSamples, rowTensors, type EncodedSample } from '../batches.ts'
import { regionCoverage, scoreMap } from '../evaluate/localisation.ts'
import { mapOfPatches, ofPatches, type MeasuredModel } from '../evaluate/measured-model.ts'

/** Tokens of an answer whose gradients are computed at a time. */
const TOKENS_AT_A_TIME = 16
/** Occlusion covers the picture with about this many squares a side. */
const SQUARES = 9
/** What is quick is there first: a pass through the encoder, then one through the model, then many of them. */
const QUICKEST_FIRST: readonly MapMethod[] = ['patch-norm', 'similarity', 'attention', 'rollout', 'components', 'segmentation', 'grad-cam', 'gradient', 'occlusion', 'integrated-gradients']

export interface ItemMaps {
  readonly encoder: Maps['encoders'][number]
  readonly layers: readonly PatchLayer[]
  readonly missing: Maps['missing']
}

interface HeldRows {
  readonly rows: AnswerRows
  readonly weights: tf.Tensor2D
}

/** One item before an encoder: its tensors, and the scores of its answers. The caller disposes. */
export interface LookedAt {
  readonly measured: MeasuredModel
  readonly item: MapItem
  /** Hidden states of the blocks that feed the projector, (1, N, D) each. */
  readonly states: readonly tf.Tensor[]
  /** (P, C·patch²) */
  readonly patches: tf.Tensor2D
  /** What the projector takes, (1, I, D). */
  readonly features: tf.Tensor3D
  /** null: there is no answer. */
  readonly answers: EncodedSample | null
  /** Tokens of the chosen answer. */
  readonly tokenIds: readonly number[]
  /** Number of rows of text over the picture: 2 for a pair. */
  readonly rows: number
  /** Share of each patch that the item's region covers, (P); null: no region. */
  readonly coverage: Float64Array | null
  /** Tensors of text rows and their weights by target and number of copies: a gradient needs them to the end of its backward pass. */
  readonly held: Map<string, HeldRows>
  dispose(): void
}

/**
 * @param coverage  share of each patch that the region covers, (P), where it is known already; null: from the item's boxes
 * @throws LabError 'invalid-input' for an answer that is longer than the model reads
 */
export async function lookAt(measured: MeasuredModel, item: MapItem, coverage: Float64Array | null = null): Promise<LookedAt> {
  const { model, numPatches, patchWidth } = measured
  const { spec, weights } = model
  const answers = encodedAnswers(item, measured)
  const patches = tf.tensor2d(await measured.images.patches(item.image), [numPatches, patchWidth])
  const states = tf.tidy(() => visionHiddenStates(spec.visionEncoder, weights.visionEncoder, tf.reshape(patches, [1, numPatches, patchWidth]), encoderLayersUsed(spec)))
  const features = tf.tidy(() => tf.clone(selectedFeatures(spec, states))) as tf.Tensor3D
  const held: LookedAt['held'] = new Map()
  const tokenIds = answers === null ? [] : answers.rows[0]!.ids.filter((_, i) => answers.rows[0]!.isAnswer[i])
  return {
    measured,
    item,
    states,
    patches,
    features,
    answers,
    tokenIds,
    rows: answers?.rows.length ?? 0,
    coverage: coverage ?? (item.region.length === 0 ? null : regionCoverage(measured, item.image, item.region)),
    held,
    dispose: () => tf.dispose([patches, features, ...states, ...[...held.values()].flatMap(({ rows, weights }) => [...Object.values(rows), weights] as tf.Tensor[])]),
  }
}

function encodedAnswers({ image, prompt, chosen, rejected }: MapItem, { model, tokenizer, numImageTokens }: MeasuredModel): EncodedSample | null {
  if (prompt === null || chosen === null) return null
  const ofPair = { group: null, category: null, region: [] }
  const content: Sample['content'] =
    rejected === null
      ? { kind: 'questions', question: prompt, answer: chosen, ...ofPair }
      : { kind: 'preferences', prompt, chosen, rejected, ...ofPair }
  const longest = model.spec.languageModel.maxPositionEmbeddings
  const { samples } = encodeSamples([{ id: 'item', split: 'test', source: null, image, content }], tokenizer, numImageTokens, longest)
  return samples[0]!
}

/** The score of a target, of any number of copies of the item at once; `token` is one token a copy where the target is one. */
export function scoreOf({ measured, answers, tokenIds, held }: LookedAt, target: MapTarget, from: ScoredFrom, tokens: readonly number[] = []): Score {
  const { model } = measured
  const pair = answers!
  const bucket = chooseBuckets([pair]).at(-1)!
  const { A } = bucket
  const wanted = target === 'rejected' ? [pair.rows[1]!] : target === 'contrast' ? pair.rows : [pair.rows[0]!]
  const heldFor = (B: number): HeldRows => {
    const key = JSON.stringify([target, B, tokens])
    const known = held.get(key)
    if (known !== undefined) return known
    const weights = new Float32Array(wanted.length * B * A)
    for (let r = 0; r < wanted.length; r++)
      for (let b = 0; b < B; b++) {
        const row = weights.subarray((r * B + b) * A, (r * B + b + 1) * A)
        if (target === 'token') row[tokens[Math.min(b, tokens.length - 1)]!] = 1
        else row.fill(r === 1 ? -1 : target === 'sft' ? 1 / tokenIds.length : 1, 0, wanted[r]!.isAnswer.filter(Boolean).length)
      }
    const rows = rowTensors(collateSamples(measured, Array.from({ length: B }, () => ({ ...pair, rows: wanted })), wanted.length, bucket))
    const made: HeldRows = { rows, weights: tf.tensor2d(weights, [wanted.length * B, A]) }
    for (const tensor of [...Object.values(rows), made.weights]) tf.keep(tensor)
    held.set(key, made)
    return made
  }
  return (x) => {
    const { rows, weights } = heldFor(x.shape[0]!)
    return answerScore(model, rows, weights, from)(x)
  }
}

/** What the methods of one item and encoder come to. */
export function itemMaps(looked: LookedAt, name: string, settings: MapJobSettings): ItemMaps {
  const found = mapsAsTheyCome(looked, name, settings)
  for (let next = found.next(); ; next = found.next()) if (next.done) return next.value
}

/** The same, given out after each method: what there is so far. */
export function* mapsAsTheyCome(looked: LookedAt, name: string, settings: MapJobSettings): Generator<ItemMaps, ItemMaps> {
  const { measured, item, answers, tokenIds, coverage } = looked
  const { grid, tokenizer } = measured
  const layers: PatchLayer[] = []
  const missing: Maps['missing'] = []
  const words = tokenIds.map((id) => (id === tokenizer.endId ? '⏎' : tokenizer.decode([id])))
  const miss = (method: MapMethod, reason: string) => void missing.push({ encoder: name, method, reason })
  const add = (method: MapMethod, values: Float64Array, about: Partial<Pick<PatchLayer, 'target' | 'token' | 'note'>> = {}) =>
    layers.push({
      encoder: name,
      method,
      target: null,
      token: null,
      ...grid,
      channels: 1,
      values: Array.from(values, rounded),
      low: rounded(least(values)),
      high: rounded(-least(values.map((value) => -value))),
      note: null,
      classes: null,
      scores: coverage === null || method === 'similarity' ? null : scoresOf(values, coverage),
      ...about,
    })
  const tokenOf = (index: number) => ({ index, text: words[index]! })

  const possible: readonly MapTarget[] = answers === null ? [] : looked.rows === 2 ? ['sft', 'chosen', 'rejected', 'contrast'] : ['sft', 'chosen']
  const target = settings.target ?? (looked.rows === 2 ? 'contrast' : 'chosen')
  if (answers !== null && target === 'token' && settings.token >= tokenIds.length)
    throw new LabError('invalid-input', `token: the answer has ${tokenIds.length} tokens, found ${settings.token}; count from 0`)
  const about = { target, token: target === 'token' ? tokenOf(settings.token) : null }
  const whole = (from: ScoredFrom) => scoreOf(looked, target, from, [settings.token])
  const assertAnswer = (method: MapMethod): boolean => {
    if (answers === null) miss(method, 'there is no question with an answer: give both')
    else if (target !== 'token' && !possible.includes(target)) miss(method, `the target "${target}" needs two answers: give a rejected one too`)
    else return true
    return false
  }

  const encoder = { encoder: name, ...grid, frame: frameOf(measured, item), tokens: words, logProbs: answers === null ? { chosen: null, rejected: null } : logProbsOf(looked) }
  for (const method of settings.methods.toSorted((a, b) => QUICKEST_FIRST.indexOf(a) - QUICKEST_FIRST.indexOf(b))) {
    switch (method) {
      case 'gradient': {
        if (answers === null) {
          miss(method, 'there is no question with an answer: give both')
          break
        }
        const tokens = tf.tidy(() => imageTokens(measured.model, looked.features)) // (1, I, D)
        try {
          for (const of of possible) add(method, mapOfPatches(measured, gradientMagnitude(scoreOf(looked, of, 'tokens'), tokens)[0]!), { target: of })
          const every = settings.everyToken ? tokenIds.map((_, i) => i) : target === 'token' ? [settings.token] : []
          for (let at = 0; at < every.length; at += TOKENS_AT_A_TIME) {
            const group = every.slice(at, at + TOKENS_AT_A_TIME)
            const copies = tf.tile(tokens, [group.length, 1, 1])
            const maps = gradientMagnitude(scoreOf(looked, 'token', 'tokens', group), copies)
            copies.dispose()
            group.forEach((index, i) => add(method, mapOfPatches(measured, maps[i]!), { target: 'token', token: tokenOf(index) }))
          }
        } finally {
          tokens.dispose()
        }
        break
      }
      case 'grad-cam':
        if (assertAnswer(method)) add(method, gradCam(whole('features'), looked.features, measured.numImageFeatures - measured.numPatches)[0]!, about)
        break
      case 'integrated-gradients': {
        if (!assertAnswer(method)) break
        const grey = tf.zerosLike(looked.patches)
        const { map, from, to, points } = integratedGradients(whole('patches'), looked.patches, grey)
        grey.dispose()
        const sum = map.reduce((a, b) => a + b, 0)
        add(method, map, { ...about, note: `adds up to ${sum.toFixed(3)} of ${(to - from).toFixed(3)} nats that the picture adds to grey; ${points} points` })
        break
      }
      case 'occlusion': {
        if (!assertAnswer(method)) break
        const side = Math.max(1, Math.ceil(Math.max(grid.rows, grid.columns) / SQUARES))
        const cover = tf.zeros([measured.patchWidth])
        add(method, occlusion(whole('patches'), looked.patches, cover, grid, side), { ...about, note: side === 1 ? null : `covered in squares of ${side} × ${side} patches` })
        cover.dispose()
        break
      }
      case 'rollout':
      case 'attention': {
        const shares = tf.tidy(() => {
          const { spec, weights } = measured.model
          const attention = visionAttention(spec.visionEncoder, weights.visionEncoder, looked.states)
          return lookedAt(method === 'rollout' ? attentionRollout(attention) : lastAttention(attention), numPrefixTokens(spec.visionEncoder))
        })
        const map = Float64Array.from(shares.dataSync())
        shares.dispose()
        const elsewhere = 1 - map.reduce((a, b) => a + b, 0)
        add(method, map, { note: elsewhere < 0.0005 ? null : `${(100 * elsewhere).toFixed(1)} % goes to tokens without a place (class token, registers)` })
        break
      }
      case 'similarity': {
        if (settings.at === null) miss(method, 'no patch is chosen: click one')
        else add(method, similarities(patchFeatures(looked), patchAt(settings.at, grid)))
        break
      }
      case 'patch-norm': {
        const { rows, columns, values } = patchFeatures(looked)
        add(method, Float64Array.from({ length: rows }, (_, i) => Math.hypot(...values.subarray(i * columns, (i + 1) * columns))))
        break
      }
      case 'components':
      case 'segmentation':
        // One is fitted to all encoders together, the other learns from other pictures: by whoever holds them.
        continue
    }
    yield { encoder, layers: [...layers], missing: [...missing] }
  }
  return { encoder, layers, missing }
}

/** Features of the patches as the projector takes them, (P, D). */
export function patchFeatures({ measured, features }: LookedAt): Matrix {
  const values = ofPatches(measured, features.dataSync() as Float32Array, measured.featureWidth)
  return { rows: measured.numPatches, columns: measured.featureWidth, values: Float32Array.from(values) }
}

function logProbsOf(looked: LookedAt): { readonly chosen: number; readonly rejected: number | null } {
  const read = (target: MapTarget) => tf.tidy(() => scoreOf(looked, target, 'features')(looked.features).dataSync()[0]!)
  return { chosen: read('chosen'), rejected: looked.rows === 2 ? read('rejected') : null }
}

/** The part of the stored picture that the patches cover, in its pixels. */
function frameOf({ preprocess, model }: MeasuredModel, { image }: MapItem): Box {
  const { scale, offset } = placement(preprocess, image.width, image.height)
  const side = seenSide(model.spec.visionEncoder)
  return [(0 - offset.x) / scale.x, (0 - offset.y) / scale.y, side / scale.x, side / scale.y]
}

function patchAt({ x, y }: { readonly x: number; readonly y: number }, { rows, columns }: { readonly rows: number; readonly columns: number }): number {
  return Math.min(rows - 1, Math.floor(y * rows)) * columns + Math.min(columns - 1, Math.floor(x * columns))
}

/** Cosines of every row with row `of`; 0 for a row of zeros. */
function similarities({ rows, columns, values }: Matrix, of: number): Float64Array {
  const row = (i: number) => values.subarray(i * columns, (i + 1) * columns)
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
    let sum = 0
    for (let j = 0; j < columns; j++) sum += a[j]! * b[j]!
    return sum
  }
  const lengths = Float64Array.from({ length: rows }, (_, i) => Math.sqrt(dot(row(i), row(i))))
  return lengths.map((length, i) => (length * lengths[of]! === 0 ? 0 : dot(row(i), row(of)) / (length * lengths[of]!)))
}

/** Of what speaks for the answer: negative numbers count as none. */
export function scoresOf(map: Float64Array, coverage: Float64Array): NonNullable<PatchLayer['scores']> {
  const { energyRatio, pointing, auroc, entropy } = scoreMap(map.map((value) => Math.max(0, value)), coverage).scores
  return { energyRatio, pointing, auroc, entropy }
}

function least(values: Float64Array): number {
  return values.reduce((low, value) => Math.min(low, value), Infinity)
}

/** Six digits: a picture needs no more, and a file of them is half as long. */
function rounded(value: number): number {
  return Number(value.toPrecision(6))
}
