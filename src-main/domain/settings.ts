// What a person prefers. Nothing here can change a result: the engine a run used is stored with the run.

import { z } from 'zod'
import { backendPreferenceSchema } from './device.ts'
import { judgingKeyChangesSchema } from './labelling/judging-keys.ts'

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

export const settingsSchema = z.strictObject({
  theme: z.enum(THEMES).default('system'),
  backend: backendPreferenceSchema.default('auto'),
  /** Who judges at this machine; '' until somebody has said. */
  labeller: z.string().max(60).default(''),
  /** Larger letters while judging. */
  largeType: z.boolean().default(false),
  /** Keys of judging that differ from the first ones; a set that contradicts itself is not read, rather than nothing. */
  judgingKeys: judgingKeyChangesSchema.default({}).catch({}),
  /** The run whose values others are shown as differences to. */
  baselineRun: z.string().nullable().default(null),
})
export type Settings = z.output<typeof settingsSchema>

/** What a person changes; a field left out stays as it is. */
export const settingsChangeSchema = z.strictObject({
  theme: z.enum(THEMES).exactOptional(),
  backend: backendPreferenceSchema.exactOptional(),
  labeller: z.string().max(60).exactOptional(),
  largeType: z.boolean().exactOptional(),
  /** All changed keys: those left out go back to the first ones. */
  judgingKeys: judgingKeyChangesSchema.exactOptional(),
  baselineRun: z.string().nullable().exactOptional(),
})
export type SettingsChange = z.output<typeof settingsChangeSchema>
