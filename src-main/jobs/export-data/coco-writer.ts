// COCO: one JSON object, its three lists written to files of their own while samples come and joined at the end.

import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExportPlace } from '../export-data-job.ts'
import { wrongKind, type SampleWriter } from './sample-writer.ts'
import { LabError } from '../../domain/errors.ts'

export async function openCocoWriter(place: ExportPlace): Promise<SampleWriter> {
  const [images, annotations] = [await place.open('images.part'), await place.open('annotations.part')]
  const categories = new Map<string, number>()
  let [imageCount, annotationCount] = [0, 0]
  return {
    async write(sample, tags) {
      const { content, image, source, split } = sample
      if (content.kind !== 'objects') throw wrongKind(content, 'COCO')
      if (image === null) throw new LabError('invalid-input', `COCO needs an image with every sample; sample ${sample.id.slice(0, 12)} has none`)
      imageCount += 1
      const { width, height } = image
      const row = { id: imageCount, file_name: await place.imagePath(sample), width, height, split, source, ...(tags.length > 0 ? { tags } : {}) }
      await images.write(`${imageCount > 1 ? ',\n' : ''}${JSON.stringify(row)}`)
      for (const { category, box, mask } of content.objects) {
        const categoryId = categories.get(category) ?? categories.size + 1
        categories.set(category, categoryId)
        annotationCount += 1
        const area = mask === null ? box[2] * box[3] : mask.counts.reduce((sum, run, i) => sum + (i % 2 === 1 ? run : 0), 0)
        const annotation = {
          id: annotationCount,
          image_id: imageCount,
          category_id: categoryId,
          bbox: box,
          area,
          iscrowd: 0,
          ...(mask === null ? {} : { segmentation: mask }),
        }
        await annotations.write(`${annotationCount > 1 ? ',\n' : ''}${JSON.stringify(annotation)}`)
      }
    },
    async end() {
      await images.end()
      await annotations.end()
      const file = await place.open('instances.json')
      const copy = async (part: string) => {
        for await (const piece of createReadStream(join(place.folder, part), 'utf8') as AsyncIterable<string>) await file.write(piece)
        await rm(join(place.folder, part))
      }
      await file.write('{"images": [\n')
      await copy('images.part')
      await file.write('\n], "annotations": [\n')
      await copy('annotations.part')
      await file.write(`\n], "categories": ${JSON.stringify([...categories].map(([name, id]) => ({ id, name })))}}\n`)
      await file.end()
    },
  }
}
