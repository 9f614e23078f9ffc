// Chat templates as transformers renders them. Unusual: the template library's strip, lstrip and rstrip take away white space
// whatever they are told, where Python's take away the characters that they are given (Qwen3's template strips line breaks and
// keeps spaces); calls with an argument are therefore led to functions of our own.

import { Template } from '@huggingface/jinja'

type Node = Record<string, unknown>

/** Under names that no template writes. */
const STRIPS = {
  strip: (text: string, characters: string) => withoutStart(withoutEnd(text, characters), characters),
  lstrip: (text: string, characters: string) => withoutStart(text, characters),
  rstrip: (text: string, characters: string) => withoutEnd(text, characters),
} as const
const OWN = Object.fromEntries(Object.entries(STRIPS).map(([name, strip]) => [`lab ${name}`, strip]))

/**
 * A template that is parsed once and rendered often.
 * @throws Error in the library's words for a template of bad syntax, and when rendering for what the template itself refuses
 */
export function parseChatTemplate(text: string): (values: Readonly<Record<string, unknown>>) => string {
  const template = new Template(text)
  leadStripsToOwn(template.parsed)
  return (values) => template.render({ ...values, ...OWN })
}

/** `text.strip(characters)` becomes a call of ours with both, wherever it stands in the syntax tree. */
function leadStripsToOwn(node: unknown): void {
  if (Array.isArray(node)) node.forEach(leadStripsToOwn)
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return
  const { type, callee, args } = node as { type?: unknown; callee?: Node; args?: unknown[] }
  const method = callee?.['type'] === 'MemberExpression' && callee['computed'] === false ? (callee['property'] as Node)['value'] : undefined
  if (type === 'CallExpression' && args?.length === 1 && typeof method === 'string' && Object.hasOwn(STRIPS, method))
    Object.assign(node, { callee: { type: 'Identifier', value: `lab ${method}` }, args: [callee!['object'], ...args] })
  Object.values(node).forEach(leadStripsToOwn)
}

function withoutStart(text: string, characters: string): string {
  let start = 0
  while (start < text.length && characters.includes(text[start]!)) start++
  return text.slice(start)
}

function withoutEnd(text: string, characters: string): string {
  let end = text.length
  while (end > 0 && characters.includes(text[end - 1]!)) end--
  return text.slice(0, end)
}
