// Do the pairs teach seeing? The implicit reward margin of each pair (arXiv 2305.18290, below eq. 7), computed with its true
// image and with others in its place: a blank one, that of a pair drawn at random, and the most alike of the set. What
// remains of the margin without the true image can be learnt from language alone (cf. mDPO, arXiv 2406.11839).

import { z } from 'zod'
import { jackknifeOfSums } from '../statistics/jackknife.ts'

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

/** Intervals: jackknife over images; null below five pairs or of one image. */
export function imageUse(pairs: readonly AuditedPair[]): ImageUse {
  const clusters = pairs.map(({ cluster }) => cluster)
  const canLeaveOut = pairs.length >= 5 && new Set(clusters).size >= 2
  const sumsOf = (rows: readonly (readonly number[])[], statistic: (sums: readonly number[], count: number) => number) => {
    if (canLeaveOut) {
      const { estimate, interval } = jackknifeOfSums(rows, clusters, statistic)
      return { value: estimate, low: interval.low, high: interval.high }
    }
    const sums = rows[0]!.map((_, k) => rows.reduce((sum, row) => sum + row[k]!, 0))
    return { value: statistic(sums, rows.length), low: null, high: null }
  }
  const meanOf = (values: readonly number[]) => sumsOf(values.map((value) => [value]), ([sum], count) => sum! / count)
  const within = ({ value, low, high }: ImageUse['conditions'][number]['accuracy']) => ({
    value,
    low: low === null ? null : Math.max(0, low),
    high: high === null ? null : Math.min(1, high),
  })
  const trueSum = pairs.reduce((sum, { margins }) => sum + margins.true, 0)
  return {
    pairs: pairs.length,
    conditions:
      pairs.length === 0
        ? []
        : IMAGE_CONDITIONS.map((condition) => ({
            condition,
            margin: meanOf(pairs.map(({ margins }) => margins[condition])),
            accuracy: within(meanOf(pairs.map(({ margins }) => (margins[condition] > 0 ? 1 : 0)))),
          })),
    needsImage:
      trueSum > 0 ? sumsOf(pairs.map(({ margins }) => [margins.true, margins.shuffled]), ([held, shuffled]) => 1 - shuffled! / held!) : null,
    languageOnly: pairs.filter(teachesLanguageOnly).map(({ sampleId }) => sampleId),
  }
}
