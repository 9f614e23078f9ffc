// Tables tokenizers and token_counts: how many tokens samples have, by what counted them.

import type { SampleFilter } from '../domain/sample-query.ts'
import type { CountedTokenizer } from '../domain/token-count.ts'
import type { Db } from './database.ts'
import { conditionOf, tokenizerId } from './sample-filter.ts'

const COUNTER = tokenizerId('@counter')

export type TokenCountStore = ReturnType<typeof createTokenCountStore>

export function createTokenCountStore(db: Db) {
  const putTokenizer = db.prepare(`
    INSERT INTO tokenizers (identity, folder, limit_tokens) VALUES (@tokenizer, @folder, @limit)
    ON CONFLICT (identity) DO UPDATE SET folder = excluded.folder, limit_tokens = excluded.limit_tokens`)
  // Of a sample that went meanwhile nothing is kept.
  const insert = db.prepare(`
    INSERT INTO token_counts (row, tokenizer_id, tokens) SELECT row, ${COUNTER}, @tokens FROM samples WHERE row = @row
    ON CONFLICT DO UPDATE SET tokens = excluded.tokens`)

  return {
    putTokenizer: (tokenizer: string, folder: string, limit: number | null): void => void putTokenizer.run({ tokenizer, folder, limit }),
    insert(counter: string, rows: Int32Array, tokens: Int32Array): void {
      db.transaction(() => rows.forEach((row, i) => insert.run({ counter, row, tokens: tokens[i]! })))()
    },
    /** Tokenizers that have counted samples of the filter, those of most samples first. */
    tokenizers(filter: SampleFilter): readonly CountedTokenizer[] {
      const { sql, parameters } = conditionOf(filter)
      return db
        .prepare(
          `SELECT t.identity AS tokenizer, t.folder, t.limit_tokens AS "limit", COUNT(*) AS samples, MIN(c.tokens) AS low, MAX(c.tokens) AS high
          FROM tokenizers t JOIN token_counts c ON c.tokenizer_id = t.id JOIN samples s ON s.row = c.row WHERE ${sql}
          GROUP BY t.id ORDER BY samples DESC, t.id DESC`,
        )
        .all(parameters) as CountedTokenizer[]
    },
    /** Those of the filter's samples with more tokens than `most`, the longest first. */
    longer(filter: SampleFilter, counter: string, most: number): readonly { readonly row: number; readonly tokens: number }[] {
      const { sql, parameters } = conditionOf(filter)
      return db
        .prepare(
          `SELECT c.row, c.tokens FROM token_counts c JOIN samples s ON s.row = c.row
          WHERE c.tokenizer_id = ${COUNTER} AND c.tokens > @most AND ${sql} ORDER BY c.tokens DESC, c.row`,
        )
        .all({ ...parameters, counter, most }) as { row: number; tokens: number }[]
    },
  }
}
