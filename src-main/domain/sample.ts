// What the lab knows of an image: one item of a dataset. The same value is a row of the store, a line of a snapshot
// file and the input of a training or evaluation job. Pixels are never in it: `image.path` says where they are.

import { z } from 'zod'
import { benchmarkItemSchema } from './benchmark.ts'

export const SPLITS = ['train', 'validation', 'test'] as const
export type Split = (typeof SPLITS)[number]

export const DATASET_KINDS = ['conversations', 'preferences', 'questions', 'objects'] as const
export type DatasetKind = (typeof DATASET_KINDS)[number]

/** The paper's four groups of benchmarks (arXiv 2510.16333, table T). */
export const QUESTION_GROUPS = ['general', 'text', 'vision-centric', 'knowledge'] as const
export type QuestionGroup = (typeof QUESTION_GROUPS)[number]

/** x, y of the upper left corner, width, height; pixels of the stored image (COCO's order). */
export const boxSchema = z.tuple([z.number(), z.number(), z.number().min(0), z.number().min(0)])
export type Box = z.output<typeof boxSchema>

/** COCO's uncompressed run lengths: column-major, zeros first; size is [height, width]. */
export const maskSchema = z
  .strictObject({
    size: z.tuple([z.int().min(1), z.int().min(1)]),
    counts: z.array(z.int().min(0)),
  })
  .refine(({ size: [height, width], counts }) => counts.reduce((sum, run) => sum + run, 0) === height * width, 'expected runs that add up to height × width')
export type Mask = z.output<typeof maskSchema>

/** What decides an answer: boxes, and masks at the image's own size; empty when unknown. A pixel in any of them is in it. */
export const regionSchema = z.array(z.union([boxSchema, maskSchema], 'expected a box [x, y, width, height] or a mask { size, counts }'))
export type Region = z.output<typeof regionSchema>
export type Shape = Region[number]

export const imageRefSchema = z.strictObject({
  /** Of the file's bytes: an image's identity everywhere in the lab. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Relative to the project folder (content-addressed copy) or absolute (left where it was). */
  path: z.string(),
  width: z.int().min(1),
  height: z.int().min(1),
})
export type ImageRef = z.output<typeof imageRefSchema>

/** One turn; the image stands where the first human turn says `<image>` (LLaVA's convention). */
export const turnSchema = z.strictObject({ from: z.enum(['human', 'assistant']), text: z.string() })
export type Turn = z.output<typeof turnSchema>

export const objectSchema = z.strictObject({
  category: z.string(),
  box: boxSchema,
  mask: maskSchema.nullable(),
})
export type AnnotatedObject = z.output<typeof objectSchema>

const conversationContent = z.strictObject({ kind: z.literal('conversations'), turns: z.array(turnSchema).min(2) })
const preferenceContent = z.strictObject({
  kind: z.literal('preferences'),
  prompt: z.string(),
  chosen: z.string().min(1),
  rejected: z.string().min(1),
  group: z.string().nullable(),
  /** What the pair turns on ("count", "colour", …): the reason the rejected answer is wrong. */
  category: z.string().nullable(),
  /** What decides between the answers. */
  region: regionSchema,
})
const questionContent = z.strictObject({
  kind: z.literal('questions'),
  question: z.string().min(1),
  answer: z.string().min(1),
  group: z.string().nullable(),
  category: z.string().nullable(),
  region: regionSchema,
  /** Absent outside of benchmarks. */
  benchmark: benchmarkItemSchema.exactOptional(),
})
const objectsContent = z.strictObject({ kind: z.literal('objects'), objects: z.array(objectSchema) })

export const contentSchema = z.discriminatedUnion('kind', [conversationContent, preferenceContent, questionContent, objectsContent])
export type Content = z.output<typeof contentSchema>
export type ConversationContent = z.output<typeof conversationContent>
export type PreferenceContent = z.output<typeof preferenceContent>
export type QuestionContent = z.output<typeof questionContent>
export type ObjectsContent = z.output<typeof objectsContent>

export const sampleSchema = z.strictObject({
  /** SHA-256 of image and content: equal samples have equal ids, so importing twice changes nothing. */
  id: z.string(),
  split: z.enum(SPLITS),
  /** The source's own id or a scene id; samples that share it must not be split apart. */
  source: z.string().nullable(),
  image: imageRefSchema.nullable(),
  content: contentSchema,
})
export type Sample = z.output<typeof sampleSchema>
/** A sample whose content is of one kind. */
export type SampleOf<K extends DatasetKind> = Omit<Sample, 'content'> & { readonly content: Extract<Content, { kind: K }> }
