// Do the pairs teach seeing? The implicit reward margin of each pair (arXiv 2305.18290, below eq. 7), computed with its true
// image and with others in its place: a blank one, that of a pair drawn at random, and the most alike of the set. What
// remains of the margin without the true image can be learnt from language alone (cf. mDPO, arXiv 2406.11839).

import { z } from 'zod'
import { createRandom } from '../random.ts'
import { bootstrapInterval } from '../statistics/bootstrap.ts'
import { mean } from '../statistics/description.ts'

/** blank: mid-grey. shuffled: of another pair, by lot. near-miss: the most alike other image of the set. */
export const IMAGE_CONDITIONS = ['true', 'blank', 'shuffled', 'near-miss'] as const
export type ImageCondition = (typeof IMAGE_CONDITIONS)[number]

/** Margins of one pair, β·nats; a condition that could not be made is absent. */
export const auditedPairSchema = z.strictObject({
  sampleId: z.string(),
  cluster: z.string(),
  margins: z.strictObject({
    true: z.number(),
    blank: z.number(),
    shuffled: z.number(),
    'near-miss': z.number(),
  }),
})
export type AuditedPair = z.output<typeof auditedPairSchema>

const estimate = z.strictObject({ value: z.number(), low: z.number().nullable(), high: z.number().nullable() })

export const imageUseSchema = z.strictObject({
  pairs: z.int(),
  conditions: z.array(
    z.strictObject({
      condition: z.enum(IMAGE_CONDITIONS),
      margin: estimate,
      /** Share of pairs with a margin above 0. */
      accuracy: estimate,
    }),
  ),
  /** 1 − mean margin with a shuffled image / mean margin with the true one; null where the true mean is not above 0. */
  needsImage: estimate.nullable(),
  /** Of pairs told right: at least half of the margin remains under each of the other images. */
  languageOnly: z.array(z.string()),
})
export type ImageUse = z.output<typeof imageUseSchema>

/** A pair keeps this share of its margin without its image: it teaches language only. */
const KEPT_SHARE = 0.5

export function teachesLanguageOnly({ margins }: Pick<AuditedPair, 'margins'>): boolean {
  const least = Math.min(margins.blank, margins.shuffled, margins['near-miss'])
  return margins.true > 0 && least >= KEPT_SHARE * margins.true
}

/** Intervals: percentile bootstrap over images, 2 000 resamples, seeded; null below five pairs. */
export function imageUse(pairs: readonly AuditedPair[]): ImageUse {
  const clusters = pairs.map(({ cluster }) => cluster)
  const canResample = pairs.length >= 5 && new Set(clusters).size >= 2
  const withInterval = (name: string, of: (items: ArrayLike<number>) => number) => {
    const value = of(pairs.map((_, i) => i))
    if (!canResample) return { value, low: null, high: null }
    const { interval } = bootstrapInterval(pairs.length, of, { random: createRandom(0, 'image-use', name), clusters, resamples: 2000 })
    return { value, low: interval.low, high: interval.high }
  }
  const marginsOf = (condition: ImageCondition, items: ArrayLike<number>) => Float64Array.from(items, (i) => pairs[i]!.margins[condition])
  const trueMean = pairs.length === 0 ? 0 : mean(marginsOf('true', pairs.map((_, i) => i)))
  return {
    pairs: pairs.length,
    conditions:
      pairs.length === 0
        ? []
        : IMAGE_CONDITIONS.map((condition) => ({
            condition,
            margin: withInterval(`margin ${condition}`, (items) => mean(marginsOf(condition, items))),
            accuracy: withInterval(`accuracy ${condition}`, (items) => mean(marginsOf(condition, items).map((margin) => (margin > 0 ? 1 : 0)))),
          })),
    needsImage:
      trueMean > 0
        ? // A resample whose true mean falls to 0 has no share; what is above 0 by so little is told by the wide interval.
          withInterval('needs image', (items) => {
            const held = mean(marginsOf('true', items))
            return held > 0 ? Math.min(2, Math.max(-1, 1 - mean(marginsOf('shuffled', items)) / held)) : 0
          })
        : null,
    languageOnly: pairs.filter(teachesLanguageOnly).map(({ sampleId }) => sampleId),
  }
}
