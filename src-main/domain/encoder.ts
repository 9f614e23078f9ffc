// Vision encoders as things of their own: an arm of a study over its seeds, one checkpoint of a run, or a folder that was
// brought in. Each has an id that never changes and a colour of its own, so that it is the same thing on every page.

import { z } from 'zod'
import { ENCODERS, STAGES, type EncoderName } from './study.ts'

export const ENCODER_KINDS = ['arm', 'checkpoint', 'folder'] as const

export const encoderRowSchema = z.strictObject({
  /** `<study>/<arm>`, `<run>@<step>`, or `folder-<hash of the weights>`. */
  id: z.string(),
  kind: z.enum(ENCODER_KINDS),
  /** Unique in the list: "DPO · Demo study", "DPO, seed 0, step 200 · Demo study". */
  name: z.string(),
  /** Without what it belongs to: "DPO, seed 0, step 200". */
  shortName: z.string(),
  studyId: z.string().nullable(),
  /** The study’s name, with its time where two have one name. */
  study: z.string().nullable(),
  arm: z.enum(ENCODERS).nullable(),
  stage: z.enum(STAGES).nullable(),
  /** Those that it stands for: of an arm all that have its checkpoint. */
  seeds: z.array(z.int()),
  runId: z.string().nullable(),
  step: z.int().nullable(),
  /** Where its weights lie; null: an arm, which has a checkpoint a seed. */
  folder: z.string().nullable(),
  /** SHA-256 of the weights; null: an arm. */
  sha256: z.string().nullable(),
  /** In words, op by op; null: not known without its files. */
  preprocessing: z.array(z.string()).nullable(),
  /** Ids of the checkpoints or folders that are measured when it is: itself, or one a seed. */
  members: z.array(z.string()),
  /** Place in the palette; never given twice, never changed. An arm has the colour of its stage in every study. */
  colour: z.int().min(0),
  /** Whether its weights are still there: what was measured stays when they are gone. */
  isAvailable: z.boolean(),
  /** How many numbers it has been measured by. */
  results: z.int(),
  createdAtMs: z.number(),
})
export type EncoderRow = z.output<typeof encoderRowSchema>

export const armId = (studyId: string, encoder: EncoderName): string => `${studyId}/${encoder}`
export const checkpointId = (runId: string, step: number): string => `${runId}@${step}`

/** Colours of the palette. The first three are those of a study's encoders; a place beyond the last begins again in another shape. */
export const PALETTE_SIZE = 9

/** The first free place: of an arm (null: any other encoder) one with the colour of its stage, else one with none of those. */
export function nextColour(arm: EncoderName | null, taken: ReadonlySet<number>): number {
  const fits = (place: number) =>
    arm === null ? place % PALETTE_SIZE >= ENCODERS.length : place % PALETTE_SIZE === ENCODERS.indexOf(arm)
  for (let place = 0; ; place++) if (fits(place) && !taken.has(place)) return place
}

/** Shapes of marks as SVG path data within a square of 10 by 10, so that nobody needs to tell colours apart. */
const SHAPES = [
  // circle, square, diamond
  'M5 .5a4.5 4.5 0 0 1 0 9a4.5 4.5 0 0 1 0-9Z',
  'M1 1h8v8h-8Z',
  'M5 0L10 5L5 10L0 5Z',
  // triangle, triangle on its head, cross, hexagon
  'M5 .5L10 9.2H0Z',
  'M5 9.5L0 .8H10Z',
  'M3.4 0h3.2v3.4H10v3.2H6.6V10H3.4V6.6H0V3.4h3.4Z',
  'M2.5 .7h5L10 5L7.5 9.3h-5L0 5Z',
] as const

export const markShape = (colour: number): string => SHAPES[colour % SHAPES.length]!
