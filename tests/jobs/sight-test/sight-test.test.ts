// The sight test as others meet it: only its written files are read here, by means of their own (world.ts).

import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sightTestSchema, type JobEvent } from '../../../src-main/domain/job.ts'
import { readDataset } from '../../../src-main/jobs/import/read-dataset.ts'
import { writeSightTest } from '../../../src-main/jobs/sight-test/write.ts'
import { claimOf, readTruth, trueAnswer, type SceneTruth } from './world.ts'

interface Conversation {
  readonly id: string
  readonly image: string
  readonly conversations: readonly { readonly from: string; readonly value: string }[]
}
interface Question {
  readonly image: string
  readonly question: string
  readonly answer: string
  readonly group: string
  readonly category: string
  readonly region: readonly (readonly number[])[]
}
interface Preference {
  readonly image: string
  readonly prompt: string
  readonly chosen: string
  readonly rejected: string
  readonly group: string
  readonly category: string
  readonly region: readonly (readonly number[])[]
}

const CUE = ' Answer in a sentence.'
const home = mkdtempSync(join(tmpdir(), 'sight-test-'))
const folder = join(home, 'data')
afterAll(() => rmSync(home, { recursive: true }))

async function write(into: string, settings: Record<string, unknown>): Promise<JobEvent[]> {
  const events: JobEvent[] = []
  for await (const event of writeSightTest(
    { kind: 'sight-test', folder: into, settings: sightTestSchema.parse(settings) },
    { aborted: false },
  ))
    events.push(event)
  return events
}
const readText = (file: string, at = folder) => readFileSync(join(at, file), 'utf8')
const readLines = <Row>(file: string, at = folder) =>
  readText(file, at)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row)
const readConversations = (file: string, at = folder) => JSON.parse(readText(file, at)) as Conversation[]

function hashFolder(at: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(at, { recursive: true })
      .map(String)
      .filter((file) => statSync(join(at, file)).isFile())
      .sort()
      .map((file) => [
        file,
        createHash('sha256')
          .update(readFileSync(join(at, file)))
          .digest('hex'),
      ]),
  )
}

let truth: ReadonlyMap<string, SceneTruth>
let questions: Question[]
let preferences: Preference[]
let heldOut: Preference[]
let instructions: Conversation[]

beforeAll(async () => {
  await write(folder, { seed: 3, scenes: { train: 320, validation: 40, test: 320 }, pairs: { train: 300, test: 320 } })
  truth = readTruth(folder)
  questions = [...readLines<Question>('questions.jsonl'), ...readLines<Question>('questions-validation.jsonl')]
  preferences = readLines<Preference>('preferences.jsonl')
  heldOut = readLines<Preference>('preferences-heldout.jsonl')
  instructions = readConversations('instructions.json')
}, 120_000)

/** Turns of a conversation as question, answer. */
function turnsOf({ conversations }: Conversation): [string, string][] {
  return conversations.flatMap(({ value }, i) =>
    i % 2 === 0 ? [[value.replace('<image>\n', ''), conversations[i + 1]!.value] as [string, string]] : [],
  )
}

describe('the written folder', () => {
  it('is the same to the byte for the same settings, and another for another seed', async () => {
    const settings = { seed: 5, scenes: { train: 20, validation: 4, test: 8 }, pairs: { train: 16, test: 8 } }
    await write(join(home, 'once'), settings)
    await write(join(home, 'twice'), settings)
    await write(join(home, 'other'), { ...settings, seed: 6 })
    expect(hashFolder(join(home, 'twice'))).toEqual(hashFolder(join(home, 'once')))
    const [one, other] = [hashFolder(join(home, 'once')), hashFolder(join(home, 'other'))]
    expect(Object.keys(one).filter((file) => file.endsWith('.png') && one[file] === other[file])).toEqual([])
  })

  it('begins with the shorter one: a scene and what is said of it do not depend on the number of scenes', async () => {
    const short = join(home, 'short')
    await write(short, { seed: 3, scenes: { train: 24, validation: 3, test: 16 }, pairs: { train: 20, test: 10 } })
    for (const [file, hash] of Object.entries(hashFolder(short)).filter(([file]) => file.endsWith('.png')))
      expect(
        createHash('sha256')
          .update(readFileSync(join(folder, file)))
          .digest('hex'),
        file,
      ).toBe(hash)
    const same = <Row>(file: string, read: (file: string, at: string) => Row[]) => {
      const rows = read(file, short)
      expect(read(file, folder).slice(0, rows.length), file).toEqual(rows)
    }
    same('instructions.json', readConversations)
    same('captions.json', readConversations)
    same('preferences.jsonl', readLines)
  })

  it('tells in texts what caption and instructions tell, scene by scene', () => {
    const captions = readConversations('captions.json')
    expect(readConversations('texts.json').map(turnsOf)).toEqual(
      instructions.map((instruction, i) => [...turnsOf(captions[i]!), ...turnsOf(instruction)]),
    )
  })

  it('shares no scene between train, validation and test', () => {
    const pictures = Object.entries(hashFolder(join(folder, 'images')))
    expect(new Set(pictures.map(([, hash]) => hash)).size).toBe(pictures.length)
    const isTrain = (rows: readonly { image: string }[]) => rows.map(({ image }) => image.startsWith('images/train/'))
    expect([
      new Set(isTrain(instructions)),
      new Set(isTrain(preferences)),
      new Set(isTrain(heldOut)),
      new Set(isTrain(questions)),
    ]).toEqual([new Set([true]), new Set([true]), new Set([false]), new Set([false])])
  })

  it('comes in through the importer whole, every row in its split', async () => {
    const counts = new Map<string, number>()
    for await (const event of readDataset(folder)) {
      expect(event.kind).not.toBe('fault')
      if (event.kind !== 'sample') continue
      const key = `${event.content.kind} ${event.split}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
      expect(event.image).toMatchObject({
        width: 64,
        height: 64,
        sha256: createHash('sha256').update(readFileSync(event.image!.file)).digest('hex'),
      })
    }
    expect(Object.fromEntries(counts)).toEqual({
      // Captions, instructions, and both together for a model that reads before it sees.
      'conversations train': 960,
      'conversations test': 320,
      'objects train': 320,
      'objects validation': 40,
      'objects test': 320,
      'preferences train': 300,
      'preferences test': 320,
      'questions test': readLines('questions.jsonl').length,
      'questions validation': readLines('questions-validation.jsonl').length,
    })
  })

  it.each([32, 96])('can be %i pixels wide', async (imageSize) => {
    const at = join(home, `wide-${imageSize}`)
    await write(at, { imageSize, scenes: { train: 16, validation: 1, test: 1 }, pairs: { train: 8, test: 1 } })
    for (const scene of readTruth(at).values()) expect([scene.width, scene.height]).toEqual([imageSize, imageSize])
  })

  it('names the artwork, its license and the settings', () => {
    expect(readText('README.md')).toMatch(/seed \| 3[\s\S]*Twemoji[\s\S]*CC-BY 4\.0/)
  })
})

describe('writing', () => {
  it('stops when cancelled and leaves nothing behind', async () => {
    const at = join(home, 'cancelled')
    const signal = { aborted: false }
    const run = async () => {
      for await (const event of writeSightTest({ kind: 'sight-test', folder: at, settings: sightTestSchema.parse({}) }, signal))
        if (event.kind === 'progress') signal.aborted = true
    }
    await expect(run()).rejects.toMatchObject({ code: 'cancelled' })
    expect(readdirSync(home).filter((name) => name.startsWith('cancelled'))).toEqual([])
  })

  it('never writes over a folder that holds something', async () => {
    const at = mkdtempSync(join(home, 'occupied-'))
    writeFileSync(join(at, 'precious.txt'), 'mine')
    await expect(write(at, {})).rejects.toMatchObject({ code: 'invalid-input' })
    expect(readdirSync(at)).toEqual(['precious.txt'])
  })

  it('counts every scene once and says where the result is', async () => {
    const events = await write(join(home, 'counted'), {
      scenes: { train: 30, validation: 2, test: 2 },
      pairs: { train: 4, test: 1 },
    })
    expect(events.filter((event) => event.kind === 'part')).toEqual([{ kind: 'part', name: 'drawing scenes', of: 34 }])
    expect(events.findLast((event) => event.kind === 'progress')).toEqual({ kind: 'progress', done: 34, of: 34 })
    expect(events.at(-1)).toEqual({ kind: 'artifact', name: 'sight test', path: join(home, 'counted') })
  })
})

describe('ground truth', () => {
  it('gives every object a mask that fits its box and area, and no pixel to two objects', () => {
    for (const { width, height, objects, file } of truth.values()) {
      const owned = new Uint8Array(width * height)
      for (const { segmentation, bbox, area, whole_bbox: whole } of objects) {
        expect(segmentation.size).toEqual([height, width])
        const columns = segmentation.counts.flatMap((run, i) => new Array<number>(run).fill(i % 2))
        expect(columns).toHaveLength(width * height)
        const pixels = columns.flatMap((value, at) => (value ? [{ x: Math.floor(at / height), y: at % height }] : []))
        const [xs, ys] = [pixels.map(({ x }) => x), pixels.map(({ y }) => y)]
        const [left, top] = [Math.min(...xs), Math.min(...ys)]
        expect([bbox, area], file).toEqual([[left, top, Math.max(...xs) - left + 1, Math.max(...ys) - top + 1], pixels.length])
        expect(
          left >= whole[0] && top >= whole[1] && Math.max(...xs) < whole[0] + whole[2] && Math.max(...ys) < whole[1] + whole[3],
        ).toBe(true)
        for (const { x, y } of pixels) owned[y * width + x]! += 1
      }
      expect(Math.max(...owned)).toBeLessThanOrEqual(1)
    }
  })

  it('holds one to four objects, each visible by more than half', () => {
    for (const { objects } of truth.values()) {
      expect(objects.length).toBeGreaterThanOrEqual(1)
      expect(objects.length).toBeLessThanOrEqual(4)
      for (const { visibility } of objects) expect(visibility).toBeGreaterThan(0.5)
    }
    expect(new Set([...truth.values()].flatMap(({ objects }) => objects.map(({ name }) => name))).size).toBeGreaterThanOrEqual(48)
  })
})

describe('what is said of a scene', () => {
  it('every answer to a question follows from the scene', () => {
    for (const { image, question, answer } of questions)
      expect([question, answer]).toEqual([question, trueAnswer(question, truth.get(image)!)])
  })

  it('every turn of every conversation is true, short or in a sentence', () => {
    for (const conversation of instructions)
      for (const [asked, answer] of turnsOf(conversation)) {
        const question = asked.replace(CUE, '')
        const said = asked.endsWith(CUE) ? claimOf(question, answer) : answer
        expect([conversation.image, question, said]).toEqual([
          conversation.image,
          question,
          trueAnswer(question, truth.get(conversation.image)!),
        ])
      }
  })

  it('the chosen answer is true and the rejected one false, of the same form and nearly the same length', () => {
    for (const { image, prompt, chosen, rejected } of [...preferences, ...heldOut]) {
      const question = prompt.replace(CUE, '')
      expect(prompt.endsWith(CUE)).toBe(true)
      const answer = trueAnswer(question, truth.get(image)!)
      expect([prompt, claimOf(question, chosen)]).toEqual([prompt, answer])
      expect(claimOf(question, rejected), `${prompt} ${rejected}`).not.toBe(answer)
      const [a, b] = [chosen.split(' '), rejected.split(' ')]
      expect(Math.abs(a.length - b.length)).toBeLessThanOrEqual(2)
      expect(Math.abs(chosen.length - rejected.length)).toBeLessThanOrEqual(10)
    }
  })

  it('a near miss is near: numbers are off by one, other classes are absent, words differ in a letter', () => {
    const numbers = ['zero', 'one', 'two', 'three', 'four']
    for (const { image, prompt, chosen, rejected, category } of [...preferences, ...heldOut]) {
      const question = prompt.replace(CUE, '')
      const [right, wrong] = [claimOf(question, chosen), claimOf(question, rejected)]
      if (category === 'count') expect(Math.abs(numbers.indexOf(right) - numbers.indexOf(wrong))).toBe(1)
      if (category === 'naming') expect(truth.get(image)!.objects.map(({ name }) => name)).not.toContain(wrong)
      if (category === 'word') expect([...right].filter((letter, i) => letter !== wrong[i])).toHaveLength(1)
    }
  })

  it('the deciding region lies in the picture and on what the question is about', () => {
    for (const { image, region, category } of [...questions, ...preferences, ...heldOut]) {
      const { width, height, objects, sign } = truth.get(image)!
      const things = [...objects.map(({ bbox }) => bbox), ...(sign ? [sign.box] : [])].map(String)
      for (const box of region) {
        expect(things).toContain(String(box))
        expect(box[0]! >= 0 && box[1]! >= 0 && box[0]! + box[2]! <= width && box[1]! + box[3]! <= height).toBe(true)
      }
      if (!['presence', 'background', 'pattern'].includes(category)) expect(region.length).toBeGreaterThan(0)
    }
  })

  it('uses few words, spelled in one way', () => {
    const texts = [
      ...questions.flatMap(({ question, answer }) => [question, answer]),
      ...[...preferences, ...heldOut].flatMap(({ prompt, chosen, rejected }) => [prompt, chosen, rejected]),
      ...[...instructions, ...readConversations('captions.json')].flatMap(({ conversations }) =>
        conversations.map(({ value }) => value),
      ),
    ]
    expect(new Set(texts.flatMap((text) => text.toLowerCase().match(/[a-z]+/g) ?? [])).size).toBeLessThan(300)
  })

  it('conversations have four to six turns, no question twice, and the image in the first', () => {
    for (const conversation of instructions) {
      const turns = turnsOf(conversation)
      expect(turns.length).toBeGreaterThanOrEqual(4)
      expect(turns.length).toBeLessThanOrEqual(6)
      expect(new Set(turns.map(([question]) => question.replace(CUE, ''))).size).toBe(turns.length)
      expect(conversation.conversations.map(({ value }) => value.startsWith('<image>\n'))).toEqual(
        conversation.conversations.map((_, i) => i === 0),
      )
    }
  })

  it('every caption names every class, paint and printed word of its scene', () => {
    for (const conversation of readConversations('captions.json')) {
      const caption = turnsOf(conversation)[0]![1]
      const { objects, sign } = truth.get(conversation.image)!
      for (const { name, color } of objects) {
        expect(caption).toContain(name.slice(0, -1))
        if (color !== null && objects.filter((each) => each.name === name).length === 1)
          expect(caption).toContain(`${color} ${name}`)
      }
      if (sign !== null) expect(caption).toContain(`sign that says ${sign.word}`)
    }
  })
})

describe('somebody who does not look', () => {
  it('is asked as often in each of the four groups', () => {
    const shares = Object.values(Object.groupBy(readLines<Question>('questions.jsonl'), ({ group }) => group)).map(
      (rows) => rows!.length,
    )
    expect(shares).toHaveLength(4)
    expect(new Set(shares).size).toBe(1)
    const pairs = Object.values(Object.groupBy(heldOut, ({ group }) => group)).map((rows) => rows!.length)
    expect(Math.max(...pairs) - Math.min(...pairs)).toBeLessThanOrEqual(0.1 * heldOut.length)
  })

  it('finds no answer more frequent than the others', () => {
    // Size and depth are answered by one of two classes that the question names; the pairs below test those.
    const asked = readLines<Question>('questions.jsonl').filter(({ category }) => category !== 'size' && category !== 'depth')
    const byWording = Object.groupBy(asked, ({ question }) =>
      question.replace(/\b(the|an?|many|say) (?!sign|background)\w+/g, '$1 …'),
    )
    for (const [wording, rows] of Object.entries(byWording)) {
      if (rows!.length < 8) continue
      const counts = Object.values(Object.groupBy(rows!, ({ answer }) => answer)).map((same) => same!.length)
      expect(Math.max(...counts), wording).toBeLessThanOrEqual(Math.ceil(rows!.length / Math.max(2, counts.length)) + 2)
    }
  })

  it('wins half of the held-out pairs, whether by the words of the training pairs, by length or by what is named first', () => {
    const wins = new Map<string, number>()
    for (const { chosen, rejected } of preferences) {
      wins.set(chosen, (wins.get(chosen) ?? 0) + 1)
      wins.set(rejected, (wins.get(rejected) ?? 0) - 1)
    }
    const share = (pairs: readonly Preference[], score: (answer: string, pair: Preference) => number) =>
      pairs.reduce((sum, pair) => sum + (Math.sign(score(pair.chosen, pair) - score(pair.rejected, pair)) + 1) / 2, 0) /
      pairs.length
    // Three standard errors of a fair coin.
    const fair = (n: number) => 1.5 / Math.sqrt(n)
    expect(Math.abs(share(heldOut, (answer) => wins.get(answer) ?? 0) - 0.5)).toBeLessThan(fair(heldOut.length))
    expect(Math.abs(share(heldOut, (answer) => answer.length) - 0.5)).toBeLessThan(fair(heldOut.length))
    const ordered = [...preferences, ...heldOut].filter(({ category }) => category === 'size' || category === 'depth')
    expect(Math.abs(share(ordered, (answer, { prompt }) => prompt.indexOf(answer.split(' ')[1]!)) - 0.5)).toBeLessThan(
      fair(ordered.length),
    )
  })
})
