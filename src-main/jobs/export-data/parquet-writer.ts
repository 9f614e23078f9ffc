// Parquet in row groups of a few hundred rows: images as { bytes, path }, as Hugging Face datasets keep them.

import { extname, join } from 'node:path'
import { fileWriter, ParquetWriter } from 'hyparquet-writer'
import type { Sample } from '../../domain/sample.ts'
import { LabError } from '../../domain/errors.ts'
import type { ExportPlace } from '../export-data-job.ts'
import { conversationsOf, labFields, pairOf, type SampleWriter } from './sample-writer.ts'

const ROWS_PER_GROUP = 250

interface Row {
  readonly id: string | null
  readonly image: { readonly bytes: Uint8Array; readonly path: string } | null
  /** Columns of text beside; null where a row has none. */
  readonly texts: Readonly<Record<string, string | null>>
}

export async function openParquetWriter(place: ExportPlace, format: 'parquet' | 'rlaif-v'): Promise<SampleWriter> {
  const writer = fileWriter(join(place.folder, 'data.parquet'))
  let parquet: ParquetWriter | null = null
  let waiting: Row[] = []
  const flush = async () => {
    if (waiting.length === 0) return
    const names = Object.keys(waiting[0]!.texts)
    const image = waiting.map(({ image: each }) => each)
    const columns = [
      { name: 'id', data: waiting.map(({ id }) => id), type: 'STRING' as const, nullable: true },
      { name: 'image', data: image },
      ...names.map((name) => ({ name, data: waiting.map(({ texts }) => texts[name] ?? null), type: 'STRING' as const, nullable: true })),
    ]
    parquet ??= new ParquetWriter({ writer, schema: schemaOf(names) })
    await parquet.write({ columnData: columns, rowGroupSize: ROWS_PER_GROUP })
    waiting = []
  }
  return {
    async write(sample, tags) {
      const bytes = sample.image === null ? null : new Uint8Array(await place.imageBytes(sample.image))
      const image = bytes === null ? null : { bytes, path: `${sample.image!.sha256}${extname(sample.image!.path)}` }
      waiting.push({ id: sample.source, image, texts: textsOf(sample, tags, format) })
      if (waiting.length >= ROWS_PER_GROUP) await flush()
    },
    async end() {
      await flush()
      if (parquet === null) throw new LabError('invalid-input', 'nothing to export: no sample was chosen')
      await parquet.finish()
    },
  }
}

function textsOf(sample: Sample, tags: readonly string[], format: 'parquet' | 'rlaif-v'): Record<string, string | null> {
  const more = labFields(sample, tags)
  const text = (name: string) => (more[name] === undefined ? null : typeof more[name] === 'string' ? more[name] : JSON.stringify(more[name]))
  const lab = { split: sample.split, group: text('group'), category: text('category'), region: text('region'), region_masks: text('region_masks'), tags: text('tags') }
  const { content } = sample
  if (format === 'rlaif-v') {
    const { prompt, chosen, rejected } = pairOf(content)
    return { ds_name: 'pivot-lab', question: prompt, chosen, rejected, origin_dataset: '', origin_split: '{}', ...lab }
  }
  switch (content.kind) {
    case 'conversations':
      return { conversations: JSON.stringify(conversationsOf(content)), ...lab }
    case 'preferences':
      return { prompt: content.prompt, chosen: content.chosen, rejected: content.rejected, ...lab }
    case 'questions':
      return { question: content.question, answer: content.answer, ...lab }
    case 'objects':
      throw new LabError('internal', 'Parquet cannot hold objects')
  }
}

function schemaOf(names: readonly string[]) {
  const text = (name: string) => ({ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }) as const
  const image = [
    { name: 'image', num_children: 2, repetition_type: 'OPTIONAL' },
    { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
    text('path'),
  ] as const
  return [{ name: 'root', num_children: names.length + 2 }, text('id'), ...image, ...names.map(text)]
}
