// Message lists ({ role, content } or { from, value }, content a string or parts) to plain turns, and the place of the image
// in a prompt.

import type { Turn } from '../../domain/sample.ts'
import { isRow, RowFault } from './row-fault.ts'

/** Where the image stands in a text (LLaVA's convention). */
export const IMAGE_PLACEHOLDER = '<image>'

const ROLES: Readonly<Record<string, Turn['from']>> = {
  user: 'human',
  human: 'human',
  assistant: 'assistant',
  model: 'assistant',
  gpt: 'assistant',
}

/** @throws RowFault unless `value` is a list of user and assistant messages */
export function messagesOf(value: unknown, field: string): Turn[] {
  // LLaMA-Factory gives an answer as one message without a list; tables hold lists as JSON text.
  const list = isRow(value) ? [value] : typeof value === 'string' ? jsonOrItself(value) : value
  if (!Array.isArray(list)) throw new RowFault(field, 'a list of messages', value)
  return list.map((message: unknown, i): Turn => {
    const where = `${field}[${i}]`
    const [speaker, said] = isRow(message) && 'from' in message ? (['from', 'value'] as const) : (['role', 'content'] as const)
    const role = isRow(message) && typeof message[speaker] === 'string' ? message[speaker] : undefined
    const from = role === undefined ? undefined : ROLES[role]
    if (!isRow(message) || from === undefined)
      throw new RowFault(`${where}.${speaker}`, 'user or assistant', isRow(message) ? message[speaker] : message)
    return { from, text: contentOf(message[said], `${where}.${said}`) }
  })
}

function jsonOrItself(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** An image part becomes a placeholder on a line of its own; text parts follow each other. */
function contentOf(content: unknown, where: string): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw new RowFault(where, 'text or a list of parts', content)
  return content
    .map((part: unknown, i): string => {
      if (isRow(part) && part['type'] === 'text' && typeof part['text'] === 'string') return part['text']
      if (isRow(part) && part['type'] === 'image') return `${IMAGE_PLACEHOLDER}\n`
      throw new RowFault(`${where}[${i}]`, 'a part of type "text" or "image"', part)
    })
    .join('')
    .replace(/\n$/, '')
}

/**
 * A prompt with the placeholder where there is an image. LLaVA-style data often lacks it, and the image would silently be
 * ignored; like PIVOT's converter we put it first.
 * @throws RowFault when there are several, or one without an image
 */
export function withPlaceholder(text: string, hasImage: boolean, field: string): string {
  const count = text.split(IMAGE_PLACEHOLDER).length - 1
  if (count > 1) throw new RowFault(field, `one ${IMAGE_PLACEHOLDER}`, text, `${count} of them`)
  if (count === 1 && !hasImage) throw new RowFault('image', `an image, since ${field} holds ${IMAGE_PLACEHOLDER}`, undefined)
  return hasImage && count === 0 ? `${IMAGE_PLACEHOLDER}\n${text}` : text
}
