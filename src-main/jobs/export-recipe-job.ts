// Writes a study's two arms as a folder for TRL and Accelerate: base models, pairs with their images and tokens, the order in
// which the study meets them, every hyper-parameter, LoRA's adapters as they begin, the script. The tokens are the lab's own, so that nothing is tokenised
// twice in two ways; the conversations stand beside them in TRL's format for whoever wants to do otherwise.

import { cp, readdir } from 'node:fs/promises'
import { extname, isAbsolute, join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, ExportRecipeJob, JobEvent } from '../domain/job.ts'
import { MODULES, numImageTokens } from '../domain/model-spec.ts'
import { OBJECTIVE_NAMES } from '../domain/objective-config.ts'
import { parse } from '../domain/parse.ts'
import { assertCarriedOver, recipeSchema, type Recipe } from '../domain/recipe.ts'
import type { SampleOf } from '../domain/sample.ts'
import { ARMS } from '../domain/study.ts'
import { initialFactors } from '../engine/adapters.ts'
import { toPeft } from '../engine/weights/peft.ts'
import { batchOrder, chooseBuckets, encodeSamples, withImage, type EncodedSample } from './batches.ts'
import { readCheckpoint, verifyCheckpoint, writeAdapter } from './checkpoint.ts'
import { refuseForeign, writeModelFolder } from './export-job.ts'
import { writeFolderWhole, writeWhole } from './files.ts'
import { resourceFolder } from './resource-folder.ts'
import { readSnapshot, samplesOf } from './samples.ts'

/** Its presence means that the folder is whole. */
const RECIPE_FILE = 'recipe.json'

/**
 * @throws LabError 'conflict' when the folder holds something else, 'invalid-input' naming a setting that TRL's script does not
 *   carry over, 'not-found', 'corrupt-artifact', 'cancelled'
 */
export async function* runExportRecipeJob(job: ExportRecipeJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  for (const arm of ARMS) assertCarriedOver(arm, job.arms[arm])
  await refuseForeign(job.folder, RECIPE_FILE)
  const pairs = samplesOf(await readSnapshot(job.project, job.snapshot), 'preferences').filter(({ split }) => split === 'train')
  yield { kind: 'part', name: 'writing the recipe', of: job.seeds.length + pairs.length }
  const written: number[] = []
  await writeFolderWhole(job.folder, async (folder) => {
    await cp(resourceFolder('recipe'), folder, { recursive: true })
    const models: Recipe['seeds'][number][] = []
    let encoded: ReturnType<typeof encodeSamples> | undefined
    for (const { seed, checkpoint } of job.seeds) {
      stopIfAsked(signal)
      await verifyCheckpoint(checkpoint)
      const loaded = await readCheckpoint(checkpoint)
      await writeModelFolder(join(folder, 'model', `seed-${seed}`), loaded)
      for (const arm of ARMS) {
        const training = { ...job.arms[arm], seed }
        const adapter = toPeft(initialFactors(loaded.checkpoint.model, loaded.weights, training), {}, training, null)
        if (adapter !== null) await writeAdapter(join(folder, 'adapter', `${arm}-seed-${seed}`), adapter)
      }
      models.push({ seed, model: loaded.checkpoint.sha256 })
      // All seeds share tokenizer and sizes, so the tokens are the same.
      encoded ??= encodeSamples(pairs, loaded.tokenizer, numImageTokens(loaded.checkpoint.model), job.arms.dpo.maxLength, { needsPairs: true })
      await writeWhole(join(folder, 'data', `order-seed-${seed}.json`), JSON.stringify(orderOf(encoded.samples, job, seed)))
    }
    const byId = new Map(pairs.map((pair) => [pair.id, pair]))
    const lines: string[] = []
    for (const each of encoded!.samples) {
      stopIfAsked(signal)
      lines.push(`${JSON.stringify(await rowOf(byId.get(each.id)!, each, join(folder, 'data'), job.project))}\n`)
    }
    await writeWhole(join(folder, 'data', 'preferences.jsonl'), lines.join(''))
    const recipe: Recipe = {
      formatVersion: 1,
      study: job.study,
      snapshot: job.snapshot,
      seeds: models,
      arms: job.arms,
      pairs: encoded!.samples.length,
      tooLong: encoded!.tooLong.length,
    }
    await writeWhole(join(folder, 'README.md'), readme(recipe))
    await writeWhole(join(folder, RECIPE_FILE), `${JSON.stringify(parse(recipeSchema, recipe, 'internal'), null, 2)}\n`)
    written.push(recipe.pairs, recipe.tooLong)
  })
  yield { kind: 'progress', done: job.seeds.length + pairs.length, of: job.seeds.length + pairs.length }
  const [count, tooLong] = written as [number, number]
  yield { kind: 'log', level: 'info', message: `${count} pairs${tooLong === 0 ? '' : `, ${tooLong} left out as longer than maxLength`}, ${job.seeds.length} base models` }
  yield { kind: 'artifact', name: 'recipe', path: job.folder }
}

function stopIfAsked(signal: AbortSignalLike): void {
  if (signal.aborted) throw new LabError('cancelled', 'cancelled before anything was written')
}

/** Which pair is met when, over all steps: the study's own order. */
function orderOf(samples: readonly EncodedSample[], { arms }: ExportRecipeJob, seed: number): readonly number[] {
  const { steps, batchSize, gradientAccumulation } = arms.dpo
  const plans = batchOrder(samples, chooseBuckets(samples), batchSize * gradientAccumulation, seed)
  return Array.from({ length: steps }, () => plans.next().value.indices).flat()
}

/** A pair in TRL's conversational format, with the lab's tokens beside it; its image is copied. */
async function rowOf({ image, content }: SampleOf<'preferences'>, { rows }: EncodedSample, folder: string, project: string): Promise<unknown> {
  const images: string[] = []
  if (image !== null) {
    const name = `images/${image.sha256}${extname(image.path) || '.png'}`
    await copyInto(isAbsolute(image.path) ? image.path : join(project, image.path), folder, name)
    images.push(name)
  }
  const words = withImage(content.prompt, image !== null).replace(/<image>\n?/, '')
  const split = ({ ids, isAnswer }: EncodedSample['rows'][number]) => {
    const first = isAnswer.indexOf(true)
    return { prompt: ids.slice(0, first), answer: ids.slice(first, isAnswer.lastIndexOf(true) + 1) }
  }
  const [chosen, rejected] = [split(rows[0]!), split(rows[1]!)]
  return {
    images,
    prompt: [{ role: 'user', content: [...images.map(() => ({ type: 'image' })), { type: 'text', text: words }] }],
    chosen: [{ role: 'assistant', content: [{ type: 'text', text: content.chosen }] }],
    rejected: [{ role: 'assistant', content: [{ type: 'text', text: content.rejected }] }],
    prompt_ids: chosen.prompt,
    chosen_ids: chosen.answer,
    rejected_ids: rejected.answer,
  }
}

async function copyInto(path: string, folder: string, name: string): Promise<void> {
  const target = join(folder, name)
  if ((await readdir(join(folder, 'images')).catch((): string[] => [])).includes(name.slice('images/'.length))) return
  await cp(path, target)
}

function readme({ study, snapshot, seeds, arms, pairs, tooLong }: Recipe): string {
  const { steps, batchSize, gradientAccumulation } = arms.dpo
  const commands = ARMS.flatMap((arm) => seeds.map(({ seed }) => `accelerate launch --config_file accelerate/fsdp.yaml train.py --arm ${arm} --seed ${seed} --output out/${arm}-${seed}`))
  const settings = (['objective', 'learningRate', 'schedule', 'warmupRatio', 'weightDecay', 'adamBeta1', 'adamBeta2', 'adamEpsilon', 'maxGradientNorm', 'precision'] as const).map(
    (name) => `| ${name} | ${ARMS.map((arm) => '`' + JSON.stringify(arms[arm][name]) + '`').join(' | ')} |`,
  )
  return [
    `# ${study.name}: both arms, on TRL and Accelerate`,
    `Two trainings from one start for each seed, on the same ${pairs} pairs in the same order (snapshot \`${snapshot}\`${tooLong === 0 ? '' : `; ${tooLong} longer ones are left out`}): ` +
      `${steps} steps of ${batchSize * gradientAccumulation} pairs.`,
    '```sh\npip install -r requirements.txt\npython train.py --arm dpo --seed ' + seeds[0]!.seed + ' --output out/dpo-' + seeds[0]!.seed + '   # one device\n' + commands.join('\n') + '\n```',
    '`accelerate/ddp.yaml`, `fsdp.yaml` and `deepspeed.yaml` are to be adapted to the machines (`num_processes`). The effective batch stays the study’s: ' +
      '`--per-device` pairs at a time on each device, accumulation makes up the rest. Back in the lab, with the folder that came out:',
    '```sh\nlab import-run out/dpo-' + seeds[0]!.seed + '\n```',
    '## What is here',
    [
      '- `model/seed-*`: the start of each seed, a Hugging Face folder (LLaVA).',
      ...(ARMS.some((arm) => MODULES.some((module) => arms[arm].modules[module].lora !== null))
        ? ['- `adapter/*`: LoRA’s adapters as they begin, in PEFT’s layout. The script merges them into the checkpoint that it leaves.']
        : []),
      '- `data/preferences.jsonl`: the pairs in TRL’s conversational format with `images`, and the lab’s tokens (`prompt_ids`, `chosen_ids`, `rejected_ids`), which the script uses.',
      '- `data/order-seed-*.json`: which pair is met when.',
      '- `recipe.json`: every hyper-parameter of both arms, per-module learning rates, freezing and LoRA included.',
    ].join('\n'),
    [`| | ${ARMS.map((arm) => OBJECTIVE_NAMES[arms[arm].objective.kind]).join(' | ')} |`, '|---|---|---|', ...settings].join('\n'),
    '',
  ].join('\n\n')
}
