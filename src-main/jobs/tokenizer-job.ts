// Learns the tokenizer of a model from scratch on the training text of snapshots and writes its two files.

import { join } from 'node:path'
import type { AbortSignalLike, JobEvent, TokenizerJob } from '../domain/job.ts'
import { LabError } from '../domain/errors.ts'
import type { Sample } from '../domain/sample.ts'
import { trainTokenizer } from '../engine/text/train-tokenizer.ts'
import { writeFolderWhole, writeWhole } from './files.ts'
import { readSnapshot } from './samples.ts'

export async function* runTokenizerJob(job: TokenizerJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  yield { kind: 'part', name: 'tokenizer', of: job.snapshots.length }
  const texts: string[] = []
  for (const [i, snapshot] of job.snapshots.entries()) {
    // Held-out text must not decide what is one token and what is several.
    for (const sample of await readSnapshot(job.project, snapshot)) if (sample.split === 'train') texts.push(...textsOf(sample))
    yield { kind: 'progress', done: i + 1, of: job.snapshots.length }
    if (signal.aborted) throw new LabError('cancelled', 'cancelled while reading texts')
  }
  const { tokenizer, config } = trainTokenizer(texts, job.vocabSize)
  await writeFolderWhole(job.folder, async (temporary) => {
    await writeWhole(join(temporary, 'tokenizer.json'), JSON.stringify(tokenizer))
    await writeWhole(join(temporary, 'tokenizer_config.json'), JSON.stringify(config, null, 2))
  })
  yield { kind: 'artifact', name: 'tokenizer', path: job.folder }
}

function textsOf({ content }: Sample): readonly string[] {
  switch (content.kind) {
    case 'conversations':
      return content.turns.map(({ text }) => text)
    case 'preferences':
      return [content.prompt, content.chosen, content.rejected]
    case 'questions':
      return [content.question, content.answer]
    case 'objects':
      return []
  }
}
