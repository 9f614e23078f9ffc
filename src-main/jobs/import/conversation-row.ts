// Rows of instruction data: LLaVA's { id, image, conversations: [{ from, value }] }, and the message form
// { image(s), messages: [{ role, content }] }. One image at most, its placeholder in the first human turn.

import type { ConversationContent, Turn } from '../../domain/sample.ts'
import { messagesOf, IMAGE_PLACEHOLDER, withPlaceholder } from './messages.ts'
import { isRow, RowFault, type Row } from './row-fault.ts'

const SPEAKERS: Readonly<Record<string, Turn['from']>> = {
  human: 'human',
  user: 'human',
  gpt: 'assistant',
  assistant: 'assistant',
  model: 'assistant',
}

/** @throws RowFault */
export function conversationContent(row: Row, hasImage: boolean): ConversationContent {
  const turns = row['conversations'] === undefined ? messagesOf(row['messages'], 'messages') : llavaTurns(row['conversations'])
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

function llavaTurns(value: unknown): Turn[] {
  if (!Array.isArray(value)) throw new RowFault('conversations', 'an array of turns', value)
  return value.map((turn: unknown, i): Turn => {
    const from = isRow(turn) && typeof turn['from'] === 'string' ? SPEAKERS[turn['from']] : undefined
    if (!isRow(turn) || from === undefined)
      throw new RowFault(
        `conversations[${i}].from`,
        `one of ${Object.keys(SPEAKERS).join(', ')}`,
        isRow(turn) ? turn['from'] : turn,
      )
    if (typeof turn['value'] !== 'string') throw new RowFault(`conversations[${i}].value`, 'text', turn['value'])
    return { from, text: turn['value'] }
  })
}
