// How many tokens samples have under a tokenizer, counted once: filtered by, sorted by, drawn.

import type { Migration } from './migration.ts'

export const tokenCountsMigration: Migration = {
  id: 90,
  name: 'token counts',
  sql: `
    CREATE TABLE tokenizers (
      id           INTEGER PRIMARY KEY,
      identity     TEXT    NOT NULL UNIQUE,
      folder       TEXT    NOT NULL,
      limit_tokens INTEGER
    ) STRICT;
    CREATE TABLE token_counts (
      row          INTEGER NOT NULL REFERENCES samples (row) ON DELETE CASCADE,
      tokenizer_id INTEGER NOT NULL REFERENCES tokenizers (id) ON DELETE CASCADE,
      tokens       INTEGER NOT NULL,
      PRIMARY KEY (row, tokenizer_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX token_counts_by_tokens ON token_counts (tokenizer_id, tokens, row);
  `,
}
