// What can be asked about a scene: every question whose answer follows from it without doubt, the answer, near misses
// that are false in exactly the deciding detail, and the region that decides. Doubtful cases (nearly equal sizes, no clear
// left and right, barely overlapping objects) yield no fact. Choosing among facts is balance.ts's business.

import type { Box, QuestionGroup } from '../../domain/sample.ts'
import { SIGN_STYLES } from './artwork.ts'
import type { Scene, SceneObject } from './scene.ts'
import { CLASSES, classNamed, GROUNDS, KINDS, NUMBERS, TINTS, TRAITS, withArticle, WORD_FAMILIES, WORDS } from './vocabulary.ts'

export interface Fact {
  readonly group: QuestionGroup
  readonly category: string
  /** The wording without its class names: chances are balanced within a form. */
  readonly form: string
  readonly question: string
  readonly answer: string
  /** What the answer can be to somebody who does not look; equally likely over a whole data set. */
  readonly among: readonly string[]
  /** Those of `among` that are false here in just the deciding detail. */
  readonly nearMisses: readonly string[]
  /** The answer as a sentence; also makes the sentence of a near miss. */
  readonly sentence: (answer: string) => string
  /** Visible boxes of what decides; empty when no place does (an absent object, the background). */
  readonly region: readonly Box[]
}

/** What is added to a question that wants a sentence; without it the answer is a word. */
export const SENTENCE_CUE = 'Answer in a sentence.'

export function factsOf(scene: Scene): readonly Fact[] {
  const seen = lookAt(scene)
  return [
    ...presence(seen),
    ...naming(seen),
    ...colors(scene, seen),
    ...printedWord(scene),
    ...counts(seen),
    ...relations(seen),
    ...sizes(seen),
    ...depths(scene, seen),
    ...knowledge(seen),
  ]
}

interface Seen {
  readonly scene: Scene
  readonly byName: ReadonlyMap<string, readonly SceneObject[]>
  /** Objects whose class occurs once, so that "the dog" means them. */
  readonly unique: readonly SceneObject[]
  /** "on the left" and so on → the one object it can mean. */
  readonly places: ReadonlyMap<string, SceneObject>
}

function lookAt(scene: Scene): Seen {
  const byName = Map.groupBy(scene.objects, ({ name }) => name)
  return { scene, byName, unique: scene.objects.filter(({ name }) => byName.get(name)!.length === 1), places: placesIn(scene) }
}

const middle = ([x, y, width, height]: Box): [number, number] => [x + width / 2, y + height / 2]
const right = ([x, , width]: Box) => x + width
const bottom = ([, y, , height]: Box) => y + height

/** The outermost object on a side, when it is in that half and clear of all others, the sign included. */
function placesIn({ objects, sign, image }: Scene): ReadonlyMap<string, SceneObject> {
  const sides: readonly [string, (inner: Box, outer: Box) => boolean, (box: Box) => boolean][] = [
    ['on the left', (box, other) => right(box) <= other[0], (box) => middle(box)[0] < image.width / 2],
    ['on the right', (box, other) => box[0] >= right(other), (box) => middle(box)[0] > image.width / 2],
    ['at the top', (box, other) => bottom(box) <= other[1], (box) => middle(box)[1] < image.height / 2],
    ['at the bottom', (box, other) => box[1] >= bottom(other), (box) => middle(box)[1] > image.height / 2],
  ]
  const places = new Map<string, SceneObject>()
  if (objects.length < 2) return places
  for (const [side, isBeyond, isInHalf] of sides)
    for (const object of objects) {
      const others = [...objects.filter((each) => each !== object).map(({ box }) => box), ...(sign === null ? [] : [sign.box])]
      if (isInHalf(object.box) && others.every((other) => isBeyond(object.box, other))) places.set(side, object)
    }
  return places
}

const YES_NO = ['yes', 'no']
const CLASS_NAMES = CLASSES.map(({ name }) => name)
/** Scenes hold one to four of a class. */
const LEGAL_COUNTS: readonly string[] = NUMBERS.slice(1, 5)
const same = (kind: string) => CLASSES.filter((each) => each.kind === kind).map(({ name }) => name)

function presence({ byName }: Seen): Fact[] {
  const fact = (name: string, answer: 'yes' | 'no', region: readonly Box[]): Fact => ({
    group: 'general',
    category: 'presence',
    form: 'is there',
    question: `Is there ${withArticle(name)}?`,
    answer,
    among: YES_NO,
    nearMisses: [answer === 'yes' ? 'no' : 'yes'],
    sentence: (said) => (said === 'yes' ? `Yes, there is ${withArticle(name)}.` : `No, there is no ${name}.`),
    region,
  })
  const kinds = new Set([...byName.keys()].map((name) => classNamed(name).kind))
  const absent = CLASSES.filter(({ name, kind }) => kinds.has(kind) && !byName.has(name))
  return [
    ...[...byName].map(([name, objects]) =>
      fact(
        name,
        'yes',
        objects.map(({ box }) => box),
      ),
    ),
    ...absent.map(({ name }) => fact(name, 'no', [])),
  ]
}

function naming({ byName, places }: Seen): Fact[] {
  const confusable = (name: string) => same(classNamed(name).kind).filter((other) => !byName.has(other))
  const facts = [...places].map(([place, object]): Fact => ({
    group: 'general',
    category: 'naming',
    form: 'what is where',
    question: `What is ${place}?`,
    answer: object.name,
    among: CLASS_NAMES,
    nearMisses: confusable(object.name),
    sentence: (said) => `There is ${withArticle(said)} ${place}.`,
    region: [object.box],
  }))
  if (byName.size !== 1) return facts
  const [name, objects] = [...byName][0]!
  if (objects.length > 1) return facts
  return [
    {
      group: 'general',
      category: 'naming',
      form: 'what is shown',
      question: 'What is shown?',
      answer: name,
      among: CLASS_NAMES,
      nearMisses: confusable(name),
      sentence: (said) => `The picture shows ${withArticle(said)}.`,
      region: [objects[0]!.box],
    },
  ]
}

function colors({ ground, sign }: Scene, { unique }: Seen): Fact[] {
  const fact = (what: string, form: string, answer: string, palette: readonly string[], region: readonly Box[]): Fact => ({
    group: 'general',
    category: form === 'ground' ? 'background' : 'color',
    form,
    question: `What color is the ${what}?`,
    answer,
    among: palette,
    nearMisses: palette.filter((color) => color !== answer),
    sentence: (said) => `The ${what} is ${said}.`,
    region,
  })
  const objects = unique
    .filter(({ tint }) => tint !== null)
    .map(({ name, tint, box }) => fact(name, 'paint', tint!, TINTS, [box]))
  const pattern: Fact[] =
    ground.pattern === 'gradient' || ground.pattern === 'noise'
      ? []
      : [
          {
            group: 'general',
            category: 'pattern',
            form: 'pattern',
            question: 'Is the background plain, striped or checked?',
            answer: ground.pattern,
            among: ['plain', 'striped', 'checked'],
            nearMisses: ['plain', 'striped', 'checked'].filter((other) => other !== ground.pattern),
            sentence: (said) => `The background is ${said}.`,
            region: [],
          },
        ]
  return [
    ...objects,
    ...pattern,
    fact('background', 'ground', ground.color, GROUNDS, []),
    ...(sign === null
      ? []
      : [
          fact(
            'sign',
            'board',
            sign.color,
            SIGN_STYLES.map(({ name }) => name),
            [sign.box],
          ),
        ]),
  ]
}

function printedWord({ sign }: Scene): Fact[] {
  if (sign === null) return []
  const { word, box } = sign
  const family = WORD_FAMILIES.find((each) => each.includes(word))!
  const others = family.filter((each) => each !== word)
  const about = (
    category: string,
    question: string,
    answer: string,
    among: readonly string[],
    nearMisses: readonly string[],
    sentence: Fact['sentence'],
  ): Fact => ({
    group: 'text',
    category,
    form: category,
    question,
    answer,
    among,
    nearMisses,
    sentence,
    region: [box],
  })
  const letter = (category: string, which: string, at: number): Fact => {
    const letters = [...new Set(WORDS.map((each) => each.at(at)!))]
    const others = letters.filter((each) => each !== word.at(at))
    return about(
      category,
      `What is the ${which} letter on the sign?`,
      word.at(at)!,
      letters,
      others,
      (said) => `The ${which} letter is ${said}.`,
    )
  }
  return [
    about('word', 'What does the sign say?', word, WORDS, others, (said) => `The sign says ${said}.`),
    letter('first letter', 'first', 0),
    letter('last letter', 'last', -1),
    about(
      'letters',
      'How many letters are on the sign?',
      NUMBERS[word.length]!,
      ['three', 'four'],
      [word.length === 3 ? 'four' : 'three'],
      (said) => `The sign has ${said} letters.`,
    ),
    ...[word, ...others].map((asked) =>
      about(
        'word check',
        `Does the sign say ${asked}?`,
        asked === word ? 'yes' : 'no',
        YES_NO,
        [asked === word ? 'no' : 'yes'],
        (said) => (said === 'yes' ? `Yes, the sign says ${asked}.` : `No, the sign does not say ${asked}.`),
      ),
    ),
  ]
}

function counts({ byName }: Seen): Fact[] {
  return [...byName].map(([name, objects]): Fact => {
    const count = objects.length
    return {
      group: 'vision-centric',
      category: 'count',
      form: 'how many',
      question: `How many ${classNamed(name).plural} are there?`,
      answer: NUMBERS[count]!,
      among: LEGAL_COUNTS,
      nearMisses: [count - 1, count + 1].map((other) => NUMBERS[other]!).filter((other) => LEGAL_COUNTS.includes(other)),
      sentence: (said) => (said === 'one' ? `There is one ${name}.` : `There are ${said} ${classNamed(name).plural}.`),
      region: objects.map(({ box }) => box),
    }
  })
}

function pairsOf(objects: readonly SceneObject[]): [SceneObject, SceneObject][] {
  return objects.flatMap((a) => objects.filter((b) => b !== a).map((b): [SceneObject, SceneObject] => [a, b]))
}

function relations({ unique, scene }: Seen): Fact[] {
  const farEnough = 0.2 * scene.image.width
  return pairsOf(unique).flatMap(([a, b]) => {
    const fact = (answer: string, opposite: string, question: string): Fact => ({
      group: 'vision-centric',
      category: 'relation',
      form: answer === 'left' || answer === 'right' ? 'left or right' : 'above or below',
      question,
      answer,
      among: [answer, opposite],
      nearMisses: [opposite],
      sentence: (said) => `The ${a.name} is ${said === 'left' || said === 'right' ? `${said} of` : said} the ${b.name}.`,
      region: [a.box, b.box],
    })
    const [[ax, ay], [bx, by]] = [middle(a.box), middle(b.box)]
    const horizontal = `Is the ${a.name} left or right of the ${b.name}?`
    const vertical = `Is the ${a.name} above or below the ${b.name}?`
    return [
      ...(right(a.box) <= b.box[0] && bx - ax >= farEnough ? [fact('left', 'right', horizontal)] : []),
      ...(right(b.box) <= a.box[0] && ax - bx >= farEnough ? [fact('right', 'left', horizontal)] : []),
      ...(bottom(a.box) <= b.box[1] && by - ay >= farEnough ? [fact('above', 'below', vertical)] : []),
      ...(bottom(b.box) <= a.box[1] && ay - by >= farEnough ? [fact('below', 'above', vertical)] : []),
    ]
  })
}

/** Larger: at least 1.4 times as long, and covering at least as many pixels. */
function isClearlyLarger(a: SceneObject, b: SceneObject): boolean {
  const long = ({ wholeBox: [, , width, height] }: SceneObject) => Math.max(width, height)
  return long(a) >= 1.4 * long(b) && a.wholePixels >= b.wholePixels
}

function sizes({ unique }: Seen): Fact[] {
  return pairsOf(unique).flatMap(([a, b]) => {
    const fact = (word: 'larger' | 'smaller', answer: SceneObject, other: SceneObject): Fact => ({
      group: 'vision-centric',
      category: 'size',
      form: word,
      question: `Which is ${word}, the ${a.name} or the ${b.name}?`,
      answer: answer.name,
      among: [a.name, b.name],
      nearMisses: [other.name],
      sentence: (said) => `The ${said} is ${word} than the ${said === a.name ? b.name : a.name}.`,
      region: [a.box, b.box],
    })
    if (isClearlyLarger(a, b)) return [fact('larger', a, b), fact('smaller', b, a)]
    if (isClearlyLarger(b, a)) return [fact('larger', b, a), fact('smaller', a, b)]
    return []
  })
}

/** In front: hides at least an eighth of the other, and nothing of it is hidden in return. */
function depths({ objects }: Scene, { unique }: Seen): Fact[] {
  const covers = (a: SceneObject, b: SceneObject) => a.hides[objects.indexOf(b)]! >= b.wholePixels / 8
  return pairsOf(unique).flatMap(([a, b]) => {
    const front = covers(a, b) ? a : covers(b, a) ? b : null
    if (front === null) return []
    return [
      {
        group: 'vision-centric',
        category: 'depth',
        form: 'in front',
        question: `Which is in front, the ${a.name} or the ${b.name}?`,
        answer: front.name,
        among: [a.name, b.name],
        nearMisses: [front === a ? b.name : a.name],
        sentence: (said: string) => `The ${said} is in front of the ${said === a.name ? b.name : a.name}.`,
        region: [a.box, b.box],
      } satisfies Fact,
    ]
  })
}

const NAMED_KINDS = KINDS.filter((kind) => kind !== 'thing')

function knowledge({ scene, places }: Seen): Fact[] {
  const kindFact = (question: string, object: SceneObject, sentence: Fact['sentence'], region: readonly Box[]): Fact[] => {
    const { kind } = classNamed(object.name)
    if (kind === 'thing') return []
    return [
      {
        group: 'knowledge',
        category: 'kind',
        form: 'kind',
        question,
        answer: kind,
        among: NAMED_KINDS,
        nearMisses: NAMED_KINDS.filter((other) => other !== kind),
        sentence,
        region,
      },
    ]
  }
  const [first] = scene.objects
  const kinds = new Set(scene.objects.map(({ name }) => classNamed(name).kind))
  const traits = TRAITS.flatMap((trait): Fact[] => {
    const ofKind = scene.objects.filter(({ name }) => classNamed(name).kind === trait.kind)
    if (ofKind.length !== 1) return []
    const answer = Object.keys(trait.answers).find((each) => trait.answers[each]!.includes(ofKind[0]!.name))
    if (answer === undefined) return []
    return [
      {
        group: 'knowledge',
        category: trait.category,
        form: trait.category,
        question: trait.question,
        answer,
        among: Object.keys(trait.answers),
        nearMisses: Object.keys(trait.answers).filter((other) => other !== answer),
        sentence: trait.sentence,
        region: [ofKind[0]!.box],
      },
    ]
  })
  return [
    ...traits,
    ...(kinds.size === 1 && scene.objects.length > 0
      ? kindFact(
          'What kind of thing is shown?',
          first!,
          (said) => `The picture shows ${kindInWords(said)}.`,
          scene.objects.map(({ box }) => box),
        )
      : []),
    ...[...places].flatMap(([place, object]) =>
      kindFact(`What kind of thing is ${place}?`, object, (said) => `There is ${kindInWords(said)} ${place}.`, [object.box]),
    ),
  ]
}

/** "an animal", but "food" and "clothing". */
function kindInWords(kind: string): string {
  return kind === 'food' || kind === 'clothing' ? kind : withArticle(kind)
}
