// Table model_answers: questions that models were asked, and what came of them. An answer is written when it ends; what has
// come of one under way is the service's to tell.

import { z } from 'zod'
import { answerTokenSchema, answerViewSchema, modelQuestionSchema, type AnswerView } from '../domain/model-view.ts'
import { failureSchema } from '../domain/run-view.ts'
import type { Db } from './database.ts'
import { readJson, readNullableJson } from './json-column.ts'

export type ModelAnswerStore = ReturnType<typeof createModelAnswerStore>

const columnsSchema = z.object({
  id: z.string(),
  model: z.string(),
  image: z.string().nullable(),
  question: z.string(),
  status: answerViewSchema.shape.status,
  text: z.string(),
  tokens: z.string(),
  ended: answerViewSchema.shape.ended,
  failure: z.string().nullable(),
  created_at_ms: z.number(),
})

export function createModelAnswerStore(db: Db) {
  const insert = db.prepare(`
    INSERT INTO model_answers (id, model, image, question, status, created_at_ms)
    VALUES (@id, @model, @image, @question, @status, @createdAtMs)`)
  const setStatus = db.prepare('UPDATE model_answers SET status = ? WHERE id = ?')
  const end = db.prepare('UPDATE model_answers SET status = @status, text = @text, tokens = @tokens, ended = @ended, failure = @failure WHERE id = @id')
  const remove = db.prepare('DELETE FROM model_answers WHERE id = ?')
  const byId = db.prepare('SELECT * FROM model_answers WHERE id = ?')
  const newest = db.prepare('SELECT * FROM model_answers WHERE @model IS NULL OR model = @model ORDER BY created_at_ms DESC, id DESC LIMIT @limit')
  const underWay = db.prepare("SELECT id FROM model_answers WHERE status IN ('waiting', 'answering')").pluck()
  return {
    insert: ({ question, ...answer }: Pick<AnswerView, 'id' | 'model' | 'image' | 'question' | 'status' | 'createdAtMs'>): void =>
      void insert.run({ ...answer, question: JSON.stringify(question) }),
    begin: (id: string): void => void setStatus.run('answering', id),
    end: ({ id, status, text, tokens, ended, failure }: Pick<AnswerView, 'id' | 'status' | 'text' | 'tokens' | 'ended' | 'failure'>): void =>
      void end.run({ id, status, text, tokens: JSON.stringify(tokens), ended, failure: failure && JSON.stringify(failure) }),
    delete: (id: string): void => void remove.run(id),
    find(id: string): AnswerView | null {
      const found = byId.get(id)
      return found === undefined ? null : stored(found)
    },
    /** Newest first; `model` null: of all models. */
    newest: (model: string | null, limit: number): readonly AnswerView[] => newest.all({ model, limit }).map(stored),
    /** Ids of those that a process left behind. */
    underWay: (): readonly string[] => underWay.all() as string[],
  }
}

function stored(columns: unknown): AnswerView {
  const { question, tokens, failure, created_at_ms, ...each } = columnsSchema.parse(columns)
  return {
    ...each,
    question: readJson(modelQuestionSchema, question, 'model_answers.question'),
    tokens: readJson(z.array(answerTokenSchema), tokens, 'model_answers.tokens'),
    failure: readNullableJson(failureSchema, failure, 'model_answers.failure'),
    createdAtMs: created_at_ms,
  }
}
