// Templates in Python's sense: what strip, lstrip and rstrip take away is what they are told.

import { describe, expect, it } from 'vitest'
import { parseChatTemplate } from '../../../src-main/engine/text/chat-template.ts'

describe('strip', () => {
  it.each([
    ["{{ text.strip('\\n') }}", '  words \t'],
    ["{{ text.lstrip('\\n') }}", '  words \t\n\n'],
    ["{{ text.rstrip('\\n') }}", '\n  words \t'],
    ["{{ text.strip('\\n ') }}", 'words \t'],
    ['{{ text.strip() }}', 'words'],
    ['{{ text.lstrip() }}', 'words \t\n\n'],
    ['{{ text | trim }}', 'words'],
    ["{{ text.split('w')[-1].rstrip('\\n').lstrip('o') }}", 'rds \t'],
  ])('%s', (template, expected) => {
    expect(parseChatTemplate(template)({ text: '\n  words \t\n\n' })).toBe(expected)
  })

  it('holds inside loops, macros, conditions and assignments', () => {
    const template =
      "{% macro say(words) %}[{{ words.strip('-') }}]{% endmacro %}" +
      "{% for each in all %}{% set bare = each.lstrip('-') %}{% if bare.rstrip('-') == ' a ' %}{{ say(each) }}{% endif %}{% endfor %}"
    expect(parseChatTemplate(template)({ all: ['- a -', 'a', '-- a'] })).toBe('[ a ]')
  })
})
