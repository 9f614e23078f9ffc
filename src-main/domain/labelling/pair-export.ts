// Labelled pairs as samples, which the exporter of datasets writes in the formats that others read, and the side file that
// tells who judged what and how.

import { z } from 'zod'
import { EXPORT_FORMAT_TABLE, type ExportFormat } from '../data-export.ts'
import { boxesOf, masksOf } from '../mask.ts'
import type { SampleOf } from '../sample.ts'
import { verdictOf } from './judgement.ts'
import { TIE_RULES, type LabelledPair } from './outcome.ts'

/** 'pivot': both of PIVOT's twins, of the same pairs in the same order. */
export const PAIR_FORMATS = ['trl', 'trl-implicit', 'mmpr', 'rlaif-v', 'rlhf-v', 'llama-factory', 'pivot'] as const
export type PairFormat = (typeof PAIR_FORMATS)[number]

export function pairFormatLabel(format: PairFormat): string {
  return format === 'pivot' ? 'PIVOT, SFT and DPO twins' : EXPORT_FORMAT_TABLE[format].label
}

export function exportFormatsOf(format: PairFormat): readonly ExportFormat[] {
  return format === 'pivot' ? ['pivot-dpo', 'pivot-sft'] : [format]
}

export const pairExportSchema = z.strictObject({
  queueId: z.string(),
  format: z.enum(PAIR_FORMATS).default('trl').meta({ label: 'Format' }),
  images: z.enum(['copy', 'reference']).default('copy').meta({ label: 'Images', help: 'copied beside the rows, or named where they are' }),
  ties: z.enum(TIE_RULES).default('leave-out').meta({
    label: 'Ties',
    help: 'left out, or written in both orders: DPO then pulls neither way. "Both bad" and even splits are always left out',
  }),
})
export type PairExport = z.output<typeof pairExportSchema>

/** The pair as a dataset holds it. Pairs about one image share its hash as source: they must not be split apart. */
export function pairSample({ outcome, chosen, rejected }: LabelledPair): SampleOf<'preferences'> {
  const { item, judgements } = outcome
  return {
    id: item.id,
    split: item.split,
    source: item.image?.sha256 ?? item.id,
    image: item.image,
    content: {
      kind: 'preferences',
      prompt: item.image === null ? item.prompt : `<image>\n${item.prompt}`,
      chosen,
      rejected,
      group: item.group,
      category: item.category,
      // The newest region that a labeller drew; else what the item came with.
      region: [...(judgements.findLast(({ region }) => region.length > 0)?.region ?? item.region)],
    },
  }
}

/** The side file: one line a judgement, in the order of the pairs. */
export function labelRows(pairs: readonly LabelledPair[]): readonly unknown[] {
  return pairs.flatMap(({ outcome, chosen, rejected }, pair) =>
    outcome.judgements.map((judgement) => ({
      pair,
      item: outcome.item.id,
      // Not "chosen" and "rejected": this file is about the pairs, and no reader shall take it for pairs.
      preferred: chosen,
      other: rejected,
      labeller: judgement.labeller,
      guideline_version: judgement.guidelineVersion,
      shown_order: judgement.aShows === 'first' ? ['first', 'second'] : ['second', 'first'],
      choice: judgement.choice,
      verdict: verdictOf(judgement),
      sources: { first: outcome.item.first.source, second: outcome.item.second.source },
      strength: judgement.strength,
      seconds: judgement.seconds,
      reasons: judgement.tags,
      note: judgement.note,
      region: boxesOf(judgement.region),
      region_masks: masksOf(judgement.region),
      flagged: judgement.flagged,
      adjudicated: outcome.isAdjudicated,
      judged_at: new Date(judgement.judgedAtMs).toISOString(),
    })),
  )
}
