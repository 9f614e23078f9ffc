// Table zero_shot_answers: what a dual encoder said of each image of a task.

import type { ZeroShotAnswer, ZeroShotCell } from '../domain/zero-shot.ts'
import type { Db } from './database.ts'

export type ZeroShotAnswerStore = ReturnType<typeof createZeroShotAnswerStore>

export function createZeroShotAnswerStore(db: Db) {
  const insert = db.prepare(`
    INSERT OR REPLACE INTO zero_shot_answers (task_id, image, expected, given, probability)
    VALUES (@taskId, @image, @expected, @given, @probability)`)
  const images = db.prepare('SELECT image FROM zero_shot_answers WHERE task_id = ? ORDER BY image').pluck()
  const has = db.prepare('SELECT 1 FROM zero_shot_answers WHERE task_id = ? AND image = ?').pluck()
  const cells = db.prepare(`
    SELECT expected, given, COUNT(*) AS count FROM zero_shot_answers WHERE task_id = ?
    GROUP BY expected, given ORDER BY expected, given`)
  const ofCell = db.prepare(`
    SELECT image, expected, given, probability FROM zero_shot_answers WHERE task_id = @taskId AND expected IS @expected AND given = @given
    ORDER BY probability DESC, image LIMIT @limit`)
  return {
    insert(taskId: string, answers: readonly ZeroShotAnswer[]): void {
      db.transaction(() => {
        for (const answer of answers) insert.run({ taskId, ...answer })
      })()
    },
    images: (taskId: string): readonly string[] => images.all(taskId) as string[],
    has: (taskId: string, image: string): boolean => has.get(taskId, image) === 1,
    cells: (taskId: string): readonly ZeroShotCell[] => cells.all(taskId) as ZeroShotCell[],
    /** Images of one class that were given one, the surest first. */
    ofCell: (taskId: string, cell: Omit<ZeroShotCell, 'count'>, limit: number): readonly ZeroShotAnswer[] =>
      ofCell.all({ taskId, ...cell, limit }) as ZeroShotAnswer[],
  }
}
