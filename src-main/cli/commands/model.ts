// `lab inspect`, `lab ask`: look into a model folder before using it, and ask a model about a picture.

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { fromFailure, LabError } from '../../domain/errors.ts'
import { modelQuestionSchema, type ModelInspection, type ModuleInspection } from '../../domain/model-view.ts'
import { parse } from '../../domain/parse.ts'
import { withLab, type CliParts, type GlobalOptions } from '../session.ts'
import { table } from '../table.ts'
import { asModel } from './checkpoint.ts'

/** Options of `lab ask` by the names of a question's settings. */
const OPTIONS = { temperature: 'temperature', topP: 'top-p', topK: 'top-k', minP: 'min-p', repetitionPenalty: 'repetition-penalty', noRepeatNgramSize: 'unrepeated-ngram' } as const

export function addModelCommands(program: Command, parts: CliParts): void {
  program
    .command('inspect <folder>')
    .description('Look into a model folder without loading it: family, sizes, tensors missing and over, tokenizer, preprocessing')
    .action(async (folder: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals<GlobalOptions>(), 'none', async ({ lab, terminal, signal }) => {
        const inspection = await lab.models.inspect(resolve(folder), signal)
        terminal.json(inspection)
        for (const line of linesOf(inspection)) terminal.out(line)
        if (inspection.faults.length > 0) throw new LabError('invalid-input', `the lab cannot use ${inspection.folder}: see ✗ above`)
      })
    })

  program
    .command('ask <model> <question>')
    .description('Ask a run or a model folder, about a picture or without one, and watch the answer come')
    .option('--image <file>', 'the picture that the question is about')
    .option('--max-new-tokens <count>', 'longest answer, tokens', Number)
    .option('--temperature <number>', '0: always the most likely token', Number)
    .option('--top-p <share>', 'draw from the most likely tokens that together hold this share', Number)
    .option('--top-k <count>', 'draw from this many of the most likely tokens; 0: from all', Number)
    .option('--min-p <share>', 'leave out tokens below this share of the most likely one', Number)
    .option('--repetition-penalty <number>', 'above 1 makes tokens that came before less likely', Number)
    .option('--unrepeated-ngram <count>', 'no run of this many tokens comes twice', Number)
    .option('--seed <number>', 'the same seed draws the same answer', Number)
    .option('--stop <text...>', 'texts that end the answer')
    .action(async (model: string, question: string, _: unknown, command: Command) => {
      const { image, maxNewTokens, temperature, topP, topK, minP, repetitionPenalty, unrepeatedNgram, seed, stop, ...options } = command.optsWithGlobals<
        GlobalOptions & {
          readonly image?: string
          readonly maxNewTokens?: number
          readonly temperature?: number
          readonly topP?: number
          readonly topK?: number
          readonly minP?: number
          readonly repetitionPenalty?: number
          readonly unrepeatedNgram?: number
          readonly seed?: number
          readonly stop?: readonly string[]
        }
      >()
      const asked = parse(modelQuestionSchema, { question, maxNewTokens, temperature, topP, topK, minP, repetitionPenalty, noRepeatNgramSize: unrepeatedNgram, seed, stops: stop }, 'invalid-input', 'ask')
      await withLab(parts, options, 'write', async ({ lab, terminal, signal }) => {
        let said = ''
        const picture = image === undefined ? null : await lab.models.keepPictureFile(resolve(image))
        const answerId = lab.models.start({ model: asModel(lab, model), image: picture, question: asked }, (event) => {
          if (event.kind === 'log') terminal.note(event.message)
          if (event.kind === 'token') terminal.json({ event: 'token', ...event.token })
          if (event.kind !== 'text') return
          said += event.piece
          terminal.json({ event: 'text', piece: event.piece })
          terminal.redraw(said.split('\n').at(-1)!)
        })
        signal.addEventListener('abort', () => lab.models.stopAll(), { once: true })
        const { status, text, tokens, ended, failure } = await lab.models.answerEnded(answerId)
        terminal.redraw('')
        if (failure !== null) throw fromFailure(failure)
        terminal.json({ event: 'answer', answerId, text, tokens: tokens.length, ended })
        terminal.out(text)
        if (status === 'stopped') throw new LabError('cancelled', `stopped after ${tokens.length} tokens`)
        if (ended === 'limit') terminal.note(`the answer was cut at ${tokens.length} tokens (--max-new-tokens)`)
      })
    })
}

function linesOf({ kind, modelType, files, bytes, modules, unknown, tokenizer, preprocess, faults, notes }: ModelInspection): readonly string[] {
  const sizes = ({ spec }: ModuleInspection) =>
    ['family', 'hiddenSize', 'numHiddenLayers', 'numAttentionHeads', 'numKeyValueHeads', 'imageSize', 'patchSize', 'vocabSize']
      .filter((name) => spec[name] !== undefined)
      .map((name) => `${name} ${String(spec[name])}`)
      .join(', ')
  const named = (title: string, names: readonly string[]) =>
    names.length === 0 ? [] : [`${title}: ${names.slice(0, 8).join(', ')}${names.length > 8 ? `, … (${names.length})` : ''}`]
  return [
    `${kind}, model_type ${modelType}, ${files.length} ${files.length === 1 ? 'file' : 'files'}, ${(bytes / 1e6).toFixed(1)} MB`,
    table(
      [
        { title: 'Module', align: 'left' },
        { title: 'Parameters', align: 'right' },
        { title: 'Tensors', align: 'right' },
        { title: 'Numbers', align: 'left' },
        { title: 'Sizes', align: 'left' },
      ],
      modules.map((each) => [
        each.module,
        each.parameters.toLocaleString('en'),
        String(each.tensors),
        Object.keys(each.dtypes).join(', ') || '–',
        sizes(each),
      ]),
    ),
    ...modules.flatMap(({ module, missing, extra, misshapen }) => [
      ...named(`${module}, missing`, missing),
      ...named(`${module}, of another shape`, misshapen),
      ...named(`${module}, unused`, extra),
    ]),
    ...named('of no known name', unknown),
    ...(tokenizer === null ? [] : [`tokenizer: ${tokenizer.tokens} tokens, end ${tokenizer.endIds.join(' or ')}, image ${tokenizer.imageId}; a prompt reads ${JSON.stringify(tokenizer.prompt)}`]),
    ...(tokenizer?.sampling == null ? [] : [`generation_config.json asks for: lab ask${Object.entries(tokenizer.sampling).map(([name, value]) => ` --${OPTIONS[name as keyof typeof OPTIONS]} ${value}`).join('')}. The lab answers greedily unless told`]),
    ...named('generation_config.json asks for, and no answer follows', tokenizer?.notComputed ?? []),
    ...(preprocess === null ? [] : [`preprocessing: ${preprocess.join(' → ')}`]),
    ...notes.map((note) => `note: ${note}`),
    ...(faults.length === 0 ? ['✓ the lab can use this folder'] : faults.map((fault) => `✗ ${fault}`)),
  ]
}
