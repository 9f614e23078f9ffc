// Rows of preference data: PIVOT and TRL (prompt, chosen, rejected), MMPR and RLAIF-V (question, chosen, rejected),
// LLaMA-Factory (conversations or messages, then chosen and rejected), each as strings or as message lists, with the prompt of
// its own or shared by both answers; RLHF-V, whose `text` is a JSON string. TRL's rule for a shared prompt: the longest common beginning.

import type { PreferenceContent, Turn } from '../../domain/sample.ts'
import { IMAGE_PLACEHOLDER, messagesOf, withPlaceholder } from './messages.ts'
import { regionOf, type ImageSize } from './question-row.ts'
import { isRow, optionalTextOf, RowFault, textOf, type Row } from './row-fault.ts'

/** @throws RowFault */
export function preferenceContent(row: Row, image: ImageSize | null): PreferenceContent {
  const { prompt, chosen, rejected } = readPair(row)
  for (const [field, answer] of [
    ['chosen', chosen],
    ['rejected', rejected],
  ] as const) {
    if (answer.trim() === '') throw new RowFault(field, 'text', answer)
    if (answer.includes(IMAGE_PLACEHOLDER)) throw new RowFault(field, `an answer without ${IMAGE_PLACEHOLDER}`, answer)
  }
  if (chosen === rejected) throw new RowFault('rejected', 'another answer than chosen', rejected)
  return {
    kind: 'preferences',
    prompt: withPlaceholder(prompt, image !== null, 'prompt'),
    chosen,
    rejected,
    group: optionalTextOf(row, 'group'),
    category: optionalTextOf(row, 'category'),
    region: regionOf(row, image),
  }
}

const PROMPT_FIELDS = ['prompt', 'question', 'conversations', 'messages', 'instruction'] as const

interface TextPair {
  readonly prompt: string
  readonly chosen: string
  readonly rejected: string
}

function readPair(row: Row): TextPair {
  const promptField = PROMPT_FIELDS.find((field) => row[field] !== undefined && row[field] !== null) ?? 'prompt'
  const prompt = row[promptField]
  const isMessages = [row['chosen'], row['rejected']].some((answer) => typeof answer === 'object' && answer !== null)
  if (!isMessages) {
    const [chosen, rejected] = [textOf(row, 'chosen'), textOf(row, 'rejected')]
    if (prompt === undefined || prompt === null) return sharedText(chosen, rejected)
    return {
      prompt: Array.isArray(prompt) ? onlyQuestion(messagesOf(prompt, promptField), promptField) : textOf(row, promptField),
      chosen,
      rejected,
    }
  }
  const [chosen, rejected] = [messagesOf(row['chosen'], 'chosen'), messagesOf(row['rejected'], 'rejected')]
  if (prompt === undefined || prompt === null) {
    const shared = chosen.findIndex((turn, i) => turn.from !== rejected[i]?.from || turn.text !== rejected[i].text)
    const length = shared < 0 ? chosen.length : shared
    return {
      prompt: onlyQuestion(chosen.slice(0, length), 'chosen'),
      chosen: onlyAnswer(chosen.slice(length), 'chosen'),
      rejected: onlyAnswer(rejected.slice(length), 'rejected'),
    }
  }
  const question = Array.isArray(prompt) ? onlyQuestion(messagesOf(prompt, promptField), promptField) : textOf(row, promptField)
  return { prompt: question, chosen: onlyAnswer(chosen, 'chosen'), rejected: onlyAnswer(rejected, 'rejected') }
}

function onlyQuestion(turns: readonly Turn[], field: string): string {
  if (turns.length !== 1 || turns[0]!.from !== 'human')
    throw new RowFault(
      field,
      'one user message before the answer (conversations of several turns are not supported)',
      turns,
      speakersOf(turns),
    )
  return turns[0]!.text
}

function onlyAnswer(turns: readonly Turn[], field: string): string {
  if (turns.length !== 1 || turns[0]!.from !== 'assistant')
    throw new RowFault(field, 'one assistant message as the answer', turns, speakersOf(turns))
  return turns[0]!.text
}

const speakersOf = (turns: readonly Turn[]) => turns.map(({ from }) => from).join(', ') || 'none'

function sharedText(chosen: string, rejected: string): TextPair {
  let length = 0
  while (length < chosen.length && chosen[length] === rejected[length]) length += 1
  // The blank before the answers stays with the answers.
  if (chosen[length - 1] === ' ') length -= 1
  const prompt = chosen.slice(0, length)
  if (prompt.trim() === '') throw new RowFault('prompt', 'a prompt, or answers that begin with the same one', undefined)
  return { prompt, chosen: chosen.slice(length), rejected: rejected.slice(length) }
}

/** @throws RowFault */
export function rlhfVContent(row: Row, image: ImageSize | null): PreferenceContent {
  const text = textOf(row, 'text')
  let inner: unknown
  try {
    inner = JSON.parse(text)
  } catch {
    throw new RowFault('text', 'a JSON string with question, chosen and rejected', text)
  }
  if (!isRow(inner)) throw new RowFault('text', 'a JSON string with question, chosen and rejected', text)
  const { group, category, region, region_masks } = row
  return preferenceContent({ ...inner, group, category, region, region_masks }, image)
}
