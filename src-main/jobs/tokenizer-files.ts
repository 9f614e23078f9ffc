// The files of a tokenizer in a model folder, wherever this release of transformers put the chat template.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import type { TokenizerFiles } from '../engine/text/tokenizer.ts'
import { readJson } from './files.ts'

/**
 * tokenizer.json and tokenizer_config.json, with the chat template taken into the latter: a processor's own
 * (chat_template.jinja or chat_template.json) before the tokenizer's; and generation_config.json, where there is one.
 * @throws LabError 'not-found' naming the file, and for a tokenizer of the old kind how to convert it
 */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const [tokenizer, config] = await Promise.all([readTokenizer(folder), readJson(join(folder, 'tokenizer_config.json'))])
  const own = (await optional(join(folder, 'chat_template.jinja'))) ?? (await templateOfProcessor(folder))
  const given = config as Record<string, unknown>
  const generation = (await optional(join(folder, 'generation_config.json'))) === null ? undefined : ((await readJson(join(folder, 'generation_config.json'))) as Record<string, unknown>)
  return { tokenizer, config: own === null ? given : { ...given, chat_template: own }, ...(generation !== undefined && { generation }) }
}

async function readTokenizer(folder: string): Promise<object> {
  const path = join(folder, 'tokenizer.json')
  try {
    return (await readJson(path)) as object
  } catch (thrown) {
    if (!(thrown instanceof LabError) || thrown.code !== 'not-found') throw thrown
    throw new LabError(
      'not-found',
      `${path} does not exist. A folder with tokenizer.model or vocab.json alone is converted by: python -c "from transformers import AutoTokenizer; AutoTokenizer.from_pretrained('${folder}').save_pretrained('${folder}')"`,
      { path },
      thrown,
    )
  }
}

async function templateOfProcessor(folder: string): Promise<string | null> {
  for (const name of ['chat_template.json', 'processor_config.json']) {
    const text = await optional(join(folder, name))
    const template = text === null ? undefined : ((await readJson(join(folder, name))) as { chat_template?: unknown }).chat_template
    if (typeof template === 'string') return template
  }
  return null
}

async function optional(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (thrown) {
    if ((thrown as { code?: string }).code === 'ENOENT') return null
    throw thrown
  }
}
