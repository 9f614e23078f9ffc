// Writes a study's two arms as a folder for TRL and Accelerate: base models, pairs with their images and tokens, the order in
// which the study meets them, every hyper-parameter, LoRA's adapters as they begin, the script. The tokens are the lab's own, so that nothing is tokenised
// twice in two ways; the conversations stand beside them in TRL's format for whoever wants to do otherwise.

import { cp, readdir } from 'node:fs/promises'
import { extname, isAbsolute, join } from 'node:path'
import { LabError } from '../domain/errors.ts'
import type { AbortSignalLike, ExportRecipeJob, JobEvent } from '../domain/job.ts'
import { numImageTokens } from '../domain/model-spec.ts'
import { parse } from '../domain/parse.ts'
import { decodingOf, decodingSchema } from '../domain/preprocess-spec.ts'
import { recipeSchema, type Recipe, type RecipeOrder } from '../domain/recipe.ts'
import type { Training } from '../domain/run-config.ts'
import type { SampleOf } from '../domain/sample.ts'
import { ARMS, type Arm } from '../domain/study.ts'
import { initialFactors } from '../engine/adapters.ts'
import { createObjective } from '../engine/objectives/objective.ts'
import { toPeft } from '../engine/weights/peft.ts'
import { asDealt, batchOrder, chooseBuckets, encodeSamples, withImage, type EncodedSample } from './batches.ts'
import { readCheckpoint, verifyCheckpoint, writeAdapter, type LoadedCheckpoint } from './checkpoint.ts'
import { refuseForeign, writeModelFolder } from './export-job.ts'
import { writeFolderWhole, writeWhole } from './files.ts'
import { recipeCard } from './recipe-card.ts'
import { resourceFolder } from './resource-folder.ts'
import { assertCheckable, promptSamples } from './sampled-batches.ts'
import { readSnapshot, samplesOf } from './samples.ts'

/** Its presence means that the folder is whole. */
const RECIPE_FILE = 'recipe.json'

type PairSamples = readonly SampleOf<'preferences'>[]

/**
 * @throws LabError 'conflict' when the folder holds something else, 'invalid-input' when the pairs and an objective do not fit,
 *   'not-found', 'corrupt-artifact', 'cancelled'
 */
export async function* runExportRecipeJob(job: ExportRecipeJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  await refuseForeign(job.folder, RECIPE_FILE)
  const pairs = samplesOf(await readSnapshot(job.project, job.snapshot), 'preferences').filter(({ split }) => split === 'train')
  yield { kind: 'part', name: 'writing the recipe', of: job.seeds.length + pairs.length }
  const written: number[] = []
  await writeFolderWhole(job.folder, async (folder) => {
    await cp(resourceFolder('recipe'), folder, { recursive: true })
    const models: Recipe['seeds'][number][] = []
    let data: RecipeData | undefined
    let images = job.images
    for (const { seed, checkpoint } of job.seeds) {
      stopIfAsked(signal)
      await verifyCheckpoint(checkpoint)
      const loaded = await readCheckpoint(checkpoint)
      await writeModelFolder(join(folder, 'model', `seed-${seed}`), loaded)
      assertOneWayToSee(loaded)
      // All seeds share tokenizer, sizes and preprocessing, so the tokens are the same.
      data ??= recipeData(pairs, loaded, job.arms)
      images ??= decodingOf(loaded.preprocess)
      for (const arm of ARMS) {
        const training = { ...job.arms[arm], seed }
        const adapter = toPeft(initialFactors(loaded.checkpoint.model, loaded.weights, training), {}, training, null)
        if (adapter !== null) await writeAdapter(join(folder, 'adapter', `${arm}-seed-${seed}`), adapter)
        await writeWhole(join(folder, 'data', `order-${arm}-seed-${seed}.json`), JSON.stringify(orderOf(data, arm, training)))
      }
      models.push({ seed, model: loaded.checkpoint.sha256 })
    }
    const { rows, mismatched, tooLong } = data!
    const byId = new Map(pairs.map((pair) => [pair.id, pair]))
    const lines: string[] = []
    for (const row of rows) {
      stopIfAsked(signal)
      const others = mismatched.get(row.id)
      lines.push(
        `${JSON.stringify({
          ...(await pairOf(byId.get(row.id)!, join(folder, 'data'), job.project)),
          ...tokensOf(row.rows, ''),
          ...(others === undefined ? {} : tokensOf(others, 'mismatched_')),
          accepted: [data!.decode(answerOf(row.rows[0]!))],
        })}\n`,
      )
    }
    await writeWhole(join(folder, 'data', 'preferences.jsonl'), lines.join(''))
    const recipe: Recipe = {
      formatVersion: 1,
      study: job.study,
      snapshot: job.snapshot,
      seeds: models,
      arms: job.arms,
      images: images ?? decodingSchema.parse({}),
      pairs: rows.length,
      tooLong,
    }
    await writeWhole(join(folder, 'README.md'), recipeCard(recipe))
    await writeWhole(join(folder, RECIPE_FILE), `${JSON.stringify(parse(recipeSchema, recipe, 'internal'), null, 2)}\n`)
    written.push(recipe.pairs, recipe.tooLong)
  })
  yield { kind: 'progress', done: job.seeds.length + pairs.length, of: job.seeds.length + pairs.length }
  const [count, tooLong] = written as [number, number]
  yield { kind: 'log', level: 'info', message: `${count} pairs${tooLong === 0 ? '' : `, ${tooLong} left out as longer than maxLength`}, ${job.seeds.length} base models` }
  yield { kind: 'artifact', name: 'recipe', path: job.folder }
}

/** transformers cuts a picture alone into tiles for a model with `image_newline`, so that its steps would not be the study's. */
function assertOneWayToSee({ checkpoint, folder }: LoadedCheckpoint): void {
  if (checkpoint.model.imageNewline === true)
    throw new LabError(
      'invalid-input',
      `${folder}: config.json: model_type: expected llava, found llava_onevision, for which transformers' trainers look at tiles of a picture where the study looks at one view. Train this study here, and export its models (lab export)`,
      { field: 'model_type' },
    )
}

function stopIfAsked(signal: AbortSignalLike): void {
  if (signal.aborted) throw new LabError('cancelled', 'cancelled before anything was written')
}

interface RecipeData {
  /** Every pair that is not too long, as both arms could meet it. */
  readonly rows: readonly EncodedSample[]
  readonly tooLong: number
  /** What each arm meets of them. */
  readonly met: Readonly<Record<Arm, readonly EncodedSample[]>>
  /** By pair: its prompt under another pair's answers, where an arm looks at that. */
  readonly mismatched: ReadonlyMap<string, EncodedSample['rows']>
  decode(ids: readonly number[]): string
}

/** @throws LabError 'invalid-input' when nothing is left, or GRPO's rule or length does not fit these pairs */
function recipeData(pairs: PairSamples, { tokenizer, checkpoint }: LoadedCheckpoint, arms: Readonly<Record<Arm, Training>>): RecipeData {
  const encode = (training: Training, needs: Parameters<typeof encodeSamples>[4]) =>
    encodeSamples(pairs, tokenizer, numImageTokens(checkpoint.model), training.maxLength, needs)
  const whole = encode(arms.dpo, { needsPairs: true })
  const metBy = (training: Training) => {
    const encoded = encode(training, createObjective(training.objective))
    if (training.objective.kind !== 'grpo') return encoded.samples
    const prompts = promptSamples(encoded, training.objective, training.maxLength)
    assertCheckable(training.objective, prompts, tokenizer)
    return prompts.samples
  }
  const met = { sft: metBy(arms.sft), dpo: metBy(arms.dpo) }
  const mismatched = new Map(met.dpo.flatMap((sample) => (sample.mismatched === undefined ? [] : [[sample.id, sample.mismatched] as const])))
  return { rows: whole.samples, tooLong: whole.tooLong.length, met, mismatched, decode: (ids) => tokenizer.decode(ids) }
}

/** The study's own order over all steps. */
function orderOf({ rows, met }: RecipeData, arm: Arm, { objective, steps, batchSize, gradientAccumulation, seed }: Training): RecipeOrder {
  const line = new Map(rows.map(({ id }, i) => [id, i]))
  const dealt = asDealt(met[arm])
  const { rowsPerImage } = createObjective(objective)
  // GRPO's updates on the same answers meet the same prompts.
  const updates = objective.kind === 'grpo' ? objective.numIterations : 1
  const pairs: number[] = []
  const logged: RecipeOrder['steps'][number][] = []
  let numTokens = 0
  for (const { indices, epoch } of batchOrder(dealt, chooseBuckets(dealt), batchSize * gradientAccumulation, seed)) {
    pairs.push(...indices.map((index) => line.get(dealt[index]!.id)!))
    for (const index of indices) for (const { ids } of dealt[index]!.rows.slice(0, rowsPerImage)) numTokens += ids.length
    for (let update = 0; update < updates && logged.length < steps; update++) logged.push(objective.kind === 'grpo' ? { epoch } : { epoch, num_tokens: numTokens })
    if (logged.length === steps) break
  }
  return { pairs, steps: logged }
}

/** A pair in TRL's conversational format; its image is copied. */
async function pairOf({ image, content }: SampleOf<'preferences'>, folder: string, project: string) {
  const images: string[] = []
  if (image !== null) {
    const name = `images/${image.sha256}${extname(image.path) || '.png'}`
    await copyInto(isAbsolute(image.path) ? image.path : join(project, image.path), folder, name)
    images.push(name)
  }
  const words = withImage(content.prompt, image !== null).replace(/<image>\n?/, '')
  return {
    images,
    prompt: [{ role: 'user', content: [...images.map(() => ({ type: 'image' })), { type: 'text', text: words }] }],
    chosen: [{ role: 'assistant', content: [{ type: 'text', text: content.chosen }] }],
    rejected: [{ role: 'assistant', content: [{ type: 'text', text: content.rejected }] }],
  }
}

/** The lab's tokens of a prompt under two answers; a prompt is the same tokens whatever answers it. */
function tokensOf([chosen, rejected]: EncodedSample['rows'], prefix: '' | 'mismatched_'): Record<string, readonly number[]> {
  return {
    ...(prefix === '' ? { prompt_ids: chosen!.ids.slice(0, chosen!.isAnswer.indexOf(true)) } : {}),
    [`${prefix}chosen_ids`]: answerOf(chosen!),
    [`${prefix}rejected_ids`]: answerOf(rejected!),
  }
}

function answerOf({ ids, isAnswer }: EncodedSample['rows'][number]): readonly number[] {
  return ids.slice(isAnswer.indexOf(true), isAnswer.lastIndexOf(true) + 1)
}

async function copyInto(path: string, folder: string, name: string): Promise<void> {
  const target = join(folder, name)
  if ((await readdir(join(folder, 'images')).catch((): string[] => [])).includes(name.slice('images/'.length))) return
  await cp(path, target)
}
