// Writes the built-in sight test: scenes as PNG, and what is true of them in the formats that other people's data come
// in. Every byte follows from the settings. The folder appears when it is whole: it is written under another name first.

import { writeFileSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { LabError } from '../../domain/errors.ts'
import type { AbortSignalLike, JobEvent, SightTest, SightTestJob } from '../../domain/job.ts'
import { maskOfPixels } from '../../domain/mask.ts'
import { createRandom } from '../../domain/random.ts'
import { QUESTION_GROUPS, SPLITS, type Box, type Split } from '../../domain/sample.ts'
import { encodePng } from '../images/codec.ts'
import { openArtwork } from './artwork.ts'
import { createFactChooser, type FactChooser } from './balance.ts'
import { captionOf } from './captions.ts'
import { factsOf, SENTENCE_CUE, type Fact } from './facts.ts'
import { sightTestReadme } from './readme.ts'
import { drawScene, MAX_SCENES, type Scene } from './scene.ts'
import { CLASSES } from './vocabulary.ts'

/** The longest object, as a share of the image's side. */
const LARGEST_OBJECT = 40 / 64

/**
 * @throws LabError 'invalid-input' when the folder exists and is not empty or a split is too large, 'cancelled' when
 *   `signal` is aborted; nothing is left behind then
 */
export async function* writeSightTest({ folder, settings }: SightTestJob, signal: AbortSignalLike): AsyncGenerator<JobEvent> {
  for (const split of SPLITS)
    if (settings.scenes[split] > MAX_SCENES)
      throw new LabError('invalid-input', `scenes.${split}: expected at most ${MAX_SCENES}, got ${settings.scenes[split]}`, {
        split,
      })
  await refuseOccupied(folder)
  const temporary = `${folder}.${process.pid}.tmp`
  try {
    for (const split of SPLITS) await mkdir(join(temporary, 'images', split), { recursive: true })
    const artwork = await openArtwork(Math.ceil(settings.imageSize * LARGEST_OBJECT))
    const total = SPLITS.reduce((sum, split) => sum + settings.scenes[split], 0)
    yield { kind: 'part', name: 'drawing scenes', of: total }
    const files = createFiles(settings)
    let done = 0
    for (const split of SPLITS)
      for (let index = 0; index < settings.scenes[split]; index++) {
        if (signal.aborted)
          throw new LabError('cancelled', `writing the sight test was cancelled after ${done} of ${total} scenes`)
        const scene = drawScene(artwork, settings.seed, split, index, settings.imageSize)
        // Synchronous: a file of four kilobytes takes less time than a turn of the event loop, which each event gives anyway.
        writeFileSync(join(temporary, imagePath(scene)), encodePng(scene.image))
        files.add(scene)
        done += 1
        if (done % 25 === 0 || done === total) yield { kind: 'progress', done, of: total }
      }
    files.finish()
    for (const [name, text] of files.texts()) await writeFile(join(temporary, name), text)
    await mkdir(dirname(folder), { recursive: true })
    // An empty folder in the way is replaced; on some systems it cannot be renamed over.
    await rm(folder, { recursive: false, force: true }).catch(() => rm(folder, { recursive: true }))
    await rename(temporary, folder)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
  yield { kind: 'artifact', name: 'sight test', path: folder }
}

async function refuseOccupied(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return []
    throw new LabError(
      'invalid-input',
      `${folder}: expected a folder that can be made, found: ${thrown.message}`,
      { folder },
      thrown,
    )
  })
  if (entries.length > 0)
    throw new LabError(
      'invalid-input',
      `${folder}: expected no such folder or an empty one, found ${entries.length} entries; choose another`,
      { folder },
    )
}

const sceneName = ({ split, index }: Scene) => `${split}/${String(index).padStart(6, '0')}`
const imagePath = (scene: Scene) => `images/${sceneName(scene)}.png`

type Json = Readonly<Record<string, unknown>>

/** Collects the rows of every file, scene by scene. */
function createFiles(settings: SightTest) {
  const rows = {
    captions: [] as Json[],
    heldOutCaptions: [] as Json[],
    instructions: [] as Json[],
    texts: [] as Json[],
    preferences: [] as Json[],
    heldOutPreferences: [] as Json[],
    questions: [] as Json[],
    validationQuestions: [] as Json[],
    images: [] as Json[],
    annotations: [] as Json[],
  }
  const chooser = (purpose: string) => createFactChooser(createRandom(settings.seed, 'choice', purpose))
  const choosers = {
    instructions: chooser('instructions'),
    train: chooser('preferences'),
    test: chooser('held out'),
    testQuestions: chooser('questions'),
    validation: chooser('validation'),
  }
  const words = createRandom(settings.seed, 'wording')
  /** Where a scene gave no fair pair, or too few: asked again once all scenes are known. */
  const spare: { split: Split; image: string; facts: readonly Fact[] }[] = []

  const pairsWanted = (split: Split) => (split === 'train' ? settings.pairs.train : split === 'test' ? settings.pairs.test : 0)
  const pairRows = (split: Split) => (split === 'train' ? rows.preferences : rows.heldOutPreferences)

  /** Adds a pair about the scene if it has a fair one; returns the facts that are left. */
  function addPair(split: Split, image: string, facts: readonly Fact[]): readonly Fact[] {
    const into = pairRows(split)
    if (into.length >= pairsWanted(split)) return facts
    const choose = choosers[split === 'train' ? 'train' : 'test']
    for (const group of choose.groups(facts)) {
      const pair = choose.fairPair(facts, group)
      if (pair === null) continue
      const { fact, rejected } = pair
      into.push({
        image,
        prompt: `${fact.question} ${SENTENCE_CUE}`,
        chosen: fact.sentence(fact.answer),
        rejected: fact.sentence(rejected),
        group,
        category: fact.category,
        region: fact.region,
      })
      return facts.filter(({ question }) => question !== fact.question)
    }
    return facts
  }

  return {
    add(scene: Scene): void {
      const facts = factsOf(scene)
      addObjects(rows, scene)
      const description = ['Describe the picture.', captionOf(scene, words)] as const
      const caption = llava(sceneName(scene), imagePath(scene), [description])
      if (scene.split === 'train') {
        const turns = turnsOf(facts, choosers.instructions, words)
        rows.captions.push(caption)
        rows.instructions.push(llava(sceneName(scene), imagePath(scene), turns))
        rows.texts.push(llava(sceneName(scene), imagePath(scene), [description, ...turns]))
      }
      if (scene.split === 'test') rows.heldOutCaptions.push(caption)
      if (scene.split !== 'train')
        addQuestions(
          scene.split === 'test' ? rows.questions : rows.validationQuestions,
          scene,
          facts,
          choosers[scene.split === 'test' ? 'testQuestions' : 'validation'],
        )
      const left = addPair(scene.split, imagePath(scene), facts)
      if (pairRows(scene.split).length < pairsWanted(scene.split))
        spare.push({ split: scene.split, image: imagePath(scene), facts: left })
    },
    /** Further pairs of the same scenes, until as many as wanted are there or no scene has a fair one. */
    finish(): void {
      for (let added = true; added;) {
        const before = rows.preferences.length + rows.heldOutPreferences.length
        for (const each of spare) each.facts = addPair(each.split, each.image, each.facts)
        added = rows.preferences.length + rows.heldOutPreferences.length > before
      }
    },
    texts(): readonly (readonly [string, string])[] {
      const objects = {
        info: { description: 'sight test', seed: settings.seed, license: 'CC-BY 4.0 (graphics: Twemoji)' },
        images: rows.images,
        annotations: rows.annotations,
        categories: CATEGORIES,
      }
      return [
        ['captions.json', jsonLines(rows.captions)],
        ['captions-heldout.json', jsonLines(rows.heldOutCaptions)],
        ['instructions.json', jsonLines(rows.instructions)],
        ['texts.json', jsonLines(rows.texts)],
        ['preferences.jsonl', lines(rows.preferences)],
        ['preferences-heldout.jsonl', lines(rows.heldOutPreferences)],
        ['questions.jsonl', lines(inEqualShares(rows.questions))],
        ['questions-validation.jsonl', lines(inEqualShares(rows.validationQuestions))],
        ['objects.json', `${JSON.stringify(objects)}\n`],
        ['README.md', sightTestReadme(settings)],
      ]
    },
  }
}

const lines = (rows: readonly Json[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')
/** A JSON array with one element a line: diffs and editors stay usable. */
const jsonLines = (rows: readonly Json[]) => `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`

function llava(id: string, image: string, turns: readonly (readonly [string, string])[]): Json {
  const conversations = turns.flatMap(([question, answer], i) => [
    { from: 'human', value: i === 0 ? `<image>\n${question}` : question },
    { from: 'gpt', value: answer },
  ])
  return { id, image, conversations }
}

/** Four to six questions from all groups that the scene allows; about one in four wants a sentence. */
function turnsOf(
  facts: readonly Fact[],
  choose: FactChooser,
  random: { integer(n: number): number; uniform(): number },
): (readonly [string, string])[] {
  const turns: (readonly [string, string])[] = []
  let left = facts
  for (let wanted = 4 + random.integer(3); turns.length < wanted;) {
    const group = choose.groups(left)[0]
    const fact = group === undefined ? null : choose.question(left, group)
    if (fact === null) break
    left = left.filter(({ question }) => question !== fact.question)
    turns.push(
      random.uniform() < 0.25 ? [`${fact.question} ${SENTENCE_CUE}`, fact.sentence(fact.answer)] : [fact.question, fact.answer],
    )
  }
  return turns
}

/** One question of each group; two about the sign where there is one, since half the scenes have none. */
function addQuestions(into: Json[], scene: Scene, facts: readonly Fact[], choose: FactChooser): void {
  for (const group of QUESTION_GROUPS) {
    let left = facts
    for (let i = 0; i < (group === 'text' ? 2 : 1); i++) {
      const fact = choose.fairQuestion(left, group)
      if (fact === null) continue
      left = left.filter(({ category }) => category !== fact.category)
      into.push({
        image: imagePath(scene),
        question: fact.question,
        answer: fact.answer,
        group,
        category: fact.category,
        region: fact.region,
      })
    }
  }
}

/** The first rows of each group, as many as the smallest group has, in their order. */
function inEqualShares(rows: readonly Json[]): readonly Json[] {
  const share = Math.min(...QUESTION_GROUPS.map((group) => rows.filter((row) => row['group'] === group).length))
  const taken = new Map<unknown, number>()
  return rows.filter((row) => {
    const count = taken.get(row['group']) ?? 0
    taken.set(row['group'], count + 1)
    // Tiny data sets may lack a group altogether; they are kept whole.
    return share === 0 || count < share
  })
}

const CATEGORIES = CLASSES.map(({ name, kind }, i) => ({ id: i + 1, name, supercategory: kind }))
const categoryId = new Map(CATEGORIES.map(({ id, name }) => [name, id]))

function addObjects(rows: { images: Json[]; annotations: Json[] }, scene: Scene): void {
  const { width, height } = scene.image
  const image = rows.images.length + 1
  rows.images.push({ id: image, file_name: imagePath(scene), width, height, background: scene.ground, sign: scene.sign })
  scene.objects.forEach((object, depth) => {
    rows.annotations.push({
      id: rows.annotations.length + 1,
      image_id: image,
      category_id: categoryId.get(object.name),
      bbox: object.box,
      segmentation: maskOfPixels(object.visible, width, height),
      area: object.visiblePixels,
      iscrowd: 0,
      // Beyond COCO: 0 is the back; the box if nothing stood in front; the share that is visible; the paint.
      depth,
      whole_bbox: object.wholeBox satisfies Box,
      visibility: Math.round((1000 * object.visiblePixels) / object.wholePixels) / 1000,
      color: object.tint,
    })
  })
}
