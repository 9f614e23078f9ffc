// What is looked up about a sample without reading its content: its words and their length, what it is about.

import { isMask } from './mask.ts'
import type { Content } from './sample.ts'

/** All texts, one after the other: what is searched, and whose length is counted. */
export function textOfContent(content: Content): string {
  switch (content.kind) {
    case 'conversations':
      return content.turns.map(({ text }) => text).join(' ')
    case 'preferences':
      return `${content.prompt} ${content.chosen} ${content.rejected}`
    case 'questions':
      return `${content.question} ${content.answer}`
    case 'objects':
      return ''
  }
}

export function categoriesOfContent(content: Content): readonly string[] {
  if (content.kind === 'objects') return [...new Set(content.objects.map(({ category }) => category))]
  return content.kind === 'conversations' || content.category === null ? [] : [content.category]
}

/** A mask of an object, or of the region that decides. */
export function hasMask(content: Content): boolean {
  if (content.kind === 'conversations') return false
  return content.kind === 'objects' ? content.objects.some(({ mask }) => mask !== null) : content.region.some(isMask)
}

export const groupOfContent = (content: Content): string | null =>
  content.kind === 'preferences' || content.kind === 'questions' ? content.group : null

/** What is learnt or measured: the assistant's turns, the preferred answer, the expected answer. */
export function answersOfContent(content: Content): readonly string[] {
  switch (content.kind) {
    case 'conversations':
      return content.turns.filter(({ from }) => from === 'assistant').map(({ text }) => text)
    case 'preferences':
      return [content.chosen]
    case 'questions':
      return [content.answer]
    case 'objects':
      return []
  }
}

/** What is asked, and what is refused. */
export function questionsOfContent(content: Content): readonly string[] {
  switch (content.kind) {
    case 'conversations':
      return content.turns.filter(({ from }) => from === 'human').map(({ text }) => text)
    case 'preferences':
      return [content.prompt, content.rejected]
    case 'questions':
      return [content.question]
    case 'objects':
      return []
  }
}
