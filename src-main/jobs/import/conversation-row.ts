// Rows of instruction data: LLaVA's { id, image, conversations: [{ from, value }] }, and the message form
// { image(s), messages: [{ role, content }] }, and Alpaca's { instruction, input, output }. One image at most, its placeholder
// in the first human turn.

import type { ConversationContent, Turn } from '../../domain/sample.ts'
import { messagesOf, IMAGE_PLACEHOLDER, withPlaceholder } from './messages.ts'
import { optionalTextOf, RowFault, textOf, type Row } from './row-fault.ts'

/** @throws RowFault */
export function conversationContent(row: Row, hasImage: boolean): ConversationContent {
  const turns = turnsOf(row)
  if (turns.length < 2) throw new RowFault('conversations', 'at least a question and an answer', turns, `${turns.length} turns`)
  turns.forEach(({ from, text }, i) => {
    const where = `conversations[${i}]`
    const expected = i % 2 === 0 ? 'human' : 'assistant'
    if (from !== expected) throw new RowFault(`${where}.from`, `${expected} (speakers take turns, human first)`, from)
    if (text.trim() === '') throw new RowFault(`${where}.value`, 'text', text)
    if (text.includes(IMAGE_PLACEHOLDER) && i > 0)
      throw new RowFault(`${where}.value`, `${IMAGE_PLACEHOLDER} in the first human turn only`, text)
  })
  const [first, ...rest] = turns as [Turn, ...Turn[]]
  return {
    kind: 'conversations',
    turns: [{ from: 'human', text: withPlaceholder(first.text, hasImage, 'conversations[0].value') }, ...rest],
  }
}

function turnsOf(row: Row): Turn[] {
  if (row['conversations'] !== undefined) return messagesOf(row['conversations'], 'conversations')
  if (row['messages'] !== undefined) return messagesOf(row['messages'], 'messages')
  if (row['instruction'] === undefined) throw new RowFault('conversations', 'an array of turns', undefined)
  const input = optionalTextOf(row, 'input')
  const instruction = textOf(row, 'instruction')
  return [
    { from: 'human', text: input === null ? instruction : `${instruction}\n${input}` },
    { from: 'assistant', text: textOf(row, 'output') },
  ]
}
