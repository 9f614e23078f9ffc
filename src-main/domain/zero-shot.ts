// Zero-shot classification (arXiv 2103.00020, section 3.1) as it is asked for and as it is read: how often the class that a dual
// encoder gives a picture is the one that the picture's folder names.

import { z } from 'zod'
import { wilsonInterval } from './statistics/intervals.ts'

/** Where the class name goes in a prompt template. */
export const CLASS_PLACE = '{}'

export const zeroShotRequestSchema = z.strictObject({
  kind: z.literal('zero-shot'),
  /** A Hugging Face folder of CLIP, SigLIP or SigLIP 2. */
  model: z.string(),
  /** A folder of images. */
  images: z.string(),
  /** null: the folders that hold the images. */
  classes: z.array(z.string().min(1)).min(2).nullable().default(null),
  /** Prompts with {} for the class name; their embeddings are averaged. */
  templates: z.array(z.string()).min(1).default([`a photo of a ${CLASS_PLACE}.`]),
})
export type ZeroShotRequest = z.output<typeof zeroShotRequestSchema>

export const zeroShotResultSchema = z.strictObject({
  kind: z.literal('zero-shot'),
  images: z.int(),
  /** Images whose folder is a class. */
  scored: z.int(),
  right: z.int(),
})

/** What was said of one image. */
export const zeroShotAnswerSchema = z.strictObject({
  /** Its path in the folder of images. */
  image: z.string(),
  /** The class that its folder names; null: none does. */
  expected: z.string().nullable(),
  given: z.string(),
  /** Of the class given: softmax over the classes for CLIP, the pair's own sigmoid for SigLIP. */
  probability: z.number(),
})
export type ZeroShotAnswer = z.output<typeof zeroShotAnswerSchema>

/** How many images of a class were given one. */
export interface ZeroShotCell {
  readonly expected: string | null
  readonly given: string
  readonly count: number
}

const shareSchema = z.strictObject({ of: z.int(), right: z.int(), value: z.number(), low: z.number(), high: z.number() })

export const zeroShotScoresSchema = z.strictObject({
  /** Over all images with a class, with Wilson's interval at 95 %; null: there are none. */
  accuracy: shareSchema.nullable(),
  /** Each class counts the same, however many images it has. */
  meanPerClass: z.number().nullable(),
  classes: z.array(shareSchema.extend({ name: z.string() })),
  /** Every pair of classes that occurred. */
  confusion: z.array(z.strictObject({ expected: z.string(), given: z.string(), count: z.int() })),
  /** What images without a class were given. */
  unlabelled: z.array(z.strictObject({ given: z.string(), count: z.int() })),
})
export type ZeroShotScores = z.output<typeof zeroShotScoresSchema>

/** The scores that counts of answers come to; classes by name. */
export function zeroShotScores(cells: readonly ZeroShotCell[]): ZeroShotScores {
  const confusion = cells.flatMap(({ expected, given, count }) => (expected === null ? [] : [{ expected, given, count }]))
  const sum = (of: readonly { readonly count: number }[]) => of.reduce((total, { count }) => total + count, 0)
  const share = (of: readonly (typeof confusion)[number][]) => {
    const [all, right] = [sum(of), sum(of.filter(({ expected, given }) => expected === given))]
    const { low, high } = wilsonInterval(right, all)
    return { of: all, right, value: right / all, low, high }
  }
  const classes = [...new Set(confusion.map(({ expected }) => expected))]
    .sort()
    .map((name) => ({ name, ...share(confusion.filter(({ expected }) => expected === name)) }))
  return {
    accuracy: confusion.length === 0 ? null : share(confusion),
    meanPerClass: classes.length === 0 ? null : classes.reduce((total, { value }) => total + value, 0) / classes.length,
    classes,
    confusion,
    unlabelled: cells.flatMap(({ expected, given, count }) => (expected === null ? [{ given, count }] : [])),
  }
}
