// What a sample says about its picture, as maps want it: a question, the right answer, one to set against it, and the region
// that decides.

import type { Region } from '../../../src-main/domain/sample.ts'
import type { SampleDetail } from '../../../src-main/domain/sample-query.ts'

export interface MapWords {
  prompt: string
  chosen: string
  rejected: string
  region: Region
}

const bare = (text: string) => text.replace(/<image>\s*/g, '').trim()

export function contentWords(content: SampleDetail['content']): MapWords {
  switch (content.kind) {
    case 'preferences':
      return { prompt: bare(content.prompt), chosen: content.chosen, rejected: content.rejected, region: content.region }
    case 'questions':
      return { prompt: bare(content.question), chosen: content.answer, rejected: '', region: content.region }
    case 'conversations':
      return { prompt: bare(content.turns[0]?.text ?? ''), chosen: content.turns[1]?.text ?? '', rejected: '', region: [] }
    case 'objects':
      return { prompt: '', chosen: '', rejected: '', region: content.objects.map(({ box }) => box) }
  }
}
