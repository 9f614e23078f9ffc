// Counts tokens as a training on a folder's model would: of the folder only config.json and the tokenizer's files are read,
// no weights. A language model alone gets an image placeholder and no image tokens.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import { numImageTokens } from '../domain/model-spec.ts'
import type { TokenCounter } from '../domain/token-count.ts'
import { languageModelSpec } from '../engine/models/language/families.ts'
import { encodeRow } from '../engine/text/collate.ts'
import { createChatTokenizer, withImageToken } from '../engine/text/tokenizer.ts'
import { multimodalLmSpec } from '../engine/weights/hugging-face-config.ts'
import { conversationsOf } from './batches.ts'
import { sha256 } from './files.ts'
import { isMultimodalFolder, readConfig } from './model-folder.ts'
import { readTokenizerFiles } from './tokenizer-files.ts'

/** @throws LabError 'not-found', 'corrupt-artifact' naming the file of `folder` */
export async function openTokenCounter(folder: string): Promise<TokenCounter> {
  const found = await readTokenizerFiles(folder)
  const { imageTokens, limit, isWhole } = await sizesOf(folder)
  const { files } = isWhole ? { files: found } : withImageToken(found)
  const tokenizer = createChatTokenizer(files)
  return {
    identity: sha256(JSON.stringify([files.tokenizer, files.config, imageTokens])).slice(0, 32),
    limit,
    count({ image, content }) {
      if (content.kind === 'objects') return null
      try {
        return Math.max(...conversationsOf({ image, content }).map((turns) => encodeRow(tokenizer, turns, imageTokens).ids.length))
      } catch (thrown) {
        // A sample that no training takes (several images, turns in no order of the template's) has no length either.
        if (thrown instanceof LabError) return null
        throw thrown
      }
    },
  }
}

async function sizesOf(folder: string): Promise<{ readonly imageTokens: number; readonly limit: number | null; readonly isWhole: boolean }> {
  if (!existsSync(join(folder, 'config.json'))) return { imageTokens: 0, limit: null, isWhole: false }
  const config = await readConfig(folder)
  if (await isMultimodalFolder(folder)) {
    const spec = multimodalLmSpec(config)
    return { imageTokens: numImageTokens(spec), limit: spec.languageModel.maxPositionEmbeddings, isWhole: true }
  }
  return { imageTokens: 0, limit: languageModelSpec(config).maxPositionEmbeddings, isWhole: false }
}
