// A second opinion on the sight test: answers computed from its files alone (objects.json), with a table of the world
// written down independently of the generator's. Shared by the tests beside it; knows nothing of the sources.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

type Box = readonly [number, number, number, number]

export interface Annotation {
  readonly image_id: number
  readonly category_id: number
  readonly bbox: Box
  readonly whole_bbox: Box
  readonly area: number
  readonly depth: number
  readonly visibility: number
  readonly color: string | null
  readonly segmentation: { readonly size: readonly [number, number]; readonly counts: readonly number[] }
}

export interface SceneTruth {
  readonly file: string
  readonly width: number
  readonly height: number
  readonly background: { readonly color: string; readonly pattern: string }
  readonly sign: { readonly word: string; readonly color: string; readonly box: Box } | null
  readonly objects: readonly (Annotation & { readonly name: string })[]
}

export function readTruth(folder: string): ReadonlyMap<string, SceneTruth> {
  const coco = JSON.parse(readFileSync(join(folder, 'objects.json'), 'utf8')) as {
    images: {
      id: number
      file_name: string
      width: number
      height: number
      background: SceneTruth['background']
      sign: SceneTruth['sign']
    }[]
    annotations: Annotation[]
    categories: { id: number; name: string }[]
  }
  const names = new Map(coco.categories.map(({ id, name }) => [id, name]))
  return new Map(
    coco.images.map(({ id, file_name: file, ...image }) => [
      file,
      {
        file,
        ...image,
        objects: coco.annotations
          .filter((each) => each.image_id === id)
          .map((each) => ({ ...each, name: names.get(each.category_id)! })),
      },
    ]),
  )
}

const KIND_OF: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({
    animal: 'dog cat pig frog panda lion owl penguin parrot bee butterfly fish crab spider snake octopus whale shark',
    food: 'apple banana lemon pear melon carrot pizza burger cake donut cheese',
    vehicle: 'car bus train bike plane boat ship rocket',
    plant: 'tree cactus rose tulip',
    instrument: 'guitar drum trumpet piano',
    clothing: 'hat shirt dress shoe',
  }).flatMap(([kind, names]) => names.split(' ').map((name) => [name, kind])),
)
const LEGS: Readonly<Record<string, string>> = {
  ...Object.fromEntries('dog cat pig frog panda lion'.split(' ').map((name) => [name, 'four'])),
  ...Object.fromEntries('owl parrot penguin'.split(' ').map((name) => [name, 'two'])),
  bee: 'six',
  butterfly: 'six',
  spider: 'eight',
  fish: 'zero',
  whale: 'zero',
  shark: 'zero',
  snake: 'zero',
}
const BY_AIR = 'plane rocket'.split(' ')
const BY_WATER = 'boat ship'.split(' ')
const FLYING = 'owl parrot bee butterfly'.split(' ')
const SWIMMING = 'fish octopus whale shark'.split(' ')
const FRUITS = 'apple banana lemon pear melon'.split(' ')
const SALTY = 'pizza burger cheese'.split(' ')
const THORNY = 'cactus rose'.split(' ')
const PLAYED: Readonly<Record<string, string>> = { drum: 'hit', trumpet: 'blown', guitar: 'plucked' }
const WORN: Readonly<Record<string, string>> = { hat: 'head', shirt: 'body', dress: 'body', shoe: 'foot' }
const COUNT = ['zero', 'one', 'two', 'three', 'four']
const PLURALS: Readonly<Record<string, string>> = {
  butterflies: 'butterfly',
  fish: 'fish',
  octopuses: 'octopus',
  buses: 'bus',
  dresses: 'dress',
  cactuses: 'cactus',
}

const yesNo = (holds: boolean) => (holds ? 'yes' : 'no')
const centre = ([x, y, w, h]: Box) => ({ x: x + w / 2, y: y + h / 2 })

/** The answer to a question as the generator words it; throws when the scene does not settle it. */
export function trueAnswer(question: string, scene: SceneTruth): string {
  const match = (pattern: RegExp) => pattern.exec(question)?.slice(1)
  const all = (name: string) => scene.objects.filter((each) => each.name === name)
  const the = (name: string) => only(all(name), name)
  const theOfKind = (kind: string) =>
    only(
      scene.objects.filter(({ name }) => KIND_OF[name] === kind),
      kind,
    ).name
  const sign = () => scene.sign ?? fail('a sign')
  const known = (table: Readonly<Record<string, string>>, name: string) => table[name] ?? fail(`an undisputed ${name}`)

  let found: string[] | undefined
  if ((found = match(/^Is there an? (\w+)\?$/))) return yesNo(all(found[0]!).length > 0)
  if ((found = match(/^What is (on the left|on the right|at the top|at the bottom)\?$/))) return outermost(found[0]!, scene).name
  if (question === 'What is shown?') return only(scene.objects, 'object').name
  if (question === 'What color is the background?') return scene.background.color
  if (question === 'What color is the sign?') return sign().color
  if ((found = match(/^What color is the (\w+)\?$/))) return the(found[0]!).color ?? fail('a painted object')
  if (question === 'Is the background plain, striped or checked?') return scene.background.pattern
  if (question === 'What does the sign say?') return sign().word
  if (question === 'What is the first letter on the sign?') return sign().word[0]!
  if (question === 'What is the last letter on the sign?') return sign().word.at(-1)!
  if (question === 'How many letters are on the sign?') return COUNT[sign().word.length]!
  if ((found = match(/^Does the sign say (\w+)\?$/))) return yesNo(sign().word === found[0])
  if ((found = match(/^How many (\w+) are there\?$/))) return COUNT[all(PLURALS[found[0]!] ?? found[0]!.slice(0, -1)).length]!
  if ((found = match(/^Is the (\w+) left or right of the (\w+)\?$/)))
    return clearly('x', the(found[0]!).bbox, the(found[1]!).bbox, 'left', 'right')
  if ((found = match(/^Is the (\w+) above or below the (\w+)\?$/)))
    return clearly('y', the(found[0]!).bbox, the(found[1]!).bbox, 'above', 'below')
  if ((found = match(/^Which is (larger|smaller), the (\w+) or the (\w+)\?$/))) {
    const [a, b] = [the(found[1]!), the(found[2]!)]
    const long = (each: Annotation) => Math.max(each.whole_bbox[2], each.whole_bbox[3])
    if (Math.max(long(a) / long(b), long(b) / long(a)) < 1.39) fail('a clear difference in size')
    return long(a) > long(b) === (found[0] === 'larger') ? a.name : b.name
  }
  if ((found = match(/^Which is in front, the (\w+) or the (\w+)\?$/))) {
    const [a, b] = [the(found[0]!), the(found[1]!)]
    const [front, back] = a.depth > b.depth ? [a, b] : [b, a]
    if (back.visibility > 0.88 || !overlap(front.whole_bbox, back.whole_bbox)) fail('one object behind another')
    return front.name
  }
  if ((found = match(/^What kind of thing is (.+)\?$/)))
    return known(KIND_OF, found[0] === 'shown' ? scene.objects[0]!.name : outermost(found[0]!, scene).name)
  switch (question) {
    case 'Can the animal fly?':
      return yesNo(FLYING.includes(theOfKind('animal')))
    case 'How many legs does the animal have?':
      return known(LEGS, theOfKind('animal'))
    case 'Does the animal live on land or in water?':
      return SWIMMING.includes(theOfKind('animal')) ? 'water' : 'land'
    case 'Is the food a fruit?':
      return yesNo(FRUITS.includes(theOfKind('food')))
    case 'Is the food sweet or salty?':
      return SALTY.includes(theOfKind('food')) ? 'salty' : 'sweet'
    case 'Does the vehicle travel by land, water or air?':
      return BY_AIR.includes(theOfKind('vehicle')) ? 'air' : BY_WATER.includes(theOfKind('vehicle')) ? 'water' : 'land'
    case 'Is the instrument hit, blown or plucked?':
      return known(PLAYED, theOfKind('instrument'))
    case 'Is the clothing worn on the head, body or foot?':
      return known(WORN, theOfKind('clothing'))
    case 'Does the plant have thorns?':
      return yesNo(THORNY.includes(theOfKind('plant')))
  }
  return fail(`a question that is understood, not "${question}"`)
}

/** What a sentence claims in answer to a question, as a word. */
export function claimOf(question: string, sentence: string): string {
  const last = sentence.replace(/\.$/, '').split(' ').at(-1)!
  const word = (pattern: RegExp) => pattern.exec(sentence)?.[1] ?? fail(`a sentence like ${pattern}, not "${sentence}"`)
  if (/^(Yes|No),/.test(sentence)) return word(/^(Yes|No),/).toLowerCase()
  if (question.startsWith('How many legs')) return word(/has (\w+) legs/)
  if (question.startsWith('How many letters')) return word(/has (\w+) letters/)
  if (question.startsWith('How many')) return word(/^There (?:is|are) (\w+) /)
  if (/^What is (on|at) /.test(question)) return word(/^There is an? (\w+) (?:on|at) /)
  if (question.includes('left or right') || question.includes('above or below')) return word(/ is (left|right|above|below) /)
  if (question.startsWith('Which is')) return word(/^The (\w+) is /)
  if (question.startsWith('What kind of thing is') && !question.includes('shown'))
    return word(/^There is (?:an? )?(\w+) (?:on|at) /)
  return last
}

function fail(expected: string): never {
  throw new Error(`the scene does not settle it: expected ${expected}`)
}

function only<T>(values: readonly T[], what: string): T {
  return values.length === 1 ? values[0]! : fail(`exactly one ${what}, found ${values.length}`)
}

function overlap(a: Box, b: Box): boolean {
  return a[0] < b[0] + b[2] && b[0] < a[0] + a[2] && a[1] < b[1] + b[3] && b[1] < a[1] + a[3]
}

function clearly(axis: 'x' | 'y', a: Box, b: Box, before: string, after: string): string {
  const at = axis === 'x' ? 0 : 1
  if (a[at] + a[at + 2]! > b[at] && b[at] + b[at + 2]! > a[at]) fail('objects clear of each other')
  return centre(a)[axis] < centre(b)[axis] ? before : after
}

/** The object on a side, when everything else (the sign too) lies beyond it. */
function outermost(place: string, { objects, sign }: SceneTruth): SceneTruth['objects'][number] {
  const axis = place.includes('left') || place.includes('right') ? 'x' : 'y'
  const direction = place.includes('left') || place.includes('top') ? 1 : -1
  const [first] = objects.toSorted((a, b) => direction * (centre(a.bbox)[axis] - centre(b.bbox)[axis]))
  const rest = [...objects.filter((each) => each !== first).map(({ bbox }) => bbox), ...(sign ? [sign.box] : [])]
  const wanted = direction === 1 ? 'before' : 'after'
  for (const other of rest) if (clearly(axis, first!.bbox, other, 'before', 'after') !== wanted) fail(`nothing further ${place}`)
  return first!
}
