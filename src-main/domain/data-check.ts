// What can be wrong with data, as checks that find samples: each finding is a filter, and clusters say what belongs together.

import { z } from 'zod'

export const DATA_CHECKS = [
  'exact-duplicates', // samples that say the same about the same image, or images that are the same pixels
  'near-duplicates', // images whose perceptual hashes differ in a few bits
  'leakage', // images, or near-duplicates of them, on both sides of train and evaluation, also across datasets
  'images', // files that are missing, changed, cannot be decoded, are tiny or of one colour
  'texts', // answers that are empty of words, unusually long, or that many samples share
  'token-counts', // samples that are longer, in tokens of a model, than a training takes
  'feature-duplicates', // images that an encoder hardly tells apart
  'label-outliers', // images whose neighbours in an encoder's features mostly have another label
] as const
export type DataCheck = (typeof DATA_CHECKS)[number]

export const dataCheckSettingsSchema = z.strictObject({
  /** Bits of 64 in which the hashes of near-duplicates may differ. */
  maxDistance: z.int().min(0).max(16).default(8).meta({
    label: 'Bits',
    help: 'How many of 64 bits of the perceptual hash may differ. At 8, other files, sizes and brightness of a picture are found, and most with a line of text on it; cropped by a tenth or mirrored ones are not.',
  }),
  /** Pixels. */
  minSide: z.int().min(1).default(16).meta({ label: 'Smallest side', help: 'Images with a shorter side are called tiny, pixels.' }),
  /** Of 255. */
  minContrast: z.number().min(0).max(128).default(2).meta({
    label: 'Least contrast',
    help: 'Images whose brightness varies less than this (standard deviation of 0–255) are called one-colour.',
  }),
  /** Tokens. */
  maxTokens: z.int().min(1).max(131072).default(512).meta({
    label: 'Most tokens',
    help: 'What a training’s maxLength is: a sample with a longer text is left out of it, whole.',
  }),
  /** For the checks on features and tokens. */
  checkpoint: z.string().nullable().default(null),
  minSimilarity: z.number().min(-1).max(1).default(0.98).meta({ label: 'Least similarity', help: 'Cosine between features.' }),
  neighbours: z.int().min(1).max(100).default(10).meta({ label: 'Neighbours', help: 'How many near images vote on a label.' }),
})
export type DataCheckSettings = z.output<typeof dataCheckSettingsSchema>

export const CHECK_LABELS: Readonly<Record<DataCheck, { readonly label: string; readonly help: string }>> = {
  'exact-duplicates': { label: 'Exact duplicates', help: 'Samples that repeat another one: same image and same words.' },
  'near-duplicates': { label: 'Near duplicates', help: 'Images that look alike: their perceptual hashes differ in a few bits from that of the best of their cluster.' },
  leakage: { label: 'Leakage', help: 'Images that are trained on and measured on: a score on them is memory, not sight.' },
  images: { label: 'Image faults', help: 'Files that are missing, changed or damaged; tiny and one-colour images.' },
  texts: { label: 'Text oddities', help: 'Empty or unusually long texts, answers that very many samples share.' },
  'token-counts': {
    label: 'Token counts',
    help: 'Samples whose longest text, with chat template and image tokens, is more tokens than a training takes.',
  },
  'feature-duplicates': { label: 'Duplicates by feature', help: 'Images that an encoder hardly tells apart.' },
  'label-outliers': { label: 'Label outliers', help: 'Images whose nearest neighbours mostly carry another label.' },
}

export const findingRowSchema = z.strictObject({
  row: z.int(),
  cluster: z.int(),
  /** The one of its cluster to keep: the largest image, else the first. */
  isBest: z.boolean(),
  /** Of the check: bits of distance, similarity, share of neighbours; null where there is none. */
  score: z.number().nullable(),
  detail: z.string(),
})
export type FindingRow = z.output<typeof findingRowSchema>

/** What a check found, as the numbers of its charts. */
export const findingSummarySchema = z.strictObject({
  samples: z.int(),
  clusters: z.int(),
  /** Findings that are still in their datasets: neither excluded nor deleted since. */
  kept: z.int(),
  /** Of them, all but the best of each cluster. */
  keptOthers: z.int(),
  /** How many clusters hold so many samples. */
  sizes: z.array(z.strictObject({ size: z.int(), clusters: z.int() })),
  /** Of samples that have a score, in bins of equal width; the last bin holds its end. */
  scores: z.array(z.strictObject({ from: z.number(), to: z.number(), count: z.int() })),
  /** The most frequent reasons, without the numbers in them. */
  reasons: z.array(z.strictObject({ value: z.string(), count: z.int() })),
})
export type FindingSummary = z.output<typeof findingSummarySchema>

/** What one look at an image's pixels tells. */
export const imageFactsSchema = z.strictObject({
  sha256: z.string(),
  /** Of the lowest frequencies of its grey values, 16 hex digits; null when the image cannot be decoded. */
  perceptualHash: z.string().nullable(),
  /** Of the pixels, 16 hex digits of a SHA-256 over width, height and RGB. */
  pixelHash: z.string().nullable(),
  /** Mean and standard deviation of brightness, 0–255. */
  brightness: z.number().nullable(),
  contrast: z.number().nullable(),
  /** Whether a thumbnail was written; images that are small already need none. */
  hasThumbnail: z.boolean(),
  /** What is wrong with the file; null: nothing. */
  fault: z.string().nullable(),
})
export type ImageFacts = z.output<typeof imageFactsSchema>

/** Where an image's small copy lies, relative to the project. */
export const thumbnailPath = (sha256: string): string => `thumbnails/${sha256.slice(0, 2)}/${sha256}.jpg`
