// Labelled pairs as rows of the formats that others read. Pure: image paths are given. Each format is one that the lab's
// own importer takes back.

import { z } from 'zod'
import { TIE_RULES, type LabelledPair } from './outcome.ts'
import { verdictOf } from './judgement.ts'

export const PAIR_FORMATS = ['trl', 'trl-implicit', 'mmpr', 'rlaif-v', 'llama-factory', 'pivot'] as const
export type PairFormat = (typeof PAIR_FORMATS)[number]

export const PAIR_FORMAT_LABELS: Readonly<Record<PairFormat, string>> = {
  trl: 'TRL, prompt of its own',
  'trl-implicit': 'TRL, prompt in both answers',
  mmpr: 'MMPR',
  'rlaif-v': 'RLAIF-V',
  'llama-factory': 'LLaMA-Factory',
  pivot: 'PIVOT, SFT and DPO twins',
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

/** A file of an export: rows of a JSON array, or one a line. */
export interface ExportFile {
  readonly name: string
  readonly layout: 'array' | 'lines' | 'object'
  readonly rows: readonly unknown[]
}

const PLACEHOLDER = '<image>'

/** @param imagePath as it shall stand in the row; null: the pair has no image */
export function exportFiles(
  name: string,
  format: PairFormat,
  pairs: readonly LabelledPair[],
  imagePath: (pair: LabelledPair) => string | null,
): readonly ExportFile[] {
  const rows = pairs.map((pair, i) => {
    const { item } = pair.outcome
    const image = imagePath(pair)
    const bare = item.prompt.replace(/<image>\n?/g, '')
    return { id: `${name}-${i}`, image, bare, prompt: image === null ? bare : withPlaceholder(item.prompt), pair }
  })
  const extra = ({ pair }: (typeof rows)[number]) => ({
    split: pair.outcome.item.split,
    ...(pair.outcome.item.group === null ? {} : { group: pair.outcome.item.group }),
    ...(pair.outcome.item.category === null ? {} : { category: pair.outcome.item.category }),
    ...(regionOf(pair).length === 0 ? {} : { region: regionOf(pair) }),
  })
  const userMessage = ({ image, bare }: (typeof rows)[number]) => ({
    role: 'user',
    content: [...(image === null ? [] : [{ type: 'image' }]), { type: 'text', text: bare }],
  })
  const answerMessage = (text: string) => ({ role: 'assistant', content: [{ type: 'text', text }] })
  const imagesOf = ({ image }: (typeof rows)[number]) => (image === null ? {} : { images: [image] })
  switch (format) {
    case 'trl':
      return [
        {
          name: 'pairs.jsonl',
          layout: 'lines',
          rows: rows.map((row) => ({
            prompt: [userMessage(row)],
            chosen: [answerMessage(row.pair.chosen)],
            rejected: [answerMessage(row.pair.rejected)],
            ...imagesOf(row),
            ...extra(row),
          })),
        },
      ]
    case 'trl-implicit':
      return [
        {
          name: 'pairs.jsonl',
          layout: 'lines',
          rows: rows.map((row) => ({
            chosen: [userMessage(row), answerMessage(row.pair.chosen)],
            rejected: [userMessage(row), answerMessage(row.pair.rejected)],
            ...imagesOf(row),
            ...extra(row),
          })),
        },
      ]
    case 'mmpr':
      return [
        {
          name: 'pairs.jsonl',
          layout: 'lines',
          rows: rows.map((row) => ({
            ...(row.image === null ? {} : { image: row.image }),
            question: row.prompt,
            chosen: row.pair.chosen,
            rejected: row.pair.rejected,
            ...extra(row),
          })),
        },
        { name: 'meta.json', layout: 'object', rows: [{ [name]: { root: '.', annotation: 'pairs.jsonl', length: rows.length } }] },
      ]
    case 'rlaif-v':
      return [
        {
          name: 'pairs.jsonl',
          layout: 'lines',
          rows: rows.map((row, idx) => ({
            ds_name: name,
            ...(row.image === null ? {} : { image: row.image }),
            question: row.bare,
            chosen: row.pair.chosen,
            rejected: row.pair.rejected,
            origin_dataset: name,
            origin_split: JSON.stringify({ type: row.pair.outcome.item.category ?? '' }),
            idx,
            ...extra(row),
          })),
        },
      ]
    case 'llama-factory':
      return [
        {
          name: 'pairs.json',
          layout: 'array',
          rows: rows.map((row) => ({
            conversations: [{ from: 'human', value: row.prompt }],
            chosen: { from: 'gpt', value: row.pair.chosen },
            rejected: { from: 'gpt', value: row.pair.rejected },
            ...imagesOf(row),
          })),
        },
        {
          name: 'dataset_info.json',
          layout: 'object',
          rows: [
            {
              [name]: {
                file_name: 'pairs.json',
                formatting: 'sharegpt',
                ranking: true,
                columns: { messages: 'conversations', chosen: 'chosen', rejected: 'rejected', images: 'images' },
              },
            },
          ],
        },
      ]
    case 'pivot':
      return [
        {
          name: 'dpo.json',
          layout: 'array',
          rows: rows.map((row) => ({
            id: row.id,
            prompt: row.prompt,
            chosen: row.pair.chosen,
            rejected: row.pair.rejected,
            ...(row.image === null ? {} : { image: row.image }),
            ...extra(row),
          })),
        },
        {
          name: 'sft.json',
          layout: 'array',
          rows: rows.map((row) => ({
            id: row.id,
            conversations: [
              { from: 'human', value: row.prompt },
              { from: 'gpt', value: row.pair.chosen },
            ],
            data_source: name,
            ...(row.image === null ? {} : { image: row.image }),
          })),
        },
      ]
  }
}

/** The side file: one line a judgement, in the order of the pairs. */
export function labelRows(pairs: readonly LabelledPair[]): readonly unknown[] {
  return pairs.flatMap(({ outcome, chosen, rejected }, pair) =>
    outcome.judgements.map((judgement) => ({
      pair,
      item: outcome.item.id,
      chosen,
      rejected,
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
      region: judgement.region,
      flagged: judgement.flagged,
      adjudicated: outcome.isAdjudicated,
      judged_at: new Date(judgement.judgedAtMs).toISOString(),
    })),
  )
}

/** The newest region that a labeller drew; else what the item came with. */
function regionOf({ outcome }: LabelledPair) {
  return outcome.judgements.findLast(({ region }) => region.length > 0)?.region ?? outcome.item.region
}

function withPlaceholder(prompt: string): string {
  return prompt.includes(PLACEHOLDER) ? prompt : `${PLACEHOLDER}\n${prompt}`
}
