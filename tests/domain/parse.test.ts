// Unknown data: typed with its defaults, or refused by the path of its first fault with what was expected and found.

import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { parse } from '../../src-main/domain/parse.ts'
import { faultOf } from '../support/fault-of.ts'

const schema = z.strictObject({
  batchSize: z.int().min(1).max(64),
  kind: z.enum(['sft', 'dpo']).default('sft'),
  nested: z.strictObject({ rows: z.array(z.number()) }).prefault({ rows: [] }),
})

describe('parse', () => {
  it('gives the value with its defaults', () => {
    expect(parse(schema, { batchSize: 2 })).toEqual({ batchSize: 2, kind: 'sft', nested: { rows: [] } })
  })

  it('names the path, what was expected and what was found', () => {
    const cases: readonly (readonly [unknown, readonly string[], readonly string[]])[] = [
      [{ batchSize: 0.5 }, ['batchSize'], ['batchSize', 'int', '0.5']],
      [{ batchSize: 65 }, ['batchSize'], ['64', 'got 65']],
      [{ batchSize: 2, kind: 'ppo' }, ['kind'], ['"sft"|"dpo"', 'got "ppo"']],
      [{ batchSize: 2, nested: { rows: [1, 'x'] } }, ['nested', 'rows', '1'], ['nested.rows.1', 'number', '"x"']],
      [{ batchSize: 2, extra: 1 }, [], ['extra']],
      [{}, ['batchSize'], ['batchSize']],
      ['text', [], ['value', 'object', '"text"']],
    ]
    for (const [value, path, words] of cases) {
      const fault = faultOf(() => parse(schema, value))
      expect(fault.code).toBe('invalid-input')
      expect(fault.details['path']).toEqual(path)
      for (const word of words) expect(fault.message, JSON.stringify(value)).toContain(word)
    }
  })

  it('repeats the beginning of a long text, and its length', () => {
    const fault = faultOf(() => parse(z.string().max(100), 'why '.repeat(100_000), 'invalid-input', 'ask'))
    expect(fault.message).toMatch(/^ask: value: .*100.*"why why .*…" of 400000 characters$/)
    expect(fault.message.length).toBeLessThan(400)
  })

  it('takes the code and the place that it is given, and repeats no large value', () => {
    const fault = faultOf(() => parse(schema, { batchSize: { text: 'x'.repeat(10_000) } }, 'corrupt-artifact', 'lab.json'))
    expect(fault.code).toBe('corrupt-artifact')
    expect(fault.message).toMatch(/^lab\.json: batchSize: /)
    expect(fault.message.length).toBeLessThan(200)
  })
})
