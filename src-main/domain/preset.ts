// A preset: a study's configuration as a JSON file in resources/presets, with where its numbers come from and what a
// good run shows. `sightTest` says which built-in data it needs; it is made and imported when the project lacks it.

import { z } from 'zod'
import { sightTestSchema } from './job.ts'
import { studyConfigSchema } from './study.ts'

export const presetSchema = z.strictObject({
  title: z.string(),
  /** Paper and section, or the measurement, behind the numbers. */
  source: z.string(),
  /** What to expect: time, and what a good run shows. */
  expect: z.string(),
  /** True: everything is shown, nothing may be concluded. */
  quick: z.boolean().default(false),
  sightTest: sightTestSchema.nullable().default(null),
  config: studyConfigSchema,
})
export type Preset = z.output<typeof presetSchema>

/** The preset's file name without `.json` is its name. */
export const presetRowSchema = z.strictObject({
  name: z.string(),
  title: z.string(),
  source: z.string(),
  expect: z.string(),
  quick: z.boolean(),
})
export type PresetRow = z.output<typeof presetRowSchema>
