// Text to tokens and back, and conversations: what is an answer, and that a prompt is the same tokens wherever it stands.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRandom, type Random } from '../../../src-main/domain/random.ts'
import type { Turn } from '../../../src-main/domain/sample.ts'
import { openTokenizer } from '../../../src-main/engine/text/open-tokenizer.ts'
import { createChatTokenizer, recommendedSampling, settingsNotComputed, withImageToken, type ChatTokenizer, type TokenizerFiles } from '../../../src-main/engine/text/tokenizer.ts'
import { trainTokenizer } from '../../../src-main/engine/text/train-tokenizer.ts'
import { faultOf } from '../../support/fault-of.ts'

/** What the reference library makes of texts with Llama 2's kind of tokenizer; the file says which version. */
const sentencePiece = JSON.parse(readFileSync(join(import.meta.dirname, 'sentencepiece.json'), 'utf8')) as Record<
  'legacy' | 'metaspace',
  { readonly tokenizer: object; readonly cases: readonly { readonly text: string; readonly plain: number[]; readonly decoded: string }[] }
>

const files = trainTokenizer(
  [
    'How many red squares are there? There are 3 red squares.',
    "It's the dog's table; they're red.",
    'Naïve café 你好世界 こんにちは',
  ],
  340,
)
const tokenizer = createChatTokenizer(files)

/** Words, spaces of every kind, scripts from all planes, marks, emoji: any well-formed text but special tokens. */
function aText(random: Random): string {
  const pieces = [
    () => random.pick(['red', 'square', "it's", "WE'LL", 'dog', 'the']),
    () => random.pick([' ', '  ', '\n', '\r\n', '\t', '\u00a0', '\u3000', '\u200d', '\u202e', '\ufeff', '\u0000']),
    () => random.pick(['3', '12345', '½', '٣', '๓']),
    () => random.pick(['.', '?!', '…', '“', '<', '|', '>', '{{', '%}', '\\', '"']),
    () => random.pick(['👩‍👩‍👧‍👦', '🏳️‍🌈', 'e\u0301', 'ﬁ', 'ß', 'İ', '한국어', 'हिन्दी', 'العربية']),
    () => {
      // Any code point but the surrogates, which no well-formed text has.
      const point = random.integer(0x110000 - 0x800)
      return String.fromCodePoint(point < 0xd800 ? point : point + 0x800)
    },
  ]
  return Array.from({ length: random.integer(20) }, () => random.pick(pieces)()).join('')
}

describe('text', () => {
  it('of any script comes back as it was, three hundred times', () => {
    for (let seed = 0; seed < 300; seed++) {
      const text = aText(createRandom(seed, 'text'))
      const ids = tokenizer.encode(text)
      expect(tokenizer.decode(ids), JSON.stringify(text)).toBe(text)
      for (const id of ids) expect(id >= 0 && id < tokenizer.vocabSize).toBe(true)
    }
  })

  it('a byte order mark that stands for itself is decoded like any character, by bytes alone too', () => {
    const { tokenizer: json } = sentencePiece.legacy
    const byBytes = openTokenizer(json, {})
    const text = 'zero\ufeffwidth\u200b'
    expect(byBytes.decode(byBytes.encode(text, { add_special_tokens: false }).ids)).toBe(text)
  })

  it('nothing is no token, and no token is nothing', () => {
    expect(tokenizer.encode('')).toEqual([])
    expect(tokenizer.decode([])).toBe('')
  })

  it('special tokens are one token each, and decoding leaves them out', () => {
    expect(tokenizer.encode('<image>')).toEqual([tokenizer.imageId])
    expect(tokenizer.encode('red<|end|>')).toEqual([...tokenizer.encode('red'), tokenizer.endId])
    expect(tokenizer.decode([tokenizer.imageId, ...tokenizer.encode('red'), tokenizer.endId, tokenizer.padId])).toBe('red')
  })
})

/** Qwen2's template in short: a system message, words for roles, a line break after each end token. */
const QWEN =
  "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|user|>system\nBe brief.<|end|>\n" +
  "{% endif %}<|user|>{{ message['role'] }}\n{{ message['content'] }}<|end|>\n{% endfor %}" +
  '{% if add_generation_prompt %}<|user|>assistant\n{% endif %}'
/** Llama's way: the content is stripped of white space. */
const TRIMMING = QWEN.replace("{{ message['content'] }}", "{{ message['content'] | trim }}")
const withTemplate = (template: string): ChatTokenizer =>
  createChatTokenizer({ ...files, config: { ...files.config, chat_template: template } })
const templates: Record<string, ChatTokenizer> = {
  "the lab's own": tokenizer,
  "Qwen2's": withTemplate(QWEN),
  'a trimming one': withTemplate(TRIMMING),
}

const turns = (...texts: string[]): Turn[] => texts.map((text, i) => ({ from: i % 2 === 0 ? 'human' : 'assistant', text }))
/** The marked tokens as text, special ones too. */
function answersOf(chat: ChatTokenizer, conversation: readonly Turn[]): (string | number)[] {
  const { ids, isAnswer } = chat.encodeConversation(conversation)
  const answers: number[][] = []
  ids.forEach((id, i) => {
    if (!isAnswer[i]) return
    if (!isAnswer[i - 1]) answers.push([])
    answers.at(-1)!.push(id)
  })
  return answers.flatMap((answer) => [chat.decode(answer), answer.at(-1)!])
}

for (const [name, chat] of Object.entries(templates))
  describe(`a conversation by ${name} template`, () => {
    it('marks the words of every answer and the token that ends it, and nothing else', () => {
      const conversation = turns('<image>\nHow many?', 'There are 3.', 'And dogs?', 'None')
      expect(answersOf(chat, conversation)).toEqual(['There are 3.', chat.endId, 'None', chat.endId])
    })

    it('of one question and one answer is the prompt of generation, then the answer, then its end', () => {
      for (let seed = 0; seed < 60; seed++) {
        const random = createRandom(seed, 'conversation')
        const [question, answer] = [aText(random), aText(random).trim() || 'yes']
        const { ids, isAnswer } = chat.encodeConversation(turns(question, answer))
        const prompt = chat.encodePrompt(turns(question))
        expect(ids.slice(0, prompt.length), JSON.stringify(question)).toEqual(prompt)
        expect(isAnswer.slice(0, prompt.length).some(Boolean)).toBe(false)
        const marked = ids.filter((_, i) => isAnswer[i])
        expect(marked.at(-1)).toBe(chat.endId)
        expect(chat.decode(marked)).toBe(answer)
        expect(isAnswer.lastIndexOf(true) - isAnswer.indexOf(true) + 1).toBe(marked.length)
      }
    })

    it('does not teach the question: another one changes no marked token', () => {
      const of = (question: string) => answersOf(chat, turns(question, 'There are 3.'))
      expect(of('How many red squares?')).toEqual(of('?'))
    })

    it('an answer with white space around it, and one that is long, end at their end token', () => {
      for (const answer of ['red ', 'red\n', ' red', 'red '.repeat(50)]) {
        const { ids, isAnswer } = chat.encodeConversation(turns('What?', answer))
        const last = isAnswer.lastIndexOf(true)
        expect(ids[last], JSON.stringify(answer)).toBe(chat.endId)
        expect(ids.slice(0, last).filter((id, i) => isAnswer[i] && id === chat.endId)).toEqual([])
      }
    })

    it('a last question without an answer teaches nothing', () => {
      expect(chat.encodeConversation(turns('What?', 'red', 'And now?'))).toEqual(chat.encodeConversation(turns('What?', 'red')))
      expect(chat.encodeConversation(turns('What?')).ids).toEqual([])
    })
  })

describe('files that lack something are refused, naming it:', () => {
  const without = (key: string): TokenizerFiles => ({
    ...files,
    config: Object.fromEntries(Object.entries(files.config).filter(([name]) => name !== key)),
  })
  const cases: Record<string, readonly [TokenizerFiles, string]> = {
    'the chat template': [without('chat_template'), 'chat_template'],
    'the end token': [without('eos_token'), 'eos_token'],
    'the image placeholder in the vocabulary': [{ ...files, config: { ...files.config, image_token: '<picture>' } }, '<picture>'],
    'the padding token in the vocabulary': [{ ...files, config: { ...files.config, pad_token: '<none>' } }, '<none>'],
  }
  for (const [name, [lacking, named]] of Object.entries(cases))
    it(name, () => {
      const fault = faultOf(() => createChatTokenizer(lacking))
      expect(fault.code).toBe('corrupt-artifact')
      expect(fault.message).toContain(named)
    })

  it('a template that rewrites earlier turns cannot be trained turn by turn, and says so', () => {
    const numbering = withTemplate(
      "{{ messages | length }}{% for message in messages %}{{ message['content'] }}<|end|>{% endfor %}",
    )
    expect(faultOf(() => numbering.encodeConversation(turns('a', 'b', 'c', 'd'))).code).toBe('corrupt-artifact')
  })

  it('tokens may be given as objects, as transformers writes them, and padding may be left to the end token', () => {
    const { pad_token: _pad, ...rest } = files.config
    const found = createChatTokenizer({ ...files, config: { ...rest, eos_token: { content: '<|end|>', special: true } } })
    expect([found.endId, found.padId]).toEqual([tokenizer.endId, tokenizer.endId])
  })
})

describe("a multimodal checkpoint's template, which takes a list of parts,", () => {
  // LLaVA 1.5's, whose tokenizer puts <s> first and whose template ends no answer.
  const LLAVA =
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}" +
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}" +
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{% generation %}{{ content['text'] + ' ' }}{% endgeneration %}{% endfor %}" +
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
  const { tokenizer: json } = sentencePiece.legacy
  const llava = (template = LLAVA) =>
    createChatTokenizer({ tokenizer: json, config: { bos_token: '<s>', eos_token: '</s>', pad_token: '<pad>', image_token: '<image>', chat_template: template } })

  it("writes the placeholder, the tokenizer's first token stands before it, and the answer ends", () => {
    const chat = llava()
    const prompt = chat.encodePrompt(turns('<image>\nhow many birds are there?'))
    expect(prompt[0]).toBe(1)
    expect(prompt.filter((id) => id === chat.imageId)).toHaveLength(1)
    expect(chat.decode(prompt)).toBe('USER:  \nhow many birds are there? ASSISTANT:')
    const { ids, isAnswer } = chat.encodeConversation(turns('<image>\nhow many birds are there?', 'two'))
    expect(ids.slice(0, prompt.length)).toEqual(prompt)
    expect(isAnswer.lastIndexOf(true)).toBe(ids.length - 1)
    expect([ids.at(-1), chat.decode(ids.slice(prompt.length)).trim()]).toEqual([chat.endId, 'two'])
  })

  it('that leaves the image out, or writes nothing of a turn, is refused by name', () => {
    const blind = LLAVA.replace("{{ '<image>\\n' }}", '').replace("{{ '<image>\n' }}", '')
    expect(faultOf(() => llava(blind))).toMatchObject({ code: 'corrupt-artifact', message: expect.stringContaining('<image>') })
    expect(faultOf(() => llava('{{ bos_token }}')).message).toContain('chat_template (in tokenizer_config.json or chat_template.jinja): expected the words of a turn')
  })

  it('may be one of several, of which the default is taken', () => {
    const named = [
      { name: 'tool_use', template: 'none' },
      { name: 'default', template: LLAVA },
    ]
    expect(llava(named as never).encodePrompt(turns('a'))).toEqual(llava().encodePrompt(turns('a')))
  })
})

describe('the placeholder of a text-only tokenizer', () => {
  it('is added after its last token, once, and is one token in text', () => {
    const bare = { ...files, config: { ...files.config, image_token: '<picture>' } }
    const { files: extended, addedId } = withImageToken(bare)
    expect(addedId).toBe(tokenizer.vocabSize)
    const chat = createChatTokenizer(extended)
    expect([chat.imageId, chat.vocabSize]).toEqual([addedId, tokenizer.vocabSize + 1])
    expect(chat.encode('a<picture>b').filter((id) => id === addedId)).toHaveLength(1)
    expect(withImageToken(extended).addedId).toBeNull()
    expect(withImageToken(files).addedId).toBeNull()
  })
})

for (const kind of ['legacy', 'metaspace'] as const)
  describe(`SentencePiece's BPE with byte fallback (${kind})`, () => {
    const { tokenizer: json, cases } = sentencePiece[kind]
    const library = createChatTokenizer({ tokenizer: json, config: { bos_token: '<s>', eos_token: '</s>', pad_token: '<pad>', chat_template: QWEN } })
    it('the same tokens and the same text as tokenizers', () => {
      for (const { text, plain, decoded } of cases) {
        expect(library.encode(text), JSON.stringify(text)).toEqual(plain)
        expect(library.decode(plain), JSON.stringify(text)).toBe(decoded)
      }
    })
  })

describe('the end of a generated answer', () => {
  const end = tokenizer.endId
  it.each([
    [undefined, [end]],
    [{ eos_token_id: 40 }, [end, 40]],
    [{ eos_token_id: [50, end, 40] }, [end, 50, 40]],
    [{ eos_token_id: null, do_sample: true }, [end]],
  ])('under %j', (generation, expected) => {
    const found = createChatTokenizer({ ...files, ...(generation !== undefined && { generation }) })
    expect(found.endIds).toEqual(expected)
    expect(found.endId).toBe(end)
  })

  it.each([[-1], [1e6], ['</s>'], [1.5]])('is refused at %j, naming file, field and range', (id) => {
    expect(faultOf(() => createChatTokenizer({ ...files, generation: { eos_token_id: [end, id] } }))).toMatchObject({
      code: 'corrupt-artifact',
      message: expect.stringMatching(new RegExp(`generation_config\\.json: eos_token_id: .*0 to ${tokenizer.vocabSize - 1}.*${id}`)) as string,
    })
  })

  it('is drawn as generation_config.json recommends only where that draws', () => {
    expect(recommendedSampling(files)).toBeNull()
    expect(recommendedSampling({ generation: { temperature: 0.7 } })).toBeNull()
    const neutral = { topP: 1, topK: 0, minP: 0, repetitionPenalty: 1, noRepeatNgramSize: 0 }
    expect(recommendedSampling({ generation: { do_sample: true, temperature: 0.7, top_p: 0.8, top_k: 20 } })).toEqual({ ...neutral, temperature: 0.7, topP: 0.8, topK: 20 })
    // transformers draws from 50 where nothing is said.
    expect(recommendedSampling({ generation: { do_sample: true } })).toEqual({ ...neutral, temperature: 1, topK: 50 })
    expect(recommendedSampling({ generation: { repetition_penalty: 1.05 } })).toEqual({ ...neutral, temperature: 0, repetitionPenalty: 1.05 })
    expect(settingsNotComputed({ generation: { num_beams: 4, typical_p: 1, bad_words_ids: [], temperature: 0.3 } })).toEqual(['num_beams 4'])
  })
})

it('a turn of the system stands where the template puts it', () => {
  const turns = [{ from: 'system', text: 'Be brief.' }, { from: 'human', text: 'Hi' }] as const
  const chat = createChatTokenizer({ ...files, config: { ...files.config, chat_template: "{% for m in messages %}{{ m.role }}={{ m.content }};{{ '<image>' if '<image>' in m.content }}{% endfor %}" } })
  expect(chat.chatText(turns, true)).toBe('system=Be brief.;user=Hi;')
  expect(chat.encodePrompt(turns)).toEqual(chat.encode('system=Be brief.;user=Hi;'))
})

it('of a published size is read: 200,000 tokens, and one more for the image where it lacks one', () => {
  const { model, ...rest } = files.tokenizer as { readonly model: { readonly vocab: Readonly<Record<string, number>> }; readonly added_tokens: readonly { readonly content: string }[] }
  const words = Object.fromEntries(Array.from({ length: 200_000 - tokenizer.vocabSize }, (_, i) => [`Ġw${i}`, tokenizer.vocabSize + i]))
  const large = { ...files, tokenizer: { ...rest, model: { ...model, vocab: { ...model.vocab, ...words } } } }
  const found = createChatTokenizer(large)
  expect(found.vocabSize).toBe(200_000)
  expect(found.decode([199_999])).toBe(` w${200_000 - tokenizer.vocabSize - 1}`)
  const { '<image>': _, ...vocab } = large.tokenizer.model.vocab as Record<string, number>
  const without = { ...large, tokenizer: { ...large.tokenizer, model: { ...model, vocab }, added_tokens: rest.added_tokens.filter(({ content }) => content !== '<image>') } }
  expect(withImageToken(without).addedId).toBe(200_000)
})
